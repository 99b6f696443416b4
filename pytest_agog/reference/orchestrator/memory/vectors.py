"""Vectors in Postgres, where pgvector is or can be had. Each model has its own; they are never compared. [O20]

They are searched one by one: an agent's memories are some thousand, which takes milliseconds and misses none.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, LiteralString

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.sql import Composed

LOG: Final = logging.getLogger(__name__)
_LOCK: Final = int.from_bytes(hashlib.sha256(b"agog memory vectors").digest()[:8], "big", signed=True)
_WHERE: Final = (
    "SELECT nspname FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace"
    " WHERE extname = 'vector'"
)
_TABLE: Final[LiteralString] = """
    CREATE TABLE IF NOT EXISTS agog_memory.embeddings (
        id        bigint NOT NULL REFERENCES agog_memory.memories ON DELETE CASCADE,
        model     text NOT NULL,
        embedding {vectors}.vector NOT NULL,
        PRIMARY KEY (id, model)
    )
"""
_PUT: Final[LiteralString] = """
    INSERT INTO agog_memory.embeddings (id, model, embedding)
    SELECT id, %(model)s, %(vector)s::{vectors}.vector FROM agog_memory.memories
    WHERE id = %(id)s AND md5(body) = %(digest)s FOR KEY SHARE
    ON CONFLICT DO NOTHING
"""


async def prepare(connection: AsyncConnection) -> str | None:
    """The schema that pgvector is in, with the table for vectors made; None where there is no pgvector to be had."""
    import psycopg

    try:
        if (found := await _schema(connection)) is not None and await _there(connection):
            return found
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            found = await _schema(connection)
            if found is not None:
                await connection.execute(qualified(_TABLE, found))
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.UndefinedFile):
            raise
        LOG.warning(
            "memory searches by words alone: Postgres has no pgvector (%s); install it, or let its owner "
            "`CREATE EXTENSION vector`", str(error).strip().partition("\n")[0],
        )  # fmt: skip
        return None
    return found


async def _schema(connection: AsyncConnection) -> str | None:
    row = await (await connection.execute(_WHERE)).fetchone()
    return str(row[0]) if row else None


async def _there(connection: AsyncConnection) -> bool:
    row = await (await connection.execute("SELECT to_regclass('agog_memory.embeddings') IS NOT NULL")).fetchone()
    return bool(row and row[0])


def qualified(statement: LiteralString, schema: str) -> Composed:
    """`statement` with the schema of pgvector for `{vectors}`, wherever the search path leads."""
    from psycopg.sql import SQL, Identifier

    return SQL(statement).format(vectors=Identifier(schema))


def table(schema: str) -> Composed:
    """The statement that makes the table for vectors, with pgvector in `schema`."""
    return qualified(_TABLE, schema)


def literal(vector: Sequence[float]) -> str:
    """As pgvector reads it."""
    return f"[{','.join(map(repr, vector))}]"


async def put(
    connection: AsyncConnection, schema: str, model: str, found: Sequence[tuple[int, str, Sequence[float]]]
) -> None:
    """Keep vectors of memories, given as number, text and vector; of those that are still there with that text."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            qualified(_PUT, schema),
            [
                {"id": number, "model": model, "vector": literal(vector),
                 "digest": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()}
                for number, body, vector in found
            ],
        )  # fmt: skip
