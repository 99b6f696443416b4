"""The pages as people meet them: over HTTP, from Postgres, with the events API."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from pytest_agog.reference.comms.events.hub import Hub, running
from pytest_agog.reference.comms.events.pool import make_pool
from pytest_agog.reference.comms.events.reading import Reading
from pytest_agog.reference.comms.ingest.counters import IngestCounts
from pytest_agog.reference.comms.ingest.state import Readiness
from pytest_agog.reference.comms.storing import store
from pytest_agog.reference.comms.web import Web, build_app
from pytest_agog.wire.comms import general_subject, run_subject
from pytest_agog.wire.comms_rows import Rejection, Row, normalise

START: Final = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass
class Book:
    """Stores messages as ingest would."""

    dsn: str
    count: int = 0
    moment: datetime = START

    async def add(self, *messages: dict[str, Any]) -> None:
        """Each a payload; with `general` it is published on the global channel."""
        rows = [self._row(message) for message in messages]
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            await store(connection, rows)

    def _row(self, message: dict[str, Any]) -> Row:
        self.count += 1
        self.moment += timedelta(seconds=7)
        payload = {"timestamp": self.moment.isoformat(), "run_id": "run-1", "agent_id": "roy", **message}
        if payload.pop("general", False):
            subject = general_subject("message")
        else:
            subject = run_subject("agents", "customer-search", "uid-1", "someone", "message")
        row = normalise(
            subject.replace(".someone.", f".{payload['agent_id']}."),
            json.dumps(payload).encode(),
            stream_created="2026-03-01T00:00:00Z",
            stream_seq=self.count,
            stored_at=self.moment,
        )
        assert not isinstance(row, Rejection), row
        return row


@dataclass
class Site:
    """A service that is up."""

    url: str
    book: Book
    dsn: str
    maintenance: str
    server: uvicorn.Server = field(repr=False)
    loop: asyncio.AbstractEventLoop = field(repr=False)
    asked: list[str] = field(default_factory=list)
    """Paths that clients asked for."""

    def drop_connections(self) -> None:
        """Cut every connection of a client, as a proxy that restarts would."""

        def cut() -> None:
            for connection in list(self.server.server_state.connections):
                transport: Any = connection.transport
                transport.abort()

        self.loop.call_soon_threadsafe(cut)

    @contextmanager
    def postgres_away(self) -> Iterator[None]:
        """The database takes no connections, and drops those that it has."""
        name = psycopg.conninfo.conninfo_to_dict(self.dsn)["dbname"]
        with psycopg.connect(self.maintenance, autocommit=True) as connection:
            quoted = psycopg.sql.Identifier(str(name))
            connection.execute(psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(quoted))
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            try:
                yield
            finally:
                connection.execute(psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(quoted))


@contextmanager
def site(dsn: str, maintenance: str) -> Iterator[Site]:
    """Serve events and pages of a database in a thread."""
    ready = threading.Event()
    made: list[Site] = []

    async def main() -> None:
        pool = make_pool(dsn)
        await pool.open()
        hub = Hub(dsn, lambda _: None)
        async with running(hub):
            web = Web(pool, hub, Reading(pool), IngestCounts, lambda: Readiness(ready=True, parts={}), _complete)
            async with _served(build_app(web), dsn, maintenance) as (site, ended):
                made.append(site)
                ready.set()
                await ended
        await pool.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield made[0]
    finally:
        made[0].server.should_exit = True
        thread.join(20)


async def _complete(_: str) -> None:
    """No run is backfilled here."""


@asynccontextmanager
async def _served(app: ASGIApp, dsn: str, maintenance: str) -> AsyncIterator[tuple[Site, asyncio.Task[None]]]:
    asked: list[str] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked.append(f"{scope['path']}?{scope['query_string'].decode()}")
        await app(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(noting, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield Site(url, Book(dsn), dsn, maintenance, server, asyncio.get_running_loop(), asked), serving
