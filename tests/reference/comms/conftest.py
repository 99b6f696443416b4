"""Ingest on real servers: a NATS of its own for each test, a database of its own in a shared Postgres."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import nats
import psycopg
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.settings import CONSUMER, STREAM, CommsSettings
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer

PATIENCE = 30.0
SUBJECT = "argo.workflow.ns.flow.uid-1.agent.roy.message"
ROWS = "workflow_comms.agent_messages"
REJECTED = "workflow_comms.rejected_messages"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture(scope="package")
def shared_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("comms") / "postgres") as running:
        yield running


@pytest.fixture
def dsn(shared_postgres: PostgresServer) -> str:
    return shared_postgres.create_database(f"comms_{uuid4().hex[:12]}")


@dataclass
class Comms:
    """The service's surroundings, from outside."""

    settings: CommsSettings
    client: Client
    js: JetStreamContext

    def service(self, **changes: Any) -> CommsService:
        return CommsService(replace(self.settings, **changes))

    async def publish(self, *payloads: object, subject: str = SUBJECT) -> int:
        """Publish with PubAcks; returns the last sequence."""
        acks = [
            await self.js.publish(subject, each if isinstance(each, bytes) else json.dumps(each).encode())
            for each in payloads
        ]
        return acks[-1].seq

    async def with_consumer(self, ack_wait: float = 30.0) -> None:
        """Tables, stream and consumer as they are in production, but for the ack wait."""
        await asyncio.to_thread(migrate, self.settings.postgres_dsn)
        await self.js.add_stream(name=STREAM, subjects=["argo.workflow.>", "agentrun.>"])
        await self.js.add_consumer(
            STREAM, durable_name=CONSUMER, ack_policy="explicit", ack_wait=ack_wait, max_ack_pending=20_000
        )

    def rows(self, query: LiteralString, *arguments: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings.postgres_dsn) as connection:
            return connection.execute(query, arguments).fetchall()

    def count(self, table: LiteralString = ROWS) -> int:
        return int(self.rows("SELECT count(*) FROM " + table)[0][0])

    async def until(self, condition: Callable[[], bool | Awaitable[bool]], what: str = "") -> None:
        """Poll from outside what nothing notifies of."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = condition()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.02)

    async def stored(self, number: int, table: LiteralString = ROWS) -> None:
        await self.until(lambda: self.count(table) >= number)
        assert self.count(table) == number

    async def acked(self) -> None:
        """Nothing is pending, nothing unacked."""

        async def none_left() -> bool:
            info = await self.js.consumer_info(STREAM, CONSUMER)
            return (info.num_pending, info.num_ack_pending) == (0, 0)

        await self.until(none_left)


@pytest.fixture
async def comms(server: NatsServer, dsn: str) -> AsyncIterator[Comms]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05, error_cb=_quiet)
    settings = CommsSettings(server.url, dsn, http=False)
    yield Comms(settings, client, client.jetstream())
    await client.close()


async def _quiet(_: Exception) -> None:
    """Restarts of the server are what some tests are about."""


def messages(first: int, after: int, **more: object) -> Sequence[dict[str, object]]:
    return [{"id": f"m{number}", "content": f"text {number}", **more} for number in range(first, after)]
