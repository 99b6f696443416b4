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
    SELECT run, coalesce(newest.workflow_uid, sums.uid), coalesce(newest.workflow_name, sums.name),
           coalesce(newest.workflow_namespace, sums.namespace), sums.agents, sums.messages, sums.bytes / 4,
           sums.reported, told.words, told.exit_code, sums.error_at = sums.last_at, sums.first_at, sums.last_at,
           newest.seq
    FROM unnest(%s::text[]) AS run
    CROSS JOIN LATERAL (
        SELECT seq, workflow_uid, workflow_name, workflow_namespace FROM workflow_comms.agent_messages
        WHERE coalesce(run_id, workflow_uid) = run ORDER BY seq DESC LIMIT 1
    ) AS newest
    CROSS JOIN LATERAL (
        SELECT array_agg(agent_id ORDER BY agent_id) FILTER (WHERE agent_id IS NOT NULL) AS agents,
               sum(messages) AS messages, sum(bytes) AS bytes, sum(reported) AS reported, max(uid) AS uid,
               max(name) AS name, max(namespace) AS namespace, max(error_at) AS error_at, min(first_at) AS first_at,
               max(last_at) AS last_at
        FROM (
            SELECT agent_id, sum(times) AS messages, sum(times * size) AS bytes, sum(reported) AS reported,
                   max(uid) AS uid, max(name) AS name, max(namespace) AS namespace, max(error_at) AS error_at,
                   min(first_at) AS first_at, max(last_at) AS last_at
            FROM (
                SELECT agent_id, size, max(uid) AS uid, max(name) AS name, max(namespace) AS namespace,
                       CASE WHEN message_id IS NULL THEN count(*)
                            ELSE greatest(count(*) FILTER (WHERE general), count(*) FILTER (WHERE NOT general))
                       END AS times,
                       CASE WHEN message_id IS NULL THEN sum(used)
                            ELSE greatest(sum(used) FILTER (WHERE general), sum(used) FILTER (WHERE NOT general))
                       END AS reported,
                       min("timestamp") AS first_at, max("timestamp") AS last_at,
                       max("timestamp") FILTER (WHERE kind = 'error') AS error_at
                FROM (
                    SELECT agent_id, kind, octet_length(content) AS size, attrs->>'message_id' AS message_id,
                           channel IS NOT DISTINCT FROM 'general' AS general, "timestamp",
                           workflow_uid COLLATE "C" AS uid, workflow_name COLLATE "C" AS name,
                           workflow_namespace COLLATE "C" AS namespace,
                           CASE WHEN jsonb_typeof(attrs->'usage'->'total_tokens') = 'number'
                                THEN least(greatest((attrs->'usage'->>'total_tokens')::numeric, 0), 1e12)
                                WHEN jsonb_typeof(attrs->'usage'->'input_tokens') = 'number'
                                     OR jsonb_typeof(attrs->'usage'->'output_tokens') = 'number'
                                THEN coalesce(CASE jsonb_typeof(attrs->'usage'->'input_tokens') WHEN 'number'
                                     THEN least(greatest((attrs->'usage'->>'input_tokens')::numeric, 0), 1e12) END, 0)
                                   + coalesce(CASE jsonb_typeof(attrs->'usage'->'output_tokens') WHEN 'number'
                                     THEN least(greatest((attrs->'usage'->>'output_tokens')::numeric, 0), 1e12) END, 0)
                           END AS used
                    FROM workflow_comms.agent_messages WHERE coalesce(run_id, workflow_uid) = run
                ) AS said
                GROUP BY agent_id, kind, message_id, size
            ) AS events
            GROUP BY agent_id
        ) AS agents
    ) AS sums
    CROSS JOIN LATERAL (
        SELECT (array_agg(CASE kind WHEN 'run-started' THEN '' ELSE left(coalesce(attrs->>'status', content), 100) END
                          ORDER BY "timestamp" DESC, seq DESC))[1] AS words,
               (array_agg(left(attrs->>'exit_code', 20) ORDER BY "timestamp" DESC, seq DESC)
                FILTER (WHERE kind <> 'run-started' AND jsonb_typeof(attrs->'exit_code') = 'number'))[1] AS exit_code
        FROM workflow_comms.agent_messages
        WHERE coalesce(run_id, workflow_uid) = run AND kind IN ('status', 'run-outcome', 'run-started')
    ) AS told
"""
"""What a run said on the global channel too counts once, as its page shows it; the two copies are known by their id,
agent, kind and length. The last word is the one with the latest time, not the highest `seq`: backfill stores early
messages late."""
_MOST: Final = 2**63 - 1
RUNNING: Final = "running"
ERROR: Final = "error"
"""The status of a run as long as an error is the last that is known of it."""


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
        run, uid, name, namespace, agents, messages, estimate, reported, words, exit_code, error_is_last, first, last,
        last_seq,
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
        status=ERROR if error_is_last else " ".join((words or "").split())[:60] or RUNNING,
        exit_code=_whole(exit_code),
        first_at=first,
        last_at=last,
        last_seq=int(last_seq),
    )


def _whole(text: str | None) -> int | None:
    """An exit code as systems have it: 32 bits."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return int(value) if -(2**31) <= value < 2**32 else None
