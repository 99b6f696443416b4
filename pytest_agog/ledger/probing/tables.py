"""Postgres tables as the ledger sees them: columns, indexes, rows.

Names are parameters or quoted identifiers, never SQL text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.sql import Composed

MOST_ROWS: Final = 1_000_000
MOST_BYTES: Final = 512_000_000
_PATIENCE: Final = 5
"""Seconds for a connection; statements have six times as long."""
_AS_THEY_ARE: Final[Mapping[str, str]] = {}

_FIND: Final = """
    SELECT c.oid::bigint, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = %(table)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND CASE WHEN %(schema)s::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = %(schema)s END
"""
_COLUMNS: Final = """
    SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
    WHERE attrelid = %s::bigint::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_INDEXES: Final = """
    SELECT array_agg(coalesce(a.attname::text, pg_catalog.pg_get_indexdef(i.indexrelid, k.n, true)) ORDER BY k.n)
    FROM pg_catalog.pg_index i
    CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::int) AS k(n)
    LEFT JOIN pg_catalog.pg_attribute a
      ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n - 1] AND i.indkey[k.n - 1] > 0
    WHERE i.indrelid = %s::bigint::oid AND i.indisvalid
    GROUP BY i.indexrelid ORDER BY i.indexrelid
"""


class Unanswered(Exception):
    """The table cannot be looked at; the message says why."""


@dataclass(frozen=True, slots=True)
class TableShape:
    """Columns with their types, and the columns of each index."""

    columns: dict[str, str]
    indexes: tuple[tuple[str, ...], ...]


class Tables:
    """Looks at the tables of one database, over one connection that reads only and is made when it is needed."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    async def shape(self, name: str, told: Mapping[str, str] = _AS_THEY_ARE) -> TableShape | None:
        """What table `name` looks like, None when there is none. Columns in `told` are called as it says.

        Raises:
            psycopg.Error: Postgres is away, or refused.
        """
        async with self._lock:
            connection = await self._connected()
            found = await _find(connection, name)
            if found is None:
                return None
            columns = await (await connection.execute(_COLUMNS, [found[0]])).fetchall()
            indexes = await (await connection.execute(_INDEXES, [found[0]])).fetchall()
        return TableShape(
            {told.get(column, column): kind for column, kind in columns},
            tuple(tuple(told.get(column, column) for column in row[0]) for row in indexes),
        )

    async def rows(self, name: str, columns: Sequence[str], told: Mapping[str, str] = _AS_THEY_ARE) -> list[bytes]:
        """All rows of table `name` as JSON objects with these columns (all when empty); times in UTC.

        Columns in `told` are called as it says, here and in `columns`.

        Raises:
            Unanswered: there is no such table or column, or there is too much in it.
            psycopg.Error: Postgres is away, or refused.
        """
        async with self._lock:
            connection = await self._connected()
            found = await _find(connection, name)
            if found is None:
                raise Unanswered(f"there is no table {name}")
            chosen = await _chosen(connection, found[0], columns, told)
            query = _rows_query(found[1], name.rpartition(".")[2], chosen)
            try:
                return await _copy(connection, query, name)
            except Unanswered:
                await self._drop()  # in the midst of COPY: cheaper to hang up than to read on
                raise

    async def close(self) -> None:
        """Let go of the connection."""
        async with self._lock:
            await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> AsyncConnection[Any]:
        from psycopg import AsyncConnection

        if self._connection is not None and (self._connection.closed or self._connection.broken):
            await self._drop()
        if self._connection is None:
            self._connection = await AsyncConnection.connect(
                self._dsn, autocommit=True, connect_timeout=_PATIENCE, client_encoding="UTF8"
            )
            await self._connection.execute(
                "SELECT set_config('default_transaction_read_only', 'on', false), set_config('TimeZone', 'UTC', false),"
                " set_config('statement_timeout', %s, false)",
                [f"{_PATIENCE * 6}s"],
            )
        return self._connection


async def _find(connection: AsyncConnection[Any], name: str) -> tuple[int, str] | None:
    schema, _, table = name.rpartition(".")
    cursor = await connection.execute(_FIND, {"schema": schema or None, "table": table})
    return await cursor.fetchone()


async def _copy(connection: AsyncConnection[Any], query: Composed, name: str) -> list[bytes]:
    rows: list[bytes] = []
    size = 0
    async with connection.cursor() as cursor, cursor.copy(query) as copy:
        async for row in copy:
            # COPY doubles backslashes; JSON holds no control character that it would write otherwise.
            line = bytes(row).rstrip(b"\n").replace(b"\\\\", b"\\")
            rows.append(line)
            size += len(line)
            if len(rows) > MOST_ROWS or size > MOST_BYTES:
                raise Unanswered(f"table {name} holds more than {MOST_ROWS:,} rows or {MOST_BYTES // 10**6} MB")
    return rows


async def _chosen(
    connection: AsyncConnection[Any], table: int, columns: Sequence[str], told: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The columns to read, and how each is to be called; none means all as they are."""
    if not told:
        return [(column, column) for column in columns]
    own = {name: column for column, name in told.items()}
    if columns:
        return [(own.get(column, column), column) for column in columns]
    every = await (await connection.execute(_COLUMNS, [table])).fetchall()
    return [(column, told.get(column, column)) for column, _ in every]


def _rows_query(schema: str, table: str, columns: Sequence[tuple[str, str]]) -> Composed:
    from psycopg import sql

    one = sql.SQL("{} AS {}")
    chosen = sql.SQL(", ").join(one.format(sql.Identifier(own), sql.Identifier(told)) for own, told in columns)
    return sql.SQL("COPY (SELECT row_to_json(t) FROM (SELECT {} FROM {} LIMIT {}) AS t) TO STDOUT").format(
        chosen if columns else sql.SQL("*"), sql.Identifier(schema, table), sql.Literal(MOST_ROWS + 1)
    )
