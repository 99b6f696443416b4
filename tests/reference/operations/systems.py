"""A system that is copied and brought back: NATS and Postgres from outside, filled with everything there is."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import NotFoundError

from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.settings import CommsSettings
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.operations.archive import Contents
from pytest_agog.reference.operations.backup import Sources, backup
from pytest_agog.reference.operations.restore import Restored, restore
from pytest_agog.reference.orchestrator.memory.database import SERIES as MEMORY

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


async def init(system: System) -> None:
    assert system.dsn is not None
    await asyncio.to_thread(migrate, system.dsn)
    await asyncio.to_thread(migrate, system.dsn, MEMORY)


async def holds(link: Link, **streams: int) -> None:
    """Each of `streams` has come to so many messages, and to no more."""
    js = link.nc.jetstream()
    async with asyncio.timeout(PATIENCE):
        for name, count in streams.items():
            while (found := (await js.stream_info(name)).state.messages) < count:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)
            assert found == count, name
