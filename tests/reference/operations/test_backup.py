"""What is copied comes back as it was, on other servers, too; what is no whole backup changes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from nats.js.api import KeyValueConfig, StorageType, StreamSource
from nats.js.errors import NotFoundError

from pytest_agog.errors import (
    AgogError,
    BackupExists,
    BackupUnusable,
    BadInput,
    PostgresUnreachable,
    RestoreRefused,
)
from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.settings import CommsSettings
from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.operations import archive
from pytest_agog.reference.operations.archive import Contents
from pytest_agog.reference.operations.backup import Sources, backup
from pytest_agog.reference.operations.restore import Restored, restore
from pytest_agog.reference.orchestrator.memory.database import SERIES as MEMORY
from pytest_agog.stage.servers.cluster import NatsCluster
from pytest_agog.stage.servers.nats import NatsServer
from tests.reference.operations.conftest import Guarded

PATIENCE = 30.0
SUBJECT = "argo.workflow.ns.flow.uid-1.agent.roy.message"


def quiet(what: str, done: int, total: int) -> None:
    """Nobody watches."""


@dataclass
class System:
    """NATS and Postgres, from outside."""

    url: str
    link: Link
    dsn: str | None

    async def backup(self, folder: Path, tell: Callable[[str, int, int], None] = quiet) -> Contents:
        return await backup(Sources(self.link, self.dsn), folder, tell)

    async def restore(self, folder: Path, **options: Any) -> Restored:
        return await restore(Sources(self.link, self.dsn), folder, quiet, **options)

    async def publish(self, *payloads: object) -> None:
        js = self.link.nc.jetstream()
        for each in payloads:
            await js.publish(SUBJECT, each if isinstance(each, bytes) else json.dumps(each).encode())

    def rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        assert self.dsn is not None
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query).fetchall()

    async def ingested(self, count: int) -> None:
        """Ingest has nothing left to do, and there are so many rows."""
        async with CommsService(CommsSettings(self.url, self.dsn or "", http=False)) as service:
            await service.wait_ready(PATIENCE)
            async with asyncio.timeout(PATIENCE):
                while not await self._idle():  # noqa: ASYNC110 - Postgres notifies of rows, nobody of acks
                    await asyncio.sleep(0.02)
        assert len(self.rows("SELECT FROM workflow_comms.agent_messages")) == count

    async def _idle(self) -> bool:
        info = await self.link.nc.jetstream().consumer_info("agent-comms", "jangar-agent-comms")
        return (info.num_pending, info.num_ack_pending) == (0, 0)


@pytest.fixture
async def here(server: NatsServer, link: Link, dsn: str) -> System:
    await asyncio.to_thread(migrate, dsn)
    await asyncio.to_thread(migrate, dsn, MEMORY)
    return System(server.url, link, dsn)


@pytest.fixture
async def there(tmp_path: Path, other_dsn: str) -> AsyncIterator[System]:
    """Another NATS and another database, both empty."""
    with NatsServer(tmp_path / "other") as server:
        link = await connect(server.url)
        yield System(server.url, link, other_dsn)
        await link.close()


def at(position: Any) -> tuple[int, int]:
    """Where a consumer is; when it was last active only the server that it was on knows."""
    return position.consumer_seq, position.stream_seq


async def everything(link: Link) -> dict[str, Any]:
    """Each stream with all its messages and its consumers' positions."""
    js = link.nc.jetstream()
    found: dict[str, Any] = {}
    for info in await js.streams_info():
        name = info.config.name or ""
        messages = []
        for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
            try:
                message = await js.get_msg(name, sequence)
            except NotFoundError:  # a hole
                continue
            messages.append((message.seq, message.subject, message.data, message.headers, message.time))
        consumers = sorted(
            (each.name, each.config.filter_subject, at(each.ack_floor), at(each.delivered), each.num_pending,
             each.num_ack_pending)
            for each in await js.consumers_info(name)
        )  # fmt: skip
        found[name] = (info.config.subjects, info.config.max_age, info.config.max_bytes, messages, consumers)
    return found


