"""Keys that hold the time when a stream was made, after that stream was made again. [X5, J05]

A message without an id is told apart by its stream's creation time and its sequence. A restored stream has its old
sequences and a new creation time, so what it delivers again would look new. Hence the rows of messages that are on the
restored stream get the keys that they would get now; a restored message finds its row, and is stored once.

Rows of messages that came after the stream was copied keep their keys: their sequences will be given out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_agog.wire.comms_rows import dedupe_key_by_position

if TYPE_CHECKING:
    from psycopg import Connection

_BATCH: Final = 5_000
_ROWS: Final = """
    SELECT dedupe_key, stream_seq FROM workflow_comms.agent_messages WHERE stream_seq BETWEEN %s AND %s
"""
_UPDATE: Final = """
    UPDATE workflow_comms.agent_messages m SET dedupe_key = k.new
    FROM unnest(%s::text[], %s::text[]) AS k(old, new) WHERE m.dedupe_key = k.old
"""
_REJECTED: Final = """
    UPDATE workflow_comms.rejected_messages SET stream_created = %s::timestamptz
    WHERE stream = %s AND stream_created = %s::timestamptz AND stream_seq BETWEEN %s AND %s
"""


def rekey(connection: Connection, stream: str, *, before: str, now: str, first: int, last: int) -> int:
    """Give rows of `stream` between the sequences `first` and `last` the keys of its new creation time.

    Returns how many rows of messages were changed.

    Raises:
        psycopg.Error: nothing can be kept of this transaction.
    """
    connection.execute(_REJECTED, (now, stream, before, first, last))
    changed = 0
    with connection.cursor("agog_rekey") as rows:
        rows.itersize = _BATCH
        rows.execute(_ROWS, (first, last))
        while batch := rows.fetchmany(_BATCH):
            keys = [
                (key, dedupe_key_by_position(now, seq))
                for key, seq in batch
                if key == dedupe_key_by_position(before, seq)
            ]
            if keys:
                connection.execute(_UPDATE, ([old for old, _ in keys], [new for _, new in keys]))
                changed += len(keys)
    return changed
