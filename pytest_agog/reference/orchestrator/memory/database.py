"""The one connection that a memory has to Postgres: made when it is needed, made anew when it broke. [O20]"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_agog.errors import AgogError, MemoryAway, MemoryRefused
from pytest_agog.masking import mask
from pytest_agog.reference.comms.ingest.database import let_go, open_connection, told
from pytest_agog.reference.comms.migrating import Series, migrate, pending
from pytest_agog.reference.orchestrator.memory import vectors

if TYPE_CHECKING:
    from psycopg import AsyncConnection

SCHEMA: Final = "agog_memory"
SERIES: Final = Series(SCHEMA, "pytest_agog.reference.orchestrator.memory")
_STATEMENT: Final = "SELECT set_config('statement_timeout', '10s', false), set_config('timezone', 'UTC', false)"
_T = TypeVar("_T")
Work = Callable[["AsyncConnection"], Awaitable[_T]]


class Database:
    """Runs work on a connection, one after the other. Work has to bear being done twice."""

    def __init__(self, dsn: str, *, wants_vectors: bool) -> None:
        self._dsn = dsn
        self._wants_vectors = wants_vectors
        self._lock = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._migrated = False
        self.vectors: str | None = None
        """The schema that pgvector is in; None without it, and before the first connection."""

    async def run(self, work: Work[_T], what: str) -> _T:
        """Do `work`; once more on a new connection when the old one turns out broken.

        Raises:
            MemoryAway: Postgres cannot be reached, or is not as it has to be.
            MemoryRefused: it does not take what `work` gives it; `what` says what that was.
        """
        import psycopg

        async with self._lock:
            while True:
                fresh = self._connection is None
                connection = await self._connected()
                try:
                    return await work(connection)
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    await self._drop()
                    if fresh:
                        raise self._away(told(error)) from None
                except psycopg.Error as error:
                    if isinstance(error, (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)):
                        self._migrated = False  # somebody emptied the database, or restored one
                        await self._drop()
                        if not fresh:
                            continue
                    raise MemoryRefused(dsn=mask(self._dsn), what=what, reason=told(error)) from None
                except asyncio.CancelledError:
                    await self._drop()  # nobody knows what it is in the midst of
                    raise

    async def open(self) -> None:
        """Connect, with tables as they have to be.

        Raises:
            MemoryAway: there is no Postgres, or it cannot be migrated.
        """
        async with self._lock:
            await self._connected()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._drop()

    async def _connected(self) -> AsyncConnection:
        import psycopg

        if self._connection is not None:
            return self._connection
        made: AsyncConnection | None = None
        try:
            made = await open_connection(self._dsn, name="agog memory")
            if not self._migrated:
                await asyncio.to_thread(self._migrate)
                self.vectors = await vectors.prepare(made) if self._wants_vectors else None
                self._migrated = True
            await made.execute(_STATEMENT)
        except psycopg.Error as error:
            await let_go(made)
            raise self._away(told(error)) from None
        except AgogError as error:
            await let_go(made)
            raise self._away(str(error.details.get("reason") or error)) from None
        except BaseException:
            await let_go(made)
            raise
        self._connection = made
        return made

    def _migrate(self) -> None:
        # One who may not make schemas can use one that is complete.
        if pending(self._dsn, SERIES):
            migrate(self._dsn, SERIES)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        await let_go(connection)

    def _away(self, reason: str) -> MemoryAway:
        return MemoryAway(dsn=mask(self._dsn), reason=mask(reason))