async def filled(system: System) -> None:
    """Streams with holes, headers and binary payloads, KV, objects, positions, rows of every kind."""
    await init_streams(system.link)
    js = system.link.nc.jetstream()
    for number in range(30):
        await js.publish("results.roy.REQ-1", os.urandom(3000), headers={"Nats-Msg-Id": f"r-{number}", "X": "ü y"})
    await js.delete_msg("RESULTS", 7)
    puller = await js.pull_subscribe("", "release-manager", stream="RESULTS")
    for message in await puller.fetch(5):
        await message.ack_sync()
    await puller.fetch(3)
    await js.add_stream(name="in_memory", subjects=["volatile"], storage=StorageType.MEMORY)
    await js.publish("volatile", b"1")
    bucket = await js.create_key_value(KeyValueConfig(bucket="agog_state", history=5))
    for number in range(4):
        await bucket.put("requirement.REQ-1", b"%d" % number)
    objects = await js.create_object_store(bucket="kept")
    await objects.put("report", os.urandom(400_000))
    system.rows(
        r"""INSERT INTO workflow_comms.agent_messages (content, "timestamp", attrs, dedupe_key, run_id)
        VALUES (E'tab\t line\n \\N back\\ ümlaut', '2026-01-01 12:00:00.123456+05', '{"a": ["\"x"]}', 'k1', NULL),
               ('', '-infinity', '{}', 'k2', '') RETURNING 1"""
    )
    system.rows(
        r"""INSERT INTO workflow_comms.rejected_messages (stream, stream_created, stream_seq, subject, raw, reason)
        VALUES ('agent-comms', now(), 1, 's', '\x00ff5c', 'nul') RETURNING 1"""
    )
    system.rows(
        """INSERT INTO agog_memory.memories (agent, layer, kind, source, body)
        VALUES ('roy', 'recent', 'lesson', 's', 'caching helps') RETURNING 1"""
    )


TABLES: dict[str, LiteralString] = {
    "messages": "SELECT t::text FROM workflow_comms.agent_messages t ORDER BY seq",
    "rejected": "SELECT t::text FROM workflow_comms.rejected_messages t ORDER BY id",
    "memories": "SELECT t::text FROM agog_memory.memories t ORDER BY id",
    "books": "SELECT name, digest FROM agog_memory.schema_migrations ORDER BY name",
}


def tables(system: System) -> dict[str, Any]:
    return {name: system.rows(query) for name, query in TABLES.items()}


