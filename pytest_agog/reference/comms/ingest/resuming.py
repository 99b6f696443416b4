"""Where a consumer that was deleted begins again: after what is stored, not with a week of messages. [C4, J10, J11]

A stream that was made anew counts from one again, so only what was stored from this stream counts: rejected messages
name the stream's creation time, rows are compared by the time when they were stored. NATS and Postgres have clocks of
their own, so the difference of the two is measured and taken into account.

Several workers store side by side, and one that dies may leave a hole below the highest stored sequence. So the start
is the first hole among the last `WINDOW` sequences (as many as may be unacked); what is read twice is stored once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from psycopg import AsyncConnection

WINDOW: Final = 20_000
_LAG: Final = timedelta(hours=1)
_ROWS: Final = """
    SELECT stream_seq FROM workflow_comms.agent_messages
    WHERE stream_seq BETWEEN %(first)s AND %(last)s
      AND created_at >= %(created)s::timestamptz + %(skew)s::interval
    ORDER BY seq DESC LIMIT %(most)s
"""
_REJECTED: Final = """
    SELECT stream_seq FROM workflow_comms.rejected_messages
    WHERE stream = %(stream)s AND stream_created = %(created)s::timestamptz
      AND stream_seq BETWEEN %(first)s AND %(last)s
    ORDER BY id DESC LIMIT %(most)s
"""
_NEWEST: Final = """
    SELECT min(least(created_at, "timestamp")) FROM (
        SELECT created_at, "timestamp" FROM workflow_comms.agent_messages WHERE stream_seq IS NOT NULL
        ORDER BY seq DESC LIMIT 1000) newest
"""


@dataclass(frozen=True, slots=True)
class StreamSight:
    """What is known of the stream at one moment."""

    name: str
    created: str
    """RFC 3339, nanoseconds."""
    first: int
    last: int
    server_time: str
    """The server's clock when it answered."""
    seen: float
    """`time.monotonic()` when the answer came."""

    @classmethod
    def of(cls, info: dict[str, Any]) -> StreamSight:
        """From an answer of `STREAM.INFO`."""
        state = info["state"]
        return cls(
            info["config"]["name"], info["created"], int(state["first_seq"]), int(state["last_seq"]),
            info.get("ts") or datetime.now(UTC).isoformat(), time.monotonic(),
        )  # fmt: skip


async def deliver_policy(connection: AsyncConnection, sight: StreamSight | None) -> dict[str, Any]:
    """The fields of a consumer's configuration that say where it starts; all messages when nothing was stored yet.

    Without the right to look at the stream (`sight` None) it starts by time: an hour before the newest rows, since a
    sequence without its stream's creation time could leave out messages of a stream made anew.

    Raises:
        psycopg.Error: Postgres cannot say.
    """
    if sight is None:
        cursor = await connection.execute(_NEWEST)
        found = await cursor.fetchone()
        if found is None or found[0] is None:
            return {"deliver_policy": "all"}
        try:
            start = found[0] - _LAG
        except OverflowError:
            return {"deliver_policy": "all"}
        if start.year < 1970:
            return {"deliver_policy": "all"}
        return {"deliver_policy": "by_start_time", "opt_start_time": start.astimezone(UTC).isoformat()}
    after = await _stored_without_hole(connection, sight)
    if after is None:
        return {"deliver_policy": "all"}
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": after + 1}


async def _stored_without_hole(connection: AsyncConnection, sight: StreamSight) -> int | None:
    """The highest sequence up to which all is stored, as far as the window goes; None when nothing is."""
    cursor = await connection.execute("SELECT clock_timestamp() - %s::timestamptz", (sight.server_time,))
    row = await cursor.fetchone()
    assert row is not None
    skew = row[0] - timedelta(seconds=time.monotonic() - sight.seen)
    # Sequences above the stream's last one belong to nothing that is there: the stream lost its end in a crash.
    values = {
        "stream": sight.name, "created": sight.created, "skew": skew, "most": 2 * WINDOW, "first": 1,
        "last": sight.last,
    }  # fmt: skip
    stored: set[int] = set()
    for query in (_ROWS, _REJECTED):
        cursor = await connection.execute(query, values)
        stored.update(seq for (seq,) in await cursor.fetchall())
    if not stored:
        return None
    highest = max(stored)
    for seq in range(max(sight.first, highest - WINDOW + 1, 1), highest):
        if seq not in stored:
            return seq - 1
    return highest
