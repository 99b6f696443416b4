"""Rows into Postgres: live ingest and backfill store through this one function. [C2, C3, C7]

Commit order is `seq` order. An identity column numbers rows when they are inserted, and two transactions may commit in
the other order; a reader that has seen the later number would then miss the earlier one for ever. So every insert first
takes one advisory lock that is held until commit: who gets a higher number got it after the lower one was committed.
Numbers may be left out (a duplicate uses one up), but they never appear late. [J14, J16]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, LiteralString

from pydantic_core import to_json

from pytest_agog.wire.comms_rows import Row
from pytest_agog.wire.tables import NOTIFY_CHANNEL

if TYPE_CHECKING:
    from psycopg import AsyncConnection

ORDER_LOCK: Final = 0x61676F67_636F6D73
"""Serialises inserts of everybody who stores through this function, in one database."""
_COLUMNS: Final = (
    "workflow_uid", "workflow_name", "workflow_namespace", "run_id", "step_id", "agent_id", "channel", "stage", "role",
    "kind", "content", "timestamp", "attrs", "dedupe_key", "stream_seq",
)  # fmt: skip
_INSERT: Final[LiteralString] = """
    INSERT INTO workflow_comms.agent_messages
        (workflow_uid, workflow_name, workflow_namespace, run_id, step_id, agent_id, channel, stage, role,
         kind, content, "timestamp", attrs, dedupe_key, stream_seq)
    SELECT * FROM unnest(
        %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
        %b::text[], %b::text[], %b::timestamptz[], %b::text[]::jsonb[], %b::text[], %b::bigint[])
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING seq
"""
_REJECT: Final[LiteralString] = """
    INSERT INTO workflow_comms.rejected_messages (stream, stream_created, stream_seq, subject, raw, reason)
    SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[], %s::text[], %s::bytea[], %s::text[])
    ON CONFLICT (stream, stream_created, stream_seq) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class RejectedMessage:
    """A message that cannot become a row, as it came."""

    stream: str
    stream_created: str
    """When the stream was made, RFC 3339."""
    stream_seq: int
    subject: str
    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What came of a batch."""

    inserted: int
    duplicates: int
    rejected: int
    last_seq: int | None
    """The highest new cursor, or None when nothing was new."""


async def take_turn(connection: AsyncConnection) -> None:
    """Hold all other inserts back until this transaction ends; whoever looks then sees every row there is.

    For one who must look before it stores; `store` itself takes the turn, too.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (ORDER_LOCK,))


async def store(connection: AsyncConnection, rows: Sequence[Row], rejected: Sequence[RejectedMessage] = ()) -> Stored:
    """Store a batch in one transaction, and tell listeners the highest new cursor; committed when it returns.

    Raises:
        psycopg.Error: nothing of the batch is stored.
    """
    inserted: list[int] = []
    async with connection.transaction():
        if rejected:
            await connection.execute(
                _REJECT,
                [[getattr(message, name) for message in rejected] for name in RejectedMessage.__slots__],
            )
        if rows:
            await take_turn(connection)
            cursor = await connection.execute(_INSERT, _columns(rows))
            inserted = [seq for (seq,) in await cursor.fetchall()]
            if inserted:
                await connection.execute("SELECT pg_notify(%s, %s)", (NOTIFY_CHANNEL, str(max(inserted))))
    return Stored(len(inserted), len(rows) - len(inserted), len(rejected), max(inserted, default=None))


def _columns(rows: Sequence[Row]) -> list[list[object]]:
    found: list[list[object]] = [[getattr(row, name) for row in rows] for name in _COLUMNS]
    found[_COLUMNS.index("attrs")] = [to_json(row.attrs).decode() for row in rows]
    return found