async def test_everything_comes_back_on_other_servers(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    before, rows = await everything(here.link), tables(here)
    contents = await here.backup(tmp_path / "copy")
    assert {each.name for each in contents.streams} == set(before)
    assert {table.name: table.rows for schema in contents.schemas for table in schema.tables} == {
        "agent_messages": 2, "rejected_messages": 1, "memories": 4,
    }  # fmt: skip
    restored = await there.restore(tmp_path / "copy")
    assert await everything(there.link) == before
    assert tables(there) == rows
    assert (restored.notes, restored.rows) == ((), 7)
    objects = await there.link.nc.jetstream().object_store("kept")
    assert len((await objects.get("report")).data or b"") == 400_000


async def test_numbers_go_on_where_they_were(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    here.rows("DELETE FROM workflow_comms.agent_messages RETURNING 1")
    await here.backup(tmp_path / "copy")
    await there.restore(tmp_path / "copy")
    (row,) = there.rows(
        """INSERT INTO workflow_comms.agent_messages (content, "timestamp", dedupe_key)
        VALUES ('x', now(), 'k3') RETURNING seq"""
    )
    assert row == (3,)
    assert there.rows(
        """INSERT INTO agog_memory.memories (agent, layer, kind, source, body)
        VALUES ('roy', 'recent', 'lesson', 'next', 'b') RETURNING id"""
    ) == [(102,)]
    ack = await there.link.nc.jetstream().publish("results.roy.REQ-1", b"next")
    assert ack.seq == 31


async def test_what_is_delivered_again_after_a_restore_is_stored_once(
    tmp_path: Path, here: System, there: System
) -> None:
    """The streams are copied before the rows: those of between come a second time, with and without ids. [J05]"""
    await init_streams(here.link)
    await here.publish(*({"content": f"no id {n}"} for n in range(20)), b"bad", {"message_id": "m", "content": "id"})
    streams_only = await backup(Sources(here.link, None), tmp_path / "streams", quiet)
    await here.ingested(21)
    await here.publish(*({"content": f"later {n}"} for n in range(5)))
    await here.ingested(26)
    await backup(Sources(None, here.dsn), tmp_path / "rows", quiet)
    assert streams_only.postgres is None

    await restore(Sources(None, there.dsn), tmp_path / "rows", quiet)
    restored = await there.restore(tmp_path / "streams")
    assert restored.rekeyed == 20
    await there.ingested(26)
    # The five later ones are not on the restored stream; new messages take their sequences and are stored.
    await there.publish(*({"content": f"new {n}"} for n in range(5)))
    await there.ingested(31)
    assert there.rows("SELECT count(*) FROM workflow_comms.rejected_messages") == [(1,)]


async def test_a_restored_system_goes_on_when_its_consumer_is_lost(tmp_path: Path, here: System, there: System) -> None:
    """Ingest makes it anew and reads everything again: rows of messages without an id are found by their new keys."""
    await init_streams(here.link)
    await here.publish(*({"content": f"no id {n}"} for n in range(20)), b"bad")
    await here.ingested(20)
    await here.backup(tmp_path / "copy")
    await there.restore(tmp_path / "copy")
    await there.link.nc.jetstream().delete_consumer("agent-comms", "jangar-agent-comms")
    await there.ingested(20)
    assert there.rows("SELECT count(*) FROM workflow_comms.rejected_messages") == [(1,)]


async def test_a_backup_under_load_misses_nothing_that_was_acknowledged(
    tmp_path: Path, here: System, there: System
) -> None:
    await init_streams(here.link)
    js = here.link.nc.jetstream()
    jangar = (await js.consumer_info("agent-comms", "jangar-agent-comms")).config
    jangar.ack_wait = 2  # what was in flight is delivered again so soon after the restore
    await js.add_consumer("agent-comms", jangar)
    going = True

    async def load() -> int:
        count = 0
        while going:
            await here.publish({"content": f"number {count}"})
            count += 1
        return count

    async with CommsService(CommsSettings(here.url, here.dsn or "", http=False)) as service:
        await service.wait_ready(PATIENCE)
        publishing = asyncio.create_task(load())
        contents = await here.backup(tmp_path / "copy")
        going = False
        await publishing
    copied = next(each for each in contents.streams if each.name == "agent-comms")
    await there.restore(tmp_path / "copy")
    stored = int(there.rows("SELECT count(*) FROM workflow_comms.agent_messages")[0][0])
    await there.ingested(max(stored, int(copied.state["messages"])))
    texts = [row[0] for row in there.rows("SELECT content FROM workflow_comms.agent_messages ORDER BY stream_seq")]
    assert texts == [f"number {n}" for n in range(len(texts))]


# --- what is there already --------------------------------------------------------------------------------------------
async def test_nothing_is_overwritten_unasked(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    await init(there)
    await filled(there)
    before, rows = await everything(there.link), tables(there)
    with pytest.raises(RestoreRefused, match=r"stream RESULTS \(29 messages\).*schema workflow_comms"):
        await there.restore(tmp_path / "copy")
    assert (await everything(there.link), tables(there)) == (before, rows)
    await there.restore(tmp_path / "copy", force=True)
    assert await everything(there.link) == await everything(here.link)
    assert tables(there) == tables(here)


async def init(system: System) -> None:
    assert system.dsn is not None
    await asyncio.to_thread(migrate, system.dsn)
    await asyncio.to_thread(migrate, system.dsn, MEMORY)


async def test_streams_and_tables_that_nobody_used_are_no_obstacle(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    await init(there)
    await init_streams(there.link)
    await there.restore(tmp_path / "copy")
    assert tables(there) == tables(here)


async def test_what_the_backup_does_not_hold_stays(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    js = there.link.nc.jetstream()
    await js.add_stream(name="theirs", subjects=["theirs"])
    await js.publish("theirs", b"kept")
    await there.restore(tmp_path / "copy", force=True)
    assert (await js.get_msg("theirs", 1)).data == b"kept"


async def test_when_a_stream_cannot_come_back_postgres_stays_as_it_was(
    tmp_path: Path, here: System, there: System
) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    js = there.link.nc.jetstream()
    await js.add_stream(name="in_the_way", subjects=["results.roy.>"])
    await init(there)
    with pytest.raises(AgogError, match=r"RESULTS could not be restored .*Postgres is as it was"):
        await there.restore(tmp_path / "copy")
    assert there.rows("SELECT count(*) FROM workflow_comms.agent_messages") == [(0,)]


# --- what is no whole backup ------------------------------------------------------------------------------------------
def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def resum(folder: Path) -> None:
    """As somebody would who changes a backup on purpose."""
    lines = (folder / archive.SUMS).read_text("utf-8").splitlines()
    digest = hashlib.sha256((folder / archive.MANIFEST).read_bytes()).hexdigest()
    lines[0] = f"{digest}  {archive.MANIFEST}"
    (folder / archive.SUMS).write_text("\n".join(lines) + "\n", "utf-8")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / archive.MANIFEST).read_text("utf-8"))
    change(manifest)
    (folder / archive.MANIFEST).write_text(json.dumps(manifest), "utf-8")
    resum(folder)


def escape(manifest: dict[str, Any]) -> None:
    manifest["streams"][0]["file"] = "../../etc/passwd"


def misname(manifest: dict[str, Any]) -> None:
    manifest["streams"][0]["name"] = "A.>"


def mislead(manifest: dict[str, Any]) -> None:
    manifest["streams"][0]["config"]["name"] = "other"


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed byte": (lambda f: flip(next((f / "streams").glob("*RESULTS"))), "is not as it was written"),
    "a cut file": (lambda f: os.truncate(next((f / "streams").glob("*RESULTS")), 100), "has 100 bytes instead of"),
    "a missing file": (lambda f: next((f / "postgres").iterdir()).unlink(), "is missing"),
    "a link": (lambda f: relink(next((f / "streams").glob("*RESULTS"))), "is missing"),
    "a changed manifest": (lambda f: flip(f / "backup.json"), "backup.json is not as it was written"),
    "no manifest": (lambda f: (f / "backup.json").unlink(), "no complete backup"),
    "no sums": (lambda f: (f / "SHA256SUMS").unlink(), "no complete backup"),
    "odd sums": (lambda f: (f / "SHA256SUMS").write_bytes(b"\xff\n"), "damaged or from another tool"),
    "another tool": (lambda f: rewrite(f, lambda m: m.update(format="tar")), "not one of agog's"),
    "a later format": (lambda f: rewrite(f, lambda m: m.update(version=2)), "this agog reads 1"),
    "a file elsewhere": (lambda f: rewrite(f, escape), "cannot be read"),
    "a name of a subject": (lambda f: rewrite(f, misname), "cannot be read"),
    "another configuration": (lambda f: rewrite(f, mislead), "is called otherwise"),
    "a later schema": (
        lambda f: rewrite(f, lambda m: m["schemas"][0]["migrations"].update({"9.sql": "0"})),
        "another version of agog",
    ),
    "a foreign schema": (lambda f: rewrite(f, lambda m: m["schemas"][0].update(name="public")), "none of agog's"),
    "a file too few": (lambda f: rewrite(f, lambda m: m["streams"].pop()), "name different files"),
}  # fmt: skip


def relink(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


async def test_what_is_damaged_is_refused_before_anything_changes(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    for name, (damage, told) in DAMAGES.items():
        folder = tmp_path / name.replace(" ", "-")
        shutil.copytree(tmp_path / "copy", folder)
        damage(folder)
        with pytest.raises(BackupUnusable) as caught:
            await there.restore(folder, force=True)
        assert told in str(caught.value), name
        assert "\n" not in str(caught.value)
    assert await there.link.nc.jetstream().streams_info() == []
    assert there.rows("SELECT to_regclass('workflow_comms.agent_messages')") == [(None,)]


async def test_a_folder_that_is_none_is_refused(tmp_path: Path, there: System) -> None:
    with pytest.raises(BackupUnusable, match="there is no such folder"):
        await there.restore(tmp_path / "absent")
    with pytest.raises(BackupUnusable, match="no complete backup"):
        await there.restore(tmp_path)


async def test_what_gathers_from_others_gathers_nothing_twice(tmp_path: Path, here: System, there: System) -> None:
    js = here.link.nc.jetstream()
    await js.add_stream(name="ORIGIN", subjects=["origin.>"])
    await js.add_stream(name="GATHERS", sources=[StreamSource(name="ORIGIN")])
    await js.add_stream(name="MIRRORS", mirror=StreamSource(name="ORIGIN"))
    for number in range(5):
        await js.publish("origin.x", b"%d" % number)
    await holds(here.link, GATHERS=5, MIRRORS=5)
    contents = await here.backup(tmp_path / "copy")
    assert [each.name for each in contents.streams] == ["GATHERS", "MIRRORS", "ORIGIN"]
    for _ in range(2):  # on an empty server, and over what is there
        restored = await there.restore(tmp_path / "copy", force=True)
        assert [each.name for each in restored.streams] == ["ORIGIN", "GATHERS", "MIRRORS"]
        assert [each.anew for each in restored.streams] == [(), (), ()]
        # What comes next is gathered behind what is gathered again, if anything is.
        await there.link.nc.jetstream().publish("origin.x", b"next")
        await holds(there.link, GATHERS=6, MIRRORS=6)


async def test_an_origin_that_nothing_is_known_of_is_named(tmp_path: Path, here: System, there: System) -> None:
    js = here.link.nc.jetstream()
    await js.add_stream(name="ORIGIN", subjects=["origin.>"])
    await js.add_stream(name="GATHERS", subjects=["own.>"], sources=[StreamSource(name="ORIGIN")])
    await js.publish("own.x", b"")
    await here.backup(tmp_path / "copy")
    restored = await there.restore(tmp_path / "copy")
    assert {each.name: each.anew for each in restored.streams} == {"ORIGIN": (), "GATHERS": ("ORIGIN",)}


async def holds(link: Link, **streams: int) -> None:
    """Each of `streams` has come to so many messages, and to no more."""
    js = link.nc.jetstream()
    async with asyncio.timeout(PATIENCE):
        for name, count in streams.items():
            while (found := (await js.stream_info(name)).state.messages) < count:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
            assert found == count, name


async def test_tables_that_somebody_added_come_back_with_their_numbers(tmp_path: Path, here: System) -> None:
    """Odd names, partitions, and numbers that a sequence gives."""
    assert here.dsn is not None
    with psycopg.connect(here.dsn) as connection:
        connection.execute("""CREATE TABLE workflow_comms."odd "";../%me" (id serial PRIMARY KEY, "a b" text)""")
        connection.execute(
            """INSERT INTO workflow_comms."odd "";../%me" ("a b") VALUES (E'\\t\\n\\\\.'), (NULL), ('x')"""
        )
        connection.execute("CREATE TABLE workflow_comms.parted (k int) PARTITION BY RANGE (k)")
        connection.execute(
            "CREATE TABLE workflow_comms.part PARTITION OF workflow_comms.parted FOR VALUES FROM (0) TO (9)"
        )
        connection.execute("INSERT INTO workflow_comms.parted VALUES (3)")
    before = here.rows("""SELECT * FROM workflow_comms."odd "";../%me" ORDER BY id""")
    contents = await here.backup(tmp_path / "copy")
    rows = {table.name: table.rows for schema in contents.schemas for table in schema.tables}
    assert (rows["parted"], rows['odd ";../%me']) == (1, 3)
    restored = await here.restore(tmp_path / "copy", force=True)
    assert (restored.rows, restored.notes) == (sum(rows.values()), ())
    assert here.rows("""SELECT * FROM workflow_comms."odd "";../%me" ORDER BY id""") == before
    assert here.rows("SELECT k FROM workflow_comms.parted") == [(3,)]
    assert here.rows("""INSERT INTO workflow_comms."odd "";../%me" DEFAULT VALUES RETURNING id""") == [(4,)]


async def test_what_a_database_cannot_have_is_named_and_not_counted(
    tmp_path: Path, here: System, there: System
) -> None:
    assert here.dsn is not None
    with psycopg.connect(here.dsn) as connection:
        connection.execute("CREATE TABLE workflow_comms.extra (id serial)")
        connection.execute("INSERT INTO workflow_comms.extra DEFAULT VALUES")
    contents = await here.backup(tmp_path / "copy")
    restored = await there.restore(tmp_path / "copy")
    assert restored.rows == sum(table.rows for schema in contents.schemas for table in schema.tables) - 1
    assert restored.notes == ("workflow_comms.extra (1 rows): this Postgres cannot have that table",)


# --- the folder -------------------------------------------------------------------------------------------------------
async def test_a_backup_appears_whole_or_not_at_all(tmp_path: Path, here: System) -> None:
    await init_streams(here.link)
    place = tmp_path / "copies"
    broken = System(here.url, here.link, "postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(PostgresUnreachable):
        await broken.backup(place / "copy")
    assert list(place.iterdir()) == []
    await here.backup(place / "copy")
    assert [path.name for path in place.iterdir()] == ["copy"]


def test_what_a_killed_backup_left_is_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, signal, sys\n"
        "from pytest_agog.reference.operations import archive\n"
        "with archive.writing(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'streams' / '0001-a').write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "monday")], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    foreign = tmp_path / ".notes.partial-abcdefgh"
    (foreign / "streams").mkdir(parents=True)
    (foreign / "mine.txt").write_text("kept", "utf-8")
    with archive.writing(tmp_path / "tuesday") as folder:
        assert archive.clear_remains(tmp_path / "wednesday") == [left]
        assert folder.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == [foreign.name, "tuesday"]
    assert archive.clear_remains(tmp_path / "absent" / "friday") == []


async def test_an_older_backup_is_never_overwritten(tmp_path: Path, here: System) -> None:
    await here.backup(tmp_path / "copy")
    written = (tmp_path / "copy" / "backup.json").read_bytes()
    with pytest.raises(BackupExists):
        await here.backup(tmp_path / "copy")
    assert (tmp_path / "copy" / "backup.json").read_bytes() == written
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput):
        await here.backup(tmp_path / "file" / "copy")


async def test_only_its_owner_can_read_it(tmp_path: Path, here: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    modes = {path.stat().st_mode & 0o077 for path in [tmp_path / "copy", *(tmp_path / "copy").rglob("*")]}
    assert modes == {0}


def test_names_of_streams_stay_within_the_folder() -> None:
    for name in ("..", "../../x", "a/b", "/etc/passwd", "a\\b", "C:x", "ü" * 200, "\n"):
        file = archive.file_name("streams", 1, name)
        assert (Path("/backup") / file).resolve().parent == Path("/backup/streams")
        assert archive.StreamCopy.model_fields["file"].metadata


async def test_odd_names_of_streams_go_and_come(tmp_path: Path, here: System, there: System) -> None:
    js = here.link.nc.jetstream()
    for number, name in enumerate(["ünï", "a%2Fb", "-rf", "~", "$odd", "x" * 200]):
        await js.add_stream(name=name, subjects=[f"odd.{number}"])
        await js.publish(f"odd.{number}", name.encode())
    await here.backup(tmp_path / "copy")
    await there.restore(tmp_path / "copy")
    assert await everything(there.link) == await everything(here.link)


# --- size, clusters, rights -------------------------------------------------------------------------------------------
async def test_a_large_stream_does_not_go_through_memory(tmp_path: Path, here: System) -> None:
    """40 MB, and never more at once than a window of chunks."""
    import tracemalloc

    js = here.link.nc.jetstream()
    await js.add_stream(name="large", subjects=["large"])
    for _ in range(40):
        await js.publish("large", os.urandom(10**6))
    seen: list[int] = []
    tracemalloc.start()
    try:
        await here.backup(tmp_path / "copy", lambda what, done, total: seen.append(done))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(seen) > 40 * 10**6
    assert peak < 20 * 10**6


async def test_from_a_cluster_to_a_server_that_runs_alone(tmp_path: Path, there: System) -> None:
    with NatsCluster(tmp_path / "cluster") as cluster:
        link = await connect(cluster.url)
        try:
            await init_streams(link, replicas=3)
            js = link.nc.jetstream()
            for _ in range(20):
                await js.publish("results.roy.REQ-1", os.urandom(30_000))
            await backup(Sources(link, None), tmp_path / "copy", quiet)
            before = await everything(link)
            with pytest.raises(AgogError, match="replicas"):
                await there.restore(tmp_path / "copy")
            await there.restore(tmp_path / "copy", replicas=1)
            after = await everything(there.link)
            assert {name: each[3] for name, each in after.items()} == {name: each[3] for name, each in before.items()}
            await restore(Sources(link, None), tmp_path / "copy", quiet, force=True)
            assert (await js.stream_info("RESULTS")).config.num_replicas == 3
        finally:
            await link.close()


@pytest.mark.parametrize("user", ["agents", "jangar"])
async def test_only_system_may_copy(tmp_path: Path, guarded: Guarded, user: str) -> None:
    link = await connect(guarded.url_of(user))
    try:
        with pytest.raises(AgogError, match="refused the credentials"):
            await backup(Sources(link, None), tmp_path / "copy", quiet)
    finally:
        await link.close()
    assert not (tmp_path / "copy").exists()
