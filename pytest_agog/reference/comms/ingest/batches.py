"""A batch of messages as rows and rejections, and into Postgres: whole, or without what Postgres refuses. [C3, J03]"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_agog.reference.comms.ingest.deliveries import Delivery
from pytest_agog.reference.comms.storing import RejectedMessage, Stored, store
from pytest_agog.wire.comms_rows import Rejection, Row, normalise

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_AT_ONCE: Final = 100
"""Messages between two looks at what else the event loop has to do."""
_DATA_CLASSES: Final = ("22", "23", "54")
"""SQLSTATE classes that speak about the data: data exception, integrity constraint, program limit exceeded."""
_INTERNAL: Final = "XX000"
"""What a value too large for one allocation ends as."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message and what it becomes."""

    delivery: Delivery
    row: Row | None
    rejected: RejectedMessage | None


async def prepare(batch: Sequence[Delivery], *, stream: str) -> list[Entry]:
    """What the messages become; other tasks have their turn in between."""
    entries = []
    for number, one in enumerate(batch, 1):
        entries.append(_entry(one, stream))
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return entries


def _entry(one: Delivery, stream: str) -> Entry:
    try:
        found = normalise(
            one.subject, one.data, stream_created=one.stream_created, stream_seq=one.seq, stored_at=one.stored_at
        )
    except Exception as error:  # whatever it is, this message must not hold up its neighbours
        return Entry(one, None, rejection(one, stream, f"unexpected: {type(error).__name__}"))
    if isinstance(found, Rejection):
        return Entry(one, None, rejection(one, stream, str(found)))
    return Entry(one, found, None)


def rejection(one: Delivery, stream: str, reason: str) -> RejectedMessage:
    """The message as it goes to `rejected_messages`; what a text column cannot hold is written as an escape."""
    return RejectedMessage(
        stream, one.stream_created, one.seq, _storable(one.subject), one.data, _storable(reason[:1000])
    )


def _storable(text: str) -> str:
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


async def store_all(connection: AsyncConnection, entries: Sequence[Entry], *, stream: str) -> Stored:
    """Store a batch. What Postgres refuses because of its data is halved until the message at fault stands alone.

    Raises:
        psycopg.Error: it is not the data's fault; what was not stored may be tried again.
    """
    import psycopg

    try:
        return await store(
            connection,
            [each.row for each in entries if each.row is not None],
            [each.rejected for each in entries if each.rejected is not None],
        )
    except (psycopg.Error, ValueError, OverflowError) as error:
        if connection.closed or not _about_data(error):
            raise
        if len(entries) == 1:
            return await _reject(connection, entries[0], stream, error)
    middle = len(entries) // 2
    first = await store_all(connection, entries[:middle], stream=stream)
    second = await store_all(connection, entries[middle:], stream=stream)
    return _sum(first, second)


async def _reject(connection: AsyncConnection, entry: Entry, stream: str, error: Exception) -> Stored:
    state = getattr(error, "sqlstate", None)
    # The server's own words may quote the content, or the statement.
    reason = f"postgres: {type(error).__name__}" + (f" ({state})" if state else "")
    return await store(connection, [], [rejection(entry.delivery, stream, reason)])


def _about_data(error: Exception) -> bool:
    import psycopg

    if not isinstance(error, psycopg.Error):
        return True
    if error.sqlstate is None:
        return isinstance(error, (psycopg.DataError, psycopg.ProgrammingError))
    return error.sqlstate[:2] in _DATA_CLASSES or error.sqlstate == _INTERNAL


def _sum(first: Stored, second: Stored) -> Stored:
    seqs = [each.last_seq for each in (first, second) if each.last_seq is not None]
    return Stored(
        first.inserted + second.inserted,
        first.duplicates + second.duplicates,
        first.rejected + second.rejected,
        max(seqs, default=None),
    )
