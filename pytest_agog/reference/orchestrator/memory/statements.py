"""The SQL of memory. Whatever comes from outside is a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, LiteralString, cast

from pytest_agog.reference.orchestrator.memory.model import Remembered

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_agog.reference.orchestrator.memory.layers import Layer

_COLUMNS: Final[LiteralString] = "id, agent, layer, kind, source, body, tags, data, pinned, happened, why"
REMEMBER: Final = """
    INSERT INTO agog_memory.memories (agent, layer, kind, source, body, tags, data, happened)
    VALUES (%(agent)s, %(layer)s, %(kind)s, %(source)s, %(body)s, %(tags)s, %(data)s, coalesce(%(happened)s, now()))
    ON CONFLICT (agent, kind, source) DO UPDATE SET source = EXCLUDED.source
    RETURNING id, body, xmax = 0
"""
"""The first one stays; what is there already is touched, so that its number comes back in any case, with whether it is
new."""
SUM_UP: Final = """
    INSERT INTO agog_memory.memories (agent, layer, kind, source, body, tags, data, happened, moved)
    VALUES (%(agent)s, %(layer)s, %(kind)s, %(source)s, %(body)s, %(tags)s, %(data)s, %(happened)s, now())
    ON CONFLICT (agent, kind, source) DO UPDATE SET
        layer = EXCLUDED.layer, body = EXCLUDED.body, tags = EXCLUDED.tags, data = EXCLUDED.data,
        happened = EXCLUDED.happened, moved = now()
    RETURNING id
"""
COMPOST: Final = """
    UPDATE agog_memory.memories SET layer = 'compost', pinned = false, why = %(why)s, moved = now()
    WHERE id = %(id)s RETURNING id
"""
MOVE: Final = """
    UPDATE agog_memory.memories SET layer = %(layer)s, moved = now()
    WHERE id = ANY(%(ids)s) AND NOT pinned AND layer <> 'compost'
"""
DROP: Final = "DELETE FROM agog_memory.memories WHERE id = ANY(%(ids)s) AND NOT pinned"
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('agog memory ' || %(agent)s, 0))"
AGENTS: Final = "SELECT DISTINCT agent FROM agog_memory.memories ORDER BY agent"
HEADERS: Final = "SELECT id, layer, kind, happened, pinned FROM agog_memory.memories WHERE agent = %(agent)s"
TO_SUM_UP: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM agog_memory.memories
    WHERE id = ANY(%(ids)s) AND layer IN ('recent', 'medium_term') AND NOT pinned FOR UPDATE
"""  # noqa: S608 - nothing in it comes from outside
EARLIER: Final = """
    SELECT data FROM agog_memory.memories
    WHERE agent = %(agent)s AND kind = %(kind)s AND source = %(source)s FOR UPDATE
"""
STALE: Final = "DELETE FROM agog_memory.embeddings WHERE id = %(id)s"
WITHOUT_VECTOR: Final = """
    SELECT id, body FROM agog_memory.memories m WHERE NOT EXISTS (
        SELECT FROM agog_memory.embeddings e WHERE e.id = m.id AND e.model = %(model)s
    ) ORDER BY layer = 'core' DESC, happened DESC, id DESC LIMIT %(limit)s
"""
NEWEST: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM (
        SELECT *, row_number() OVER (PARTITION BY layer ORDER BY pinned DESC, happened DESC, id DESC) AS place
        FROM agog_memory.memories WHERE agent = %(agent)s
    ) AS each WHERE place <= CASE layer WHEN 'core' THEN %(core)s ELSE %(others)s END ORDER BY layer, place
"""  # noqa: S608 - nothing in it comes from outside
COUNTS: Final = "SELECT layer, count(*) FROM agog_memory.memories WHERE agent = %(agent)s GROUP BY layer"
OF_KINDS: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM (
        SELECT *, row_number() OVER (PARTITION BY kind, data ->> 'lane' ORDER BY happened DESC, id DESC) AS place
        FROM agog_memory.memories WHERE agent = %(agent)s AND kind = ANY(%(kinds)s) AND layer <> 'compost'
    ) AS each WHERE place <= %(last)s ORDER BY happened DESC, id DESC
"""  # noqa: S608 - nothing in it comes from outside
_ASKED: Final[LiteralString] = """
    WITH asked AS (
        SELECT websearch_to_tsquery('pg_catalog.english', %(any)s)
               || websearch_to_tsquery('agog_memory.plain', %(any)s) AS any_of,
               websearch_to_tsquery('pg_catalog.english', %(whole)s)
               || websearch_to_tsquery('agog_memory.plain', %(whole)s) AS whole
    ), fitting AS (
        SELECT id, greatest(ts_rank(words, any_of, 1), 0.0001) AS rank, words @@ whole AS exact
        FROM agog_memory.memories, asked
        WHERE agent = %(agent)s AND layer = ANY(%(layers)s) AND words @@ (any_of || whole)
        ORDER BY exact DESC, rank DESC, happened DESC LIMIT %(candidates)s
    )
"""
BY_WORDS: Final[LiteralString] = f"""
    {_ASKED}
    SELECT {_COLUMNS}, rank, exact, NULL FROM fitting JOIN agog_memory.memories USING (id)
"""  # noqa: S608 - nothing in it comes from outside
BY_MEANING: Final[LiteralString] = f"""
    {_ASKED}, meant AS MATERIALIZED (
        SELECT id, 1 - (embedding OPERATOR({{vectors}}.<=>) %(vector)s::{{vectors}}.vector) AS closeness
        FROM agog_memory.embeddings JOIN agog_memory.memories USING (id)
        WHERE model = %(model)s AND agent = %(agent)s AND layer = ANY(%(layers)s)
    ), near AS (
        SELECT id FROM meant WHERE closeness <> 'NaN' ORDER BY closeness DESC LIMIT %(candidates)s
    )
    SELECT {_COLUMNS}, coalesce(rank, 0), coalesce(exact, false), nullif(closeness, 'NaN')
    FROM (SELECT id FROM fitting UNION SELECT id FROM near) AS found
    JOIN agog_memory.memories USING (id) LEFT JOIN fitting USING (id) LEFT JOIN meant USING (id)
"""  # noqa: S608 - nothing in it comes from outside


def remembered(row: tuple[Any, ...]) -> Remembered:
    """The memory in a row that begins with all columns."""
    number, agent, layer, kind, source, body, tags, data, pinned, happened, why = row[:11]
    return Remembered(
        int(number), str(agent), cast("Layer", layer), str(kind), str(source), str(body), tuple(map(str, tags)),
        data if isinstance(data, dict) else {}, bool(pinned), cast("datetime", happened), why,
    )  # fmt: skip
