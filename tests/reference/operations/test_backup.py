"""What is copied comes back as it was, on other servers, too: in order, under load, from a cluster, at any size."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pytest_agog.errors import (
    AgogError,
)
from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.settings import CommsSettings
from pytest_agog.reference.deliverables.connecting import connect
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.operations.backup import Sources, backup
from pytest_agog.reference.operations.restore import restore
from pytest_agog.stage.servers.cluster import NatsCluster
from tests.guarded import Guarded
from tests.reference.operations.systems import (
    PATIENCE,
    System,
    everything,
    filled,
    quiet,
    tables,
)


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
