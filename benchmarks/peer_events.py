"""The peer of `bench_events`: a service whose readers each query by themselves at every notification.

It has one listener and a pool, too, as anybody would; what it does not share is what is read. `python -m
benchmarks.peer_events DSN` prints its address and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator

import psycopg
import uvicorn
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pytest_agog.wire.tables import NOTIFY_CHANNEL

_QUERY = "SELECT * FROM workflow_comms.agent_messages WHERE run_id = %s AND seq > %s ORDER BY seq LIMIT 500"


class Service:
    """Wakes all readers at each notification."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool = AsyncConnectionPool(dsn, min_size=4, max_size=4, open=False, kwargs={"autocommit": True})
        self._told = asyncio.Event()

    async def listen(self) -> None:
        """Until cancelled."""
        await self._pool.open()
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            await connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
            async for _ in connection.notifies():
                self._told.set()
                self._told = asyncio.Event()

    async def events(self, request: Request) -> Response:
        """One reader."""
        return StreamingResponse(self._frames(request.query_params["runId"]), media_type="text/event-stream")

    async def _frames(self, run: str) -> AsyncIterator[bytes]:
        yield b": connected\n\n"
        cursor = 0
        while True:
            told = self._told
            async with self._pool.connection() as connection:
                made = connection.cursor(row_factory=dict_row)
                rows = await (await made.execute(_QUERY, [run, cursor])).fetchall()
            for row in rows:
                cursor = row["seq"]
                yield b"id: %d\nevent: message\ndata: %s\n\n" % (cursor, to_json(row))
            if not rows:
                await told.wait()


async def main(dsn: str) -> None:
    """Serve."""
    service = Service(dsn)
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    task = asyncio.create_task(service.listen())
    app = Starlette(routes=[Route("/api/agents/events", service.events)])
    await uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off")).serve(sockets=[listening])
    task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
