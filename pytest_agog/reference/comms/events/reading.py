"""Stored messages and runs, as pages and the list of runs read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString

from pytest_agog.reference.comms.events import selecting
from pytest_agog.reference.comms.models import RunSummary, Selector, StoredMessage

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

_COLUMNS: Final[LiteralString] = """
    id::text, seq, workflow_uid, workflow_name, workflow_namespace, run_id, step_id, agent_id, channel, stage, role,
    kind, content, "timestamp", attrs, stream_seq, created_at
"""
_NEWEST_RUNS: Final[LiteralString] = """
    WITH RECURSIVE names AS (
        (SELECT coalesce(run_id, workflow_uid) AS run FROM workflow_comms.agent_messages
         WHERE coalesce(run_id, workflow_uid) IS NOT NULL ORDER BY 1 LIMIT 1)
        UNION ALL
        SELECT (SELECT coalesce(run_id, workflow_uid) FROM workflow_comms.agent_messages
                WHERE coalesce(run_id, workflow_uid) > names.run ORDER BY 1 LIMIT 1)
        FROM names WHERE names.run IS NOT NULL
    )
    SELECT run FROM (
        SELECT run, (SELECT seq FROM workflow_comms.agent_messages
                     WHERE coalesce(run_id, workflow_uid) = run ORDER BY seq DESC LIMIT 1) AS last_seq
        FROM names WHERE run IS NOT NULL
    ) AS latest
    WHERE last_seq < %s ORDER BY last_seq DESC LIMIT %s
"""
"""Runs by their newest message. Names are found by jumping along the index from one to the next, so this takes time by
the number of runs and not by that of messages."""
_SUMMARIES: Final[LiteralString] = """
    SELECT coalesce(run_id, workflow_uid) AS run,
           (array_agg(workflow_uid ORDER BY seq DESC) FILTER (WHERE workflow_uid IS NOT NULL))[1],
           (array_agg(workflow_name ORDER BY seq DESC) FILTER (WHERE workflow_name IS NOT NULL))[1],
           (array_agg(workflow_namespace ORDER BY seq DESC) FILTER (WHERE workflow_namespace IS NOT NULL))[1],
           array_agg(DISTINCT agent_id) FILTER (WHERE agent_id IS NOT NULL),
           count(*),
           sum(octet_length(content)) / 4,
           sum(CASE WHEN jsonb_typeof(attrs->'usage'->'total_tokens') = 'number'
                    THEN (attrs->'usage'->>'total_tokens')::numeric
                    WHEN jsonb_typeof(attrs->'usage'->'input_tokens') = 'number'
                         OR jsonb_typeof(attrs->'usage'->'output_tokens') = 'number'
                    THEN coalesce(CASE jsonb_typeof(attrs->'usage'->'input_tokens') WHEN 'number'
                                  THEN (attrs->'usage'->>'input_tokens')::numeric END, 0)
                         + coalesce(CASE jsonb_typeof(attrs->'usage'->'output_tokens') WHEN 'number'
                                    THEN (attrs->'usage'->>'output_tokens')::numeric END, 0)
               END),
           (array_agg(left(coalesce(attrs->>'status', content), 100) ORDER BY seq DESC)
               FILTER (WHERE kind IN ('status', 'run-outcome') OR (kind = 'run-started')))[1],
           (array_agg(attrs->>'exit_code' ORDER BY seq DESC)
               FILTER (WHERE kind IN ('status', 'run-outcome') AND jsonb_typeof(attrs->'exit_code') = 'number'))[1],
           (array_agg(kind ORDER BY seq DESC) FILTER (WHERE kind IN ('status', 'run-outcome', 'run-started')))[1],
           min("timestamp"), max("timestamp"), max(seq)
    FROM workflow_comms.agent_messages
    WHERE coalesce(run_id, workflow_uid) = ANY(%s)
    GROUP BY 1
"""
_MOST: Final = 2**63 - 1
RUNNING: Final = "running"


class Reading:
    """Reads through the pool that all requests of a service share.

    All methods raise psycopg.Error when Postgres is away.
    """

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def messages(
        self,
        selector: Selector,
        *,
        after: int | None = None,
        before: int | None = None,
        since: datetime | None = None,
        limit: int,
    ) -> list[StoredMessage]:
        """At most `limit` messages in `seq` order: the first behind `after`, or else the newest before `before`."""
        from psycopg.sql import SQL

        condition, parameters = selecting.condition(selector)
        parts = [condition]
        for bound, value in (("seq > %s", after), ("seq < %s", before), ('"timestamp" >= %s', since)):
            if value is not None:
                parts.append(SQL(bound))
                parameters.append(value)
        direction = SQL("ASC" if after is not None else "DESC")
        query = SQL("SELECT {} FROM workflow_comms.agent_messages WHERE {} ORDER BY seq {} LIMIT %s").format(
            SQL(_COLUMNS), SQL(" AND ").join(parts), direction
        )
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(query, [*parameters, limit])).fetchall()
        found = [StoredMessage(*row) for row in rows]
        return found if after is not None else found[::-1]

    async def runs(self, *, limit: int = 200, before: int | None = None) -> list[RunSummary]:
        """The runs with the newest messages, newest first; `before` is the `last_seq` of the last one of a page."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_NEWEST_RUNS, [_MOST if before is None else before, limit])
            names = [run for (run,) in await cursor.fetchall()]
            rows = await (await connection.execute(_SUMMARIES, [names])).fetchall() if names else []
        found = {row[0]: _summary(row) for row in rows}
        return sorted((found[name] for name in names if name in found), key=lambda run: run.last_seq, reverse=True)

    async def run(self, run_id: str) -> RunSummary | None:
        """One run; None when none of its messages is there."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_SUMMARIES, [[run_id]])).fetchone()
        return None if row is None else _summary(row)

    async def newest(self) -> int:
        """The cursor of the newest message; 0 when there is none."""
        async with self._pool.connection() as connection:
            row = await (
                await connection.execute("SELECT coalesce(max(seq), 0) FROM workflow_comms.agent_messages")
            ).fetchone()
        return int(row[0]) if row is not None else 0


def _summary(row: Sequence[Any]) -> RunSummary:
    (
        run, uid, name, namespace, agents, messages, estimate, reported, status, exit_code, kind, first, last, last_seq,
    ) = row  # fmt: skip
    return RunSummary(
        run_id=run,
        workflow_uid=uid,
        workflow_name=name,
        workflow_namespace=namespace,
        agents=tuple(agents or ()),
        messages=int(messages),
        tokens=int(reported if reported is not None else estimate or 0),
        tokens_reported=reported is not None,
        status=RUNNING if kind in (None, "run-started") else _one_line(status),
        exit_code=_whole(exit_code),
        first_at=first,
        last_at=last,
        last_seq=int(last_seq),
    )


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())[:60] or RUNNING


def _whole(text: str | None) -> int | None:
    try:
        return None if text is None else int(float(text))
    except (ValueError, OverflowError):
        return None
