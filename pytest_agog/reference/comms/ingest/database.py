"""A connection to Postgres that is made anew when it broke, within bounded time also where packets vanish."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from pytest_agog.errors import PostgresUnreachable
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from psycopg import AsyncConnection

CONNECT_TIMEOUT: Final = 3
"""Seconds."""
_CUT: Final = 8_000
"""Milliseconds of silence after which a connection counts as cut."""
_FROZEN: Final = 5_000
"""Milliseconds that a transaction may wait for its client. Who stands still in the midst of one, or whose host is gone
without a word, holds the turn of all others (`storing.take_turn`); only Postgres itself can end that."""
_LIMIT: Final = "SELECT set_config('idle_in_transaction_session_timeout', %s, false)"


async def open_connection(dsn: str, *, name: str = "agog comms") -> AsyncConnection:
    """A connection that commits each statement by itself.

    Raises:
        PostgresUnreachable: there is none to be had.
    """
    import psycopg

    try:
        async with asyncio.timeout(CONNECT_TIMEOUT + 1):
            made = await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT, fallback_application_name=name,
                keepalives_idle=3, keepalives_interval=1, keepalives_count=4, tcp_user_timeout=_CUT,
            )  # fmt: skip
            try:
                # A statement, and not the parameter `options`: that would replace those of the DSN.
                await made.execute(_LIMIT, (str(_FROZEN),))
            except BaseException:
                await made.close()
                raise
            return made
    except psycopg.Error as error:
        raise PostgresUnreachable(dsn=mask(dsn), reason=told(error)) from None
    except TimeoutError:
        raise PostgresUnreachable(dsn=mask(dsn), reason=f"no answer within {CONNECT_TIMEOUT} s") from None


def told(error: Exception) -> str:
    """The first line of what Postgres says, without the statement that it is about."""
    diagnosis = getattr(error, "diag", None)
    text = (getattr(diagnosis, "message_primary", None) or str(error)).strip()
    return mask(text.splitlines()[0]) if text else type(error).__name__


async def let_go(connection: AsyncConnection | None) -> None:
    """Close it, without waiting for an answer of a server that gives none."""
    if connection is not None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1):
                await connection.close()
