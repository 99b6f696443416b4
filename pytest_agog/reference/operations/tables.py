"""The tables of agent comms and of memory into files and back, by COPY. [X5]

Text as COPY writes it means the same to every version of Postgres, so a copy of one goes into another. All tables are
read in one repeatable-read transaction: they fit each other, whoever writes meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.errors import AgogError, BackupUnusable, PostgresUnreachable
from pytest_agog.masking import mask
from pytest_agog.reference.comms import migrating
from pytest_agog.reference.comms.migrating import Series
from pytest_agog.reference.operations.archive import SchemaCopy, SequenceCopy, TableCopy, file_name
from pytest_agog.reference.orchestrator.memory.database import SERIES as MEMORY
from pytest_agog.values import plural

if TYPE_CHECKING:
    from psycopg import Connection

SERIES: Final = (migrating.COMMS, MEMORY)
"""The schemas that are copied."""
_CONNECT_TIMEOUT: Final = 5
_BOOKS: Final = "schema_migrations"
_PIECE: Final = 2**20
_SETTINGS: Final = (
    "SET LOCAL client_encoding = 'UTF8'", "SET LOCAL datestyle = 'ISO, YMD'", "SET LOCAL intervalstyle = 'iso_8601'",
    "SET LOCAL timezone = 'UTC'", "SET LOCAL extra_float_digits = 3", "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0",
)  # fmt: skip
"""So that what is written does not depend on who reads."""
_TABLES: Final = """
    SELECT c.relname,
           array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = ''),
           array_agg(a.attname::text ORDER BY a.attnum) FILTER (
               WHERE pg_get_serial_sequence(format('%%I.%%I', n.nspname, c.relname), a.attname) IS NOT NULL
           ),
           c.relkind = 'p'
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    GROUP BY c.oid, c.relname, c.relkind
    ORDER BY (SELECT count(*) FROM pg_catalog.pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f'), c.relname
"""
"""Tables that refer to others come after those that do not."""
_WRITTEN: Final = """
    SELECT count(*) FROM pg_catalog.pg_sequences WHERE schemaname = %s AND last_value IS NOT NULL
"""
Tell = Callable[[int], None]


@contextmanager
def connected(dsn: str) -> Iterator[Connection]:
    """One transaction on `dsn`, committed when the block ends well.

    Raises:
        PostgresUnreachable: there is no connection, or it was lost.
        AgogError: Postgres refused something; nothing was changed.
    """
    import psycopg

    try:
        with psycopg.connect(dsn, connect_timeout=_CONNECT_TIMEOUT, application_name="agog backup") as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise PostgresUnreachable(dsn=mask(dsn), reason=_first_line(error)) from None
    except psycopg.Error as error:
        raise AgogError(
            f"Postgres at {mask(dsn)} refused the work ({_first_line(error)}); nothing in it was changed. Give a user "
            "that owns the schemas workflow_comms and agog_memory with --postgres-dsn or DATABASE_URL."
        ) from None


def _first_line(error: Exception) -> str:
    lines = mask(str(error).strip()).splitlines()
    return lines[0] if lines else type(error).__name__


def prepare(connection: Connection, *, reading: bool) -> None:
    """Settings of the transaction; `reading` makes it one sight of all tables that changes nothing."""
    if reading:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    for setting in _SETTINGS:
        connection.execute(setting)


# --- into files -------------------------------------------------------------------------------------------------------
def save(connection: Connection, folder: Path, tell: Tell) -> tuple[SchemaCopy, ...]:
    """Write the schemas that are there below `folder`.

    Raises:
        psycopg.Error, OSError: the copy is worth nothing.
    """
    numbers = iter(range(1, 10_000))
    passed = _Passed(tell)
    found = []
    for series in SERIES:
        applied = migrating.applied(connection, series)
        if applied is None:
            continue
        tables, sequences = [], []
        for name, columns, numbered, parted in connection.execute(_TABLES, (series.schema,)).fetchall():
            if name == _BOOKS:
                continue
            file = file_name("postgres", next(numbers), f"{series.schema}~{name}")
            statement = _copy_out(series, name, columns, parted=parted)
            tables.append(_write(connection, statement, name, columns, folder, file, passed))
            sequences += [_sequence(connection, series, name, column) for column in numbered or ()]
        found.append(
            SchemaCopy(name=series.schema, migrations=applied, tables=tuple(tables), sequences=tuple(sequences))
        )
    return tuple(found)


class _Passed:
    """Bytes of all tables so far."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._bytes = 0

    def add(self, length: int) -> None:
        self._bytes += length
        self._tell(self._bytes)


def _write(
    connection: Connection, statement: Any, name: str, columns: Sequence[str], folder: Path, file: str, passed: _Passed
) -> TableCopy:
    digest, size = hashlib.sha256(), 0
    with (folder / file).open("xb") as out, connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for piece in copy:
                out.write(piece)
                digest.update(piece)
                size += len(piece)
                passed.add(len(piece))
        rows = cursor.rowcount
    return TableCopy(name=name, columns=tuple(columns), rows=rows, file=file, size=size, digest=digest.hexdigest())


def _copy_out(series: Series, table: str, columns: Sequence[str], *, parted: bool) -> Any:
    """Rows of partitions Postgres copies only by a query; tables that inherit from another have their own copy."""
    from psycopg.sql import SQL, Identifier

    names = SQL(", ").join(map(Identifier, columns))
    whole = SQL("COPY (SELECT {} FROM {}) TO STDOUT") if parted else SQL("COPY (SELECT {} FROM ONLY {}) TO STDOUT")
    return whole.format(names, Identifier(series.schema, table))


def _copy_in(series: Series, table: str, columns: Sequence[str]) -> Any:
    from psycopg.sql import SQL, Identifier

    names = SQL(", ").join(map(Identifier, columns))
    return SQL("COPY {} ({}) FROM STDIN").format(Identifier(series.schema, table), names)


def _sequence(connection: Connection, series: Series, table: str, column: str) -> SequenceCopy:
    from psycopg.sql import SQL, Identifier

    name = _serial(connection, series, table, column)
    assert name is not None
    row = connection.execute(SQL("SELECT last_value, is_called FROM {}").format(Identifier(*name))).fetchone()
    assert row is not None
    return SequenceCopy(table=table, column=column, last_value=row[0], is_called=row[1])


def _serial(connection: Connection, series: Series, table: str, column: str) -> tuple[str, str] | None:
    """Schema and name of the sequence that numbers a column, if one does."""
    row = connection.execute(
        "SELECT n.nspname, c.relname"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = pg_get_serial_sequence(format('%%I.%%I', %s::text, %s::text), %s)::regclass",
        (series.schema, table, column),
    ).fetchone()
    return (str(row[0]), str(row[1])) if row is not None else None


# --- and back ---------------------------------------------------------------------------------------------------------
def check(schemas: Sequence[SchemaCopy], folder: Path) -> None:
    """Whether this version can take them.

    Raises:
        BackupUnusable: they are of a newer version, or of another making.
    """
    for schema in schemas:
        series = _series(schema, folder)
        known = {migration.name: migration.digest for migration in migrating.migrations(series)}
        strange = [name for name, digest in schema.migrations.items() if known.get(name) != digest]
        if strange:
            reason = f"schema {schema.name} was made by another version of agog (migration {strange[0]})"
            raise BackupUnusable(path=folder, reason=reason)


def _series(schema: SchemaCopy, folder: Path) -> Series:
    found = next((series for series in SERIES if series.schema == schema.name), None)
    if found is None:
        raise BackupUnusable(path=folder, reason=f"schema {schema.name[:60]} is none of agog's")
    return found


def written(connection: Connection, schemas: Sequence[SchemaCopy]) -> list[str]:
    """Those of `schemas` that hold what somebody wrote: numbers of theirs were given out."""
    found = []
    for schema in schemas:
        row = connection.execute(_WRITTEN, (schema.name,)).fetchone()
        if row is not None and row[0]:
            found.append(schema.name)
    return found


def bring_back(
    connection: Connection, schemas: Sequence[SchemaCopy], folder: Path, tell: Tell
) -> tuple[int, list[str]]:
    """Put everything in place of what is there, in the transaction of `connection`.

    Returns how many rows are back, and what was left out and why.

    Tables that are as they were when the copy was made are emptied, so that rights on them stay; otherwise the schema
    is made anew as it was then. `migrate` brings it up to date afterwards.

    Raises:
        psycopg.Error: nothing can be kept of this transaction.
    """
    rows = 0
    notes: list[str] = []
    passed = _Passed(tell)
    for schema in schemas:
        series = _series(schema, folder)
        _empty(connection, series, schema)
        there = {row[0]: row[1] for row in connection.execute(_TABLES, (series.schema,)).fetchall()}
        for table in schema.tables:
            if table.name not in there and not _made(connection, series, table):
                held = plural(table.rows, "row")
                notes.append(f"{schema.name}.{table.name} ({held}): this Postgres cannot have that table")
                continue
            _fill(connection, series, table, folder, passed)
            rows += table.rows
        for sequence in schema.sequences:
            known = sequence.column in there.get(sequence.table, ())
            name = _serial(connection, series, sequence.table, sequence.column) if known else None
            if name is not None:
                connection.execute(
                    "SELECT setval(format('%%I.%%I', %s::text, %s::text)::regclass, %s, %s)",
                    (*name, sequence.last_value, sequence.is_called),
                )
    return rows, notes


def _empty(connection: Connection, series: Series, schema: SchemaCopy) -> None:
    from psycopg.sql import SQL, Identifier

    if migrating.applied(connection, series) != schema.migrations:
        connection.execute(series.sql("DROP SCHEMA IF EXISTS {schema} CASCADE"))
        migrating.build(connection, schema.migrations, series)
    names = [row[0] for row in connection.execute(_TABLES, (series.schema,)).fetchall() if row[0] != _BOOKS]
    if names:
        tables = SQL(", ").join(Identifier(series.schema, name) for name in names)
        connection.execute(SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))


def _made(connection: Connection, series: Series, table: TableCopy) -> bool:
    """The one table that no migration makes: vectors, where pgvector is to be had."""
    import psycopg

    from pytest_agog.reference.orchestrator.memory import vectors

    if (series.schema, table.name) != (MEMORY.schema, "embeddings"):
        return False
    try:
        with connection.transaction():
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            row = connection.execute(
                "SELECT nspname FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace"
                " WHERE extname = 'vector'"
            ).fetchone()
            assert row is not None
            connection.execute(vectors.table(str(row[0])))
    except psycopg.OperationalError as error:
        if isinstance(error, psycopg.errors.UndefinedFile):
            return False
        raise
    except psycopg.Error:
        return False
    return True


def _fill(connection: Connection, series: Series, table: TableCopy, folder: Path, passed: _Passed) -> None:
    with (
        (folder / table.file).open("rb") as file,
        connection.cursor() as cursor,
        cursor.copy(_copy_in(series, table.name, table.columns)) as copy,
    ):
        while piece := file.read(_PIECE):
            copy.write(piece)
            passed.add(len(piece))
