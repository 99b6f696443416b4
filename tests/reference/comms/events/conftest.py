"""Services that only serve, over HTTP, and messages that are stored as ingest stores them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from pytest_agog.reference.comms.events.streaming import EventStream
from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.settings import CommsSettings
from pytest_agog.reference.comms.storing import Stored, store
from pytest_agog.wire.comms_rows import Row
from tests.reference.comms.events.reader import PATIENCE, asking

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class Book:
    """Stores messages through one connection."""

    def __init__(self, connection: psycopg.AsyncConnection, name: str = "book") -> None:
        self.connection = connection
        self._name = name
        self._count = 0

    def row(self, content: str = "text", **fields: Any) -> Row:
        self._count += 1
        common = Row(
            workflow_uid="uid-1", workflow_name="flow", workflow_namespace="ns", run_id="run-1", step_id=None,
            agent_id="roy", channel=None, stage=None, role="assistant", kind="message", content=content,
            timestamp=START + timedelta(seconds=self._count), attrs={}, dedupe_key=f"{self._name}-{self._count}",
            stream_seq=None,
        )  # fmt: skip
        return replace(common, **fields)

    async def add(self, *contents: str, **fields: Any) -> Stored:
        return await store(self.connection, [self.row(content, **fields) for content in contents])

    async def run(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        cursor = await self.connection.execute(query.encode(), arguments or None)
        return await cursor.fetchall() if cursor.description else []


@asynccontextmanager
async def book_of(dsn: str, name: str = "book") -> AsyncIterator[Book]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, application_name="book") as connection:
        yield Book(connection, name)


@dataclass
class Served:
    """A service that is up."""

    service: CommsService
    url: str
    dsn: str

    async def readers(self) -> int:
        """How many are connected, as the service says."""
        async with asking(self.url, path="/metrics") as answer:
            text = (await answer.body()).decode()
        found = re.search(r"^agog_comms_sse_connections (\d+)$", text, re.MULTILINE)
        assert found is not None, text
        return int(found[1])


@asynccontextmanager
async def serving(dsn: str, **changes: Any) -> AsyncIterator[Served]:
    settings = replace(CommsSettings("nats://127.0.0.1:1", dsn, ingest=False), **changes)
    async with CommsService(settings) as service:
        await service.wait_ready(PATIENCE)
        assert service.http_url is not None
        yield Served(service, service.http_url, dsn)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Poll what nothing notifies of."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


def streams() -> int:
    """Tasks of readers in this process."""
    return sum(EventStream.__name__ in str(task.get_coro()) for task in asyncio.all_tasks())


@pytest.fixture
async def served(dsn: str) -> AsyncIterator[Served]:
    async with serving(dsn) as running:
        yield running


@pytest.fixture
async def book(served: Served) -> AsyncIterator[Book]:
    async with book_of(served.dsn) as made:
        yield made
