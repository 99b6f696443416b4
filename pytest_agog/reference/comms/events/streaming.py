"""One reader's stream: history in pages, then what the hub hands out, and a heartbeat when there is nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from psycopg_pool import PoolTimeout

from pytest_agog.reference.comms.events import frames
from pytest_agog.reference.comms.events.asking import Asked
from pytest_agog.reference.comms.events.hub import Hub, Subscription

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool
    from starlette.types import Receive, Scope, Send

HEARTBEAT_EVERY: Final = 5.0
"""Seconds."""
HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]
HEADERS_SHOWN: Final = [(name.decode(), value.decode()) for name, value in HEADERS]
_LOG = logging.getLogger(__name__)

_END: Final = 0.5
"""Seconds for the end of a stream to be taken: the service's stop waits for it."""


class EventStream:
    """An ASGI application that answers one request with events, until either side ends it.

    Its cursor is the last row that was sent, so that it can go on from the table whenever it fell behind the hub: at
    most a megabyte waits for a slow reader. When Postgres goes away in the midst of history the stream ends, and the
    reader resumes by id.
    """

    def __init__(self, asked: Asked, hub: Hub, pool: AsyncConnectionPool, start: int) -> None:
        self._asked = asked
        self._hub = hub
        self._pool = pool
        self._cursor = start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until the client is gone."""
        subscription, position = self._hub.join(self._asked.selector)
        gone = asyncio.ensure_future(_gone(receive))
        sending = asyncio.ensure_future(self._send(send, subscription, position))
        try:
            await asyncio.wait([gone, sending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(subscription)
            for task in (gone, sending):
                task.cancel()
            ends = await asyncio.gather(gone, sending, return_exceptions=True)
        for error in ends:
            if isinstance(error, Exception):
                _LOG.debug("a stream of events ended: %s", error)

    async def _send(self, send: Send, subscription: Subscription, position: int) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await _write(send, b": connected\n\n")
        try:
            await self._history(send, position)
            while True:
                waiting = None if subscription.behind else subscription.take(self._cursor)
                if waiting is not None:
                    self._cursor, data = waiting
                    await _write(send, data)
                elif subscription.behind:
                    await self._history(send, self._hub.rejoin(subscription))
                else:
                    await self._quiet(send, subscription)
        finally:
            with contextlib.suppress(TimeoutError):  # who does not read does not take the end either
                async with asyncio.timeout(_END):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _quiet(self, send: Send, subscription: Subscription) -> None:
        try:
            async with asyncio.timeout(HEARTBEAT_EVERY):
                await subscription.wake.wait()
        except TimeoutError:
            await _write(send, frames.HEARTBEAT)

    async def _history(self, send: Send, upto: int) -> None:
        """Everything between the cursor and `upto`. A connection is held only while a page is read."""
        while self._cursor < upto:
            try:
                async with self._pool.connection() as connection:
                    found = await frames.page(connection, self._asked.selector, self._cursor, upto)
            except PoolTimeout:
                if self._hub.listening:  # Postgres is there, and others are first
                    continue
                raise
            if found is None:
                self._cursor = upto
                return
            self._cursor, data = found
            await _write(send, data)


async def start(asked: Asked, pool: AsyncConnectionPool, upto: int) -> int:
    """The cursor in front of the first row that the reader gets.

    Raises:
        psycopg.Error: Postgres is away.
    """
    if asked.after is not None:
        return asked.after
    async with pool.connection() as connection:
        return await frames.beginning(connection, asked.selector, upto, asked.limit, asked.since)


async def _write(send: Send, data: bytes) -> None:
    if data:
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
