"""The few connections that all readers of one service share. [J18]"""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final

import psycopg
from psycopg_pool import AsyncConnectionPool

SIZE: Final = 4
PATIENCE: Final = 2.0
"""Seconds that a request waits for a connection; then Postgres counts as away."""
STATEMENT_PATIENCE: Final = 10_000
"""Milliseconds that a query may take."""
_FROZEN: Final = 10_000
"""Milliseconds that a transaction may wait for its client: a backfill that stands still must not hold up ingest."""
_CUT: Final = 8_000
_SET: Final = """
    SELECT set_config('statement_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false),
           set_config('timezone', 'UTC', false)
"""


class Pool(AsyncConnectionPool):
    """A connection that broke is noticed before it is handed out, and the next one is tried at once.

    psycopg's own check pauses for a second after the second broken one, and for two after the third: after a restart of
    Postgres all are broken.
    """

    async def getconn(self, timeout: float | None = None) -> psycopg.AsyncConnection:  # noqa: ASYNC109 - psycopg's
        """A connection that answers.

        Raises:
            psycopg_pool.PoolTimeout: there was none within `timeout` seconds.
        """
        deadline = monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            connection = await super().getconn(max(0.0, deadline - monotonic()))
            try:
                await self.check_connection(connection)
            except psycopg.Error:
                await connection.close()
                await self.putconn(connection)
            except BaseException:
                await self.putconn(connection)
                raise
            else:
                return connection


async def _configure(connection: psycopg.AsyncConnection) -> None:
    # Statements, and not the parameter `options`: that would replace those of the DSN.
    await connection.execute(_SET, (str(STATEMENT_PATIENCE), str(_FROZEN)))


def make_pool(dsn: str) -> Pool:
    """A pool that is not open yet."""
    # It would warn of each attempt; the service tells of an outage once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    return Pool(
        dsn,
        min_size=0,
        max_size=SIZE,
        open=False,
        timeout=PATIENCE,
        # A failed attempt is made once more a second later, and not at ever longer intervals.
        reconnect_timeout=0,
        max_idle=60,
        configure=_configure,
        kwargs={
            "autocommit": True,
            "connect_timeout": 2,
            "application_name": "agog-comms events",
            "keepalives_idle": 3,
            "keepalives_interval": 1,
            "keepalives_count": 4,
            "tcp_user_timeout": _CUT,
        },
    )
