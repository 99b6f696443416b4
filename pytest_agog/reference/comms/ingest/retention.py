"""[C6] Old rows go: at the start and every hour, in batches that hold no lock for long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, LiteralString

from pytest_agog.errors import AgogError, PostgresUnreachable
from pytest_agog.masking import mask
from pytest_agog.reference.comms.ingest.counters import Counters
from pytest_agog.reference.comms.ingest.database import let_go, open_connection, told
from pytest_agog.reference.comms.ingest.state import LONGEST_PAUSE, Health
from pytest_agog.reference.comms.settings import DAY

if TYPE_CHECKING:
    from psycopg import AsyncConnection

SHORTEST: Final = 30 * DAY
LONGEST: Final = 90 * DAY
EVERY: Final = 3600.0
"""Seconds between two runs."""
BATCH: Final = 5_000
_LOCK: Final = 0x61676F67_72657465
"""One service at a time."""
_DELETES: Final[tuple[LiteralString, ...]] = (
    """DELETE FROM workflow_comms.agent_messages WHERE id = ANY(ARRAY(
           SELECT id FROM workflow_comms.agent_messages
           WHERE created_at < now() - make_interval(secs => %s) ORDER BY created_at LIMIT %s))""",
    """DELETE FROM workflow_comms.rejected_messages WHERE id = ANY(ARRAY(
           SELECT id FROM workflow_comms.rejected_messages
           WHERE received_at < now() - make_interval(secs => %s) ORDER BY received_at LIMIT %s))""",
)


async def retire(connection: AsyncConnection, seconds: float, *, batch: int = BATCH) -> int:
    """Delete what was stored more than `seconds` ago, rejected messages too; returns how many rows went.

    When another service is at it, nothing is done.

    Raises:
        psycopg.Error: batches that went are gone, the others stay for the next run.
    """
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return 0
    total = 0
    try:
        for statement in _DELETES:
            while (gone := (await connection.execute(statement, (seconds, batch))).rowcount) > 0:
                total += gone
                if gone < batch:
                    break
    finally:
        if not connection.closed:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return total


class Retention:
    """The job of one service."""

    part: Final = "retention"

    def __init__(self, dsn: str, seconds: float, health: Health, counters: Counters, *, every: float = EVERY) -> None:
        self._dsn = dsn
        self._seconds = seconds
        self._health = health
        self._counters = counters
        self._every = every

    async def run(self) -> None:
        """Run now and every hour; after a failure again soon."""
        while True:
            try:
                await self._once()
            except AgogError as error:
                self._health.bad(self.part, error)
                await asyncio.sleep(LONGEST_PAUSE)
                continue
            self._health.good(self.part)
            await asyncio.sleep(self._every)

    async def _once(self) -> None:
        import psycopg

        connection = await open_connection(self._dsn, name="agog retention")
        try:
            self._counters.add(retired=await retire(connection, self._seconds))
        except psycopg.Error as error:
            raise PostgresUnreachable(dsn=mask(self._dsn), reason=told(error)) from None
        finally:
            await let_go(connection)
