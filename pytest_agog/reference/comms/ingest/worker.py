"""One ingest worker: intake from NATS, and behind it preparing and storing, each working on a batch of its own. [C5]"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.errors import PostgresUnreachable
from pytest_agog.masking import mask
from pytest_agog.reference.comms.ingest.batches import Entry, prepare, store_all
from pytest_agog.reference.comms.ingest.consumer import Consumer
from pytest_agog.reference.comms.ingest.counters import Counters
from pytest_agog.reference.comms.ingest.database import let_go, open_connection, told
from pytest_agog.reference.comms.ingest.deliveries import Held
from pytest_agog.reference.comms.ingest.intake import Intake
from pytest_agog.reference.comms.ingest.resuming import StreamSight, deliver_policy
from pytest_agog.reference.comms.ingest.state import Health, Pause
from pytest_agog.reference.comms.settings import CommsSettings

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_BATCH: Final = 1_000
_BATCH_BYTES: Final = 12 * 1024 * 1024
_LAST_BATCH: Final = 2.0
"""Seconds that a batch has for its commit when the worker is told to stop."""


class Worker:
    """Runs until cancelled; then the batch that is being stored is finished, and the rest given back."""

    def __init__(
        self, settings: CommsSettings, consumer: Consumer, health: Health, counters: Counters, *, number: int = 1
    ) -> None:
        suffix = "" if number == 1 else f" (worker {number})"
        self._settings = settings
        self._health = health
        self._counters = counters
        self._part = f"postgres{suffix}"
        self._held = Held()
        self._intake = Intake(
            settings, consumer, self._held, health, counters, self._where_to_start, part=f"nats{suffix}"
        )
        self._connection: AsyncConnection | None = None
        self._pause = Pause()
        health.expect(self._part)

    async def run(self) -> None:
        """Ingest."""
        prepared: asyncio.Queue[list[Entry]] = asyncio.Queue(1)
        storing = asyncio.create_task(self._storing(prepared))
        others = [asyncio.create_task(self._intake.run()), asyncio.create_task(self._preparing(prepared))]
        try:
            await asyncio.wait([storing, *others], return_when=asyncio.FIRST_COMPLETED)
            for task in (storing, *others):
                if task.done():
                    task.result()
        finally:
            others[1].cancel()
            await self._stop(storing)
            others[0].cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await let_go(self._connection)

    async def _stop(self, storing: asyncio.Task[None]) -> None:
        """The batch in hand is finished if it can be; acks and what is given back still go over the connection."""
        storing.cancel()
        await asyncio.gather(storing, return_exceptions=True)
        await self._intake.give_back()

    # --- from held to stored --------------------------------------------------------------------------------------
    async def _preparing(self, prepared: asyncio.Queue[list[Entry]]) -> None:
        while True:
            batch = await self._held.take(_BATCH, _BATCH_BYTES)
            await prepared.put(await prepare(batch, stream=self._settings.stream))

    async def _storing(self, prepared: asyncio.Queue[list[Entry]]) -> None:
        await self._connected()  # readiness tells of Postgres before the first message comes
        while True:
            entries = await prepared.get()
            work = asyncio.create_task(self._store(entries))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                done, _ = await asyncio.wait([work], timeout=_LAST_BATCH)
                if not done:
                    work.cancel()
                    await asyncio.gather(work, return_exceptions=True)
                raise

    async def _store(self, entries: list[Entry]) -> None:
        """Store and ack one batch, however often Postgres goes away meanwhile."""
        import psycopg

        loop = asyncio.get_running_loop()
        while True:
            connection = await self._connected()
            begun = loop.time()
            try:
                stored = await store_all(connection, entries, stream=self._settings.stream)
            except psycopg.Error as error:
                self._health.bad(
                    self._part, PostgresUnreachable(dsn=mask(self._settings.postgres_dsn), reason=told(error))
                )
                await let_go(connection)
                await self._pause.wait()
                continue
            self._health.good(self._part)
            self._pause.reset()
            self._counters.stored(
                messages=len(entries), inserted=stored.inserted, duplicates=stored.duplicates,
                rejected=stored.rejected, seconds=loop.time() - begun,
            )  # fmt: skip
            await self._intake.ack([each.delivery for each in entries])
            return

    async def _connected(self) -> AsyncConnection:
        while self._connection is None or self._connection.closed:
            try:
                self._connection = await open_connection(self._settings.postgres_dsn, name="agog ingest")
            except PostgresUnreachable as error:
                self._health.bad(self._part, error)
                await self._pause.wait()
            else:
                self._health.good(self._part)
        return self._connection

    async def _where_to_start(self, sight: StreamSight | None) -> dict[str, Any]:
        import psycopg

        connection = await open_connection(self._settings.postgres_dsn)
        try:
            return await deliver_policy(connection, sight)
        except psycopg.Error as error:
            raise PostgresUnreachable(dsn=mask(self._settings.postgres_dsn), reason=told(error)) from None
        finally:
            await let_go(connection)
