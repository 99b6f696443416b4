"""Rows as frames of server-sent events: `id: <seq>`, `event: message`, `data: <json>`.

The JSON comes from Postgres: its keys are the table's columns (without `dedupe_key`), times are RFC 3339 in UTC,
numbers are those of `attrs` to the last digit. It holds no line break, so one `data:` line takes it whole. [J19]
Characters that end a line for Unicode but not in server-sent events (NEL, LS, PS) are escaped, since some readers split
at them all the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, LiteralString

from pytest_agog.reference.comms.events import selecting
from pytest_agog.reference.comms.models import Selector

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import AsyncConnection

HEARTBEAT: Final = b": heartbeat\n\n"
PAGE: Final = 500
"""Rows that are read at once."""
WEIGHT: Final = 256_000
"""Bytes of content after which a page ends, so that a few large messages do not fill memory."""
_LINE_ENDS: Final = tuple((character, f"\\u{ord(character):04x}") for character in "\x85\u2028\u2029")
_SELECT: Final[LiteralString] = """
    SELECT seq, (
        SELECT to_json(told) FROM (
            SELECT id, seq, workflow_uid, workflow_name, workflow_namespace, run_id, step_id, agent_id, channel, stage,
                   role, kind, content, "timestamp", attrs, stream_seq, created_at
        ) AS told
    )::text
    FROM workflow_comms.agent_messages
"""


@dataclass(frozen=True, slots=True)
class Head:
    """A row as far as it matters to whom it goes."""

    seq: int
    size: int
    """Bytes of its content."""
    keys: tuple[Hashable, ...]
    """What its readers are filed under."""


def encode(seq: int, document: str) -> bytes:
    """The frame of a row whose JSON is `document`."""
    if not document.isascii():
        for character, escape in _LINE_ENDS:
            document = document.replace(character, escape)
    return b"id: %d\nevent: message\ndata: %s\n\n" % (seq, document.encode("utf-8", "replace"))


async def heads(connection: AsyncConnection, cursor: int) -> list[Head]:
    """Who wants the next rows behind `cursor`, in order; a page of them at most. Contents are not read."""
    from psycopg.sql import SQL

    query = SQL(
        "SELECT seq, octet_length(content), run_id, workflow_uid, workflow_namespace, channel "
        "FROM workflow_comms.agent_messages WHERE seq > %s ORDER BY seq LIMIT %s"
    )
    rows = await (await connection.execute(query, [cursor, PAGE])).fetchall()
    return [
        Head(int(seq), int(size), tuple(selecting.keys(run, uid, namespace, channel)))
        for seq, size, run, uid, namespace, channel in rows
    ]


async def of(connection: AsyncConnection, wanted: Sequence[int]) -> dict[int, bytes]:
    """The frames of rows; one that retention deleted meanwhile is left out."""
    from psycopg.sql import SQL

    query = SQL(_SELECT) + SQL("WHERE seq = ANY(%s)")
    rows = await (await connection.execute(query, [list(wanted)])).fetchall()
    return {int(seq): encode(int(seq), document) for seq, document in rows}


async def page(connection: AsyncConnection, selector: Selector, cursor: int, upto: int) -> tuple[int, bytes] | None:
    """The next frames for `selector` behind `cursor` and up to `upto`, and the row that they end with; None when there
    are no more."""
    from psycopg.sql import SQL

    condition, parameters = selecting.condition(selector)
    # How many rows make up the weight is asked first: the contents themselves are not read for that.
    sizes = SQL(
        "SELECT seq, sum(octet_length(content)) OVER (ORDER BY seq) - octet_length(content) FROM (SELECT seq, content "
        "FROM workflow_comms.agent_messages WHERE {} AND seq > %s AND seq <= %s ORDER BY seq LIMIT %s) AS next"
    ).format(condition)
    rows = await (await connection.execute(sizes, [*parameters, cursor, upto, PAGE])).fetchall()
    fitting = [int(seq) for seq, before in rows if before < WEIGHT]
    if not fitting:
        return None
    query = SQL(_SELECT) + SQL("WHERE {} AND seq > %s AND seq <= %s ORDER BY seq").format(condition)
    found = await (await connection.execute(query, [*parameters, cursor, fitting[-1]])).fetchall()
    return fitting[-1], b"".join(encode(int(seq), document) for seq, document in found)


async def beginning(
    connection: AsyncConnection, selector: Selector, upto: int, limit: int, since: datetime | None
) -> int:
    """The cursor in front of the newest `limit` rows of what is stored (that are not older than `since`).

    What is stored may reach beyond `upto`, where the hub is. For who asks now it is history all the same, also when the
    hub is a moment late.
    """
    from psycopg.sql import SQL

    condition, parameters = selecting.condition(selector)
    bound = SQL("") if since is None else SQL(' AND "timestamp" >= %s')
    query = SQL(
        "WITH stored AS (SELECT greatest(%s, coalesce(max(seq), 0)) AS last FROM workflow_comms.agent_messages) "
        "SELECT (SELECT min(seq) FROM (SELECT seq FROM workflow_comms.agent_messages "
        "WHERE {} AND seq <= (SELECT last FROM stored){} ORDER BY seq DESC LIMIT %s) AS newest), "
        "(SELECT last FROM stored)"
    ).format(condition, bound)
    given = [upto, *parameters, *([] if since is None else [since]), limit]
    row = await (await connection.execute(query, given)).fetchone()
    if row is None:
        return upto
    return int(row[1]) if row[0] is None else int(row[0]) - 1
