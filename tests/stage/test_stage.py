"""A stage brings up what its scenario needs, and leaves nothing behind, however it ends."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from pytest_agog.errors import BinaryMissing, MaxPayloadTooSmall, ServiceDidNotStart, UsageError
from pytest_agog.scenario.model import Kill, Wait
from pytest_agog.scenario.reading.places import Position
from pytest_agog.scenario.scenario import Claim, Scenario, Step
from pytest_agog.stage.connect import connect_nats
from pytest_agog.stage.needs import needs_postgres
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.pool import PostgresPool
from pytest_agog.stage.stage import Stage, StageOptions
from pytest_agog.values import Strict

Make = Callable[..., Scenario]
PLACE = Position(Path("x.yaml"), 1, 1)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresPool]:
    shared = PostgresPool(tmp_path_factory.mktemp("pool") / "postgres")
    yield shared
    shared.stop()


def children() -> set[int]:
    """Servers that this process runs now."""
    return {child.pid for child in psutil.Process().children(recursive=True) if child.name() == "nats-server"}


async def test_nats_alone_when_nothing_needs_postgres(scenario: Make, tmp_path: Path) -> None:
    asked: list[Stage] = []

    async def prepare(stage: Stage) -> None:
        client = await connect_nats(stage.nats.url)
        await client.jetstream().add_stream(name="s", subjects=["s"])
        await client.close()
        asked.append(stage)

    async with Stage(scenario(), StageOptions(tmp_path / "run"), prepare) as stage:
        assert asked == [stage]
        assert stage.postgres_dsn is None
        assert stage.postgres_version is None
        assert stage.baseline == {}
        assert stage.nats.max_payload == 12_000_000
        assert {path.name for path in stage.output_folder.iterdir()} == {"nats-scripts", "deliverables"}
        assert set(stage.urls) == {"nats", "monitor"}
        pid = stage.nats.pid if isinstance(stage.nats, NatsServer) else None
        assert pid in children()
    assert pid not in children()
    assert not (tmp_path / "run" / "nats").exists()
    assert stage.output_folder.is_dir()


async def test_nats_and_postgres(scenario: Make, tmp_path: Path, pool: PostgresPool) -> None:
    wanted = scenario({"postgres": {}, "nats": {"sync_interval": "always"}})
    async with Stage(wanted, StageOptions(tmp_path / "run", postgres=pool)) as stage:
        assert stage.postgres_dsn is not None
        assert stage.postgres_version == pool.version
        with psycopg.connect(stage.postgres_dsn) as connection:
            connection.execute("CREATE TABLE t (id int)")
        await stage.kill("postgres")
        await stage.restart("postgres")
        with psycopg.connect(stage.postgres_dsn) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        address = stage.nats.url
        await stage.kill("nats", "TERM")
        await stage.restart("nats")
        assert stage.nats.url == address
        assert "****@" in stage.urls["postgres"]
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(stage.postgres_dsn)


@pytest.mark.parametrize(("services", "backend"), [({"nats": {"servers": 3}}, "embedded"), ({}, "cluster")])
async def test_a_cluster(services: dict[str, Any], backend: str, scenario: Make, tmp_path: Path) -> None:
    async with Stage(scenario(services), StageOptions(tmp_path / "run", backend=backend)) as stage:
        assert stage.nats.replicas == 3
        assert len(stage.nats.url.split(",")) == 3
    assert not (tmp_path / "run" / "nats").exists()


async def test_two_stages_side_by_side(scenario: Make, tmp_path: Path, pool: PostgresPool) -> None:
    wanted = scenario({"postgres": {}})

    async def one(name: str) -> tuple[str, str | None]:
        async with Stage(wanted, StageOptions(tmp_path / name, postgres=pool)) as stage:
            client = await connect_nats(stage.nats.url)
            await client.jetstream().add_stream(name=name, subjects=["same"])
            found = [info.config.name for info in await client.jetstream().streams_info()]
            await client.close()
            assert found == [name]
            return stage.nats.url, stage.postgres_dsn

    (first, one_dsn), (second, other_dsn) = await asyncio.gather(one("a"), one("b"))
    assert first != second
    assert one_dsn != other_dsn


async def test_external_services(scenario: Make, tmp_path: Path, pool: PostgresPool) -> None:
    given = pool.create("given_to_a_stage")
    with NatsServer(tmp_path / "elsewhere") as server:
        options = StageOptions(tmp_path / "run", backend="external", nats_url=server.url, postgres_dsn=given)
        async with Stage(scenario({"postgres": {}}), options) as stage:
            assert stage.nats.url == server.url
            assert stage.postgres_dsn not in (None, given)
            assert "KV_agog_lock" in stage.baseline
            with pytest.raises(UsageError, match="external"):
                await stage.kill("postgres")
            with pytest.raises(UsageError, match="external"):
                await stage.kill("nats")
        assert server.alive
    psycopg.connect(given).close()
    pool.drop("given_to_a_stage")


async def test_a_server_that_takes_too_little(scenario: Make, tmp_path: Path) -> None:
    with pytest.raises(MaxPayloadTooSmall, match=r"1000000 .* 10000000.*streams: none"):
        async with Stage(scenario({"nats": {"max_payload": "1MB"}}), StageOptions(tmp_path / "a")):
            pass
    async with Stage(scenario({"nats": {"max_payload": "1MB", "streams": "none"}}), StageOptions(tmp_path / "b")):
        pass
    assert not (tmp_path / "a" / "nats").exists()


async def test_what_is_not_there_yet(scenario: Make, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'balloon' yet; available are embedded, cluster, container"):
        async with Stage(scenario(), StageOptions(tmp_path, backend="balloon")):
            pass
    with pytest.raises(UsageError, match="needs the address"):
        async with Stage(scenario(), StageOptions(tmp_path, backend="external")):
            pass
    with pytest.raises(UsageError, match="needs Postgres"):
        async with Stage(scenario({"postgres": {}}), StageOptions(tmp_path / "run")):
            pass
    assert not (tmp_path / "run" / "nats").exists()
    async with Stage(scenario(), StageOptions(tmp_path / "run")) as stage:
        with pytest.raises(UsageError, match="no Postgres that could be killed"):
            await stage.kill("postgres")


async def test_a_failing_start_is_one_plain_error(
    scenario: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGOG_NATS_SERVER", str(tmp_path / "nowhere"))
    with pytest.raises(BinaryMissing):
        async with Stage(scenario(), StageOptions(tmp_path / "run")):
            pass
    monkeypatch.delenv("AGOG_NATS_SERVER")
    (tmp_path / "run" / "nats").mkdir(parents=True)
    (tmp_path / "run" / "nats" / "store").write_text("no folder")
    with pytest.raises(ServiceDidNotStart):
        async with Stage(scenario(), StageOptions(tmp_path / "run")):
            pass


@pytest.mark.parametrize("failure", [RuntimeError("broken"), asyncio.CancelledError(), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["prepare", "body"])
def test_nothing_stays_when_it_goes_wrong(where: str, failure: BaseException, scenario: Make, tmp_path: Path) -> None:
    pids: list[int | None] = []

    async def prepare(stage: Stage) -> None:
        assert isinstance(stage.nats, NatsServer)
        pids.append(stage.nats.pid)
        if where == "prepare":
            raise failure

    async def play() -> None:
        async with Stage(scenario(), StageOptions(tmp_path / "run"), prepare):
            raise failure

    with pytest.raises(type(failure)):
        asyncio.run(play())
    assert len(pids) == 1
    assert pids[0] not in children()
    assert not (tmp_path / "run" / "nats").exists()


async def test_nothing_stays_when_cancelled_in_mid_start(scenario: Make, tmp_path: Path, pool: PostgresPool) -> None:
    before = children()

    async def play() -> None:
        async with Stage(scenario({"postgres": {}}), StageOptions(tmp_path / "run", postgres=pool)):
            pytest.fail("was cancelled before")

    task = asyncio.create_task(play())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() <= before
    assert not (tmp_path / "run" / "nats").exists()


def test_what_needs_postgres(scenario: Make) -> None:
    class Nothing(Strict):
        pass

    def claim(check: str) -> Claim:
        return Claim("c", "c", check, Nothing(), PLACE)

    def step(arguments: Strict) -> Step:
        return Step(1, "x", arguments, PLACE)

    assert not needs_postgres(scenario())
    assert not needs_postgres(scenario(claims=(claim("message"),), steps=(step(Kill(component="nats")),)))
    assert needs_postgres(scenario({"postgres": {}}))
    assert needs_postgres(scenario(claims=(claim("message"), claim("rows"))))
    assert needs_postgres(scenario(claims=(claim("table"),)))
    assert needs_postgres(scenario(steps=(step(Wait(until={"rows": {}})),)))
    assert needs_postgres(scenario(steps=(step(Kill(component="postgres")),)))


def test_services_can_be_left_up(harness: Callable[[str], subprocess.Popen[str]]) -> None:
    process = harness("""
        import asyncio, sys
        from pathlib import Path
        from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
        server = NatsServer(Path(sys.argv[1], "nats"), NatsOptions(outlive=True))
        server.start()
        print(server.pid, flush=True)
    """)
    out, _ = process.communicate()
    left = psutil.Process(int(out))
    try:
        assert left.is_running()
        assert left.status() != psutil.STATUS_ZOMBIE
    finally:
        left.kill()
        left.wait(5)
