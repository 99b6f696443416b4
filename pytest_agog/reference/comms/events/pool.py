"""The few connections that all readers of one service share. [J18]"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

SIZE: Final = 4
PATIENCE: Final = 2.0
"""Seconds that a request waits for a connection; then Postgres counts as away."""
STATEMENT_PATIENCE: Final = 10_000
"""Milliseconds that a query may take."""
_CUT: Final = 8_000


def make_pool(dsn: str) -> AsyncConnectionPool:
    """A pool that is not open yet; a connection that broke is noticed before it is handed out."""
    from psycopg_pool import AsyncConnectionPool

    return AsyncConnectionPool(
        dsn,
        min_size=0,
        max_size=SIZE,
        open=False,
        timeout=PATIENCE,
        # A failed attempt is over at once: the next request makes the next one, without an ever longer pause between.
        reconnect_timeout=0,
        max_idle=60,
        check=AsyncConnectionPool.check_connection,
        kwargs={
            "autocommit": True,
            "connect_timeout": 2,
            "application_name": "agog-comms events",
            "options": f"-c statement_timeout={STATEMENT_PATIENCE} -c timezone=UTC",
            "keepalives_idle": 3,
            "keepalives_interval": 1,
            "keepalives_count": 4,
            "tcp_user_timeout": _CUT,
        },
    )
