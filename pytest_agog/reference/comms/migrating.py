"""Numbered SQL files, applied in one transaction under an advisory lock; each once, and never changed."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final, LiteralString

from pytest_agog.errors import MigrationFailed, MigrationsAltered, PostgresUnreachable
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from psycopg import Connection
    from psycopg.sql import Composed

SCHEMA: Final = "workflow_comms"
_LOCK: Final = int.from_bytes(hashlib.sha256(b"agog migrations").digest()[:8], "big", signed=True)
_CONNECT_TIMEOUT: Final = 2
_LIMIT: Final = "SET LOCAL idle_in_transaction_session_timeout = '10s'"
"""One that stands still in the midst of migrating would keep all others from starting."""
_BOOKS: Final[LiteralString] = """
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE IF NOT EXISTS {schema}.schema_migrations (
        name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Series:
    """Migrations that belong together, and the schema that they make."""

    schema: str = SCHEMA
    package: str = "pytest_agog.reference.comms"
    """Its folder `migrations` holds the files."""

    def sql(self, statement: LiteralString) -> Composed:
        """`statement` with the schema's name for `{schema}`."""
        from psycopg.sql import SQL, Identifier

        return SQL(statement).format(schema=Identifier(self.schema))


COMMS: Final = Series()


def migrations(series: Series = COMMS) -> list[Migration]:
    """The files that ship with this version, in their order."""
    folder = resources.files(series.package) / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [Migration(file.name, file.read_text("utf-8")) for file in files]


def key(series: Series = COMMS) -> str:
    """Names the schema that all migrations lead to: it changes when any of them does."""
    whole = "".join(f"{migration.name}:{migration.digest}\n" for migration in migrations(series))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def migrate(dsn: str, series: Series = COMMS) -> list[str]:
    """Apply what is missing; returns the names of what was applied.

    Raises:
        PostgresUnreachable: no connection within 2 s, or it was lost.
        MigrationFailed: nothing was changed.
        MigrationsAltered: a migration that was applied has other content here.
    """
    import psycopg

    done: list[str] = []
    current = "schema_migrations"
    with _connection(dsn) as connection:
        try:
            with connection.transaction():
                connection.execute(_LIMIT)
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                connection.execute(series.sql(_BOOKS))
                for migration in _missing(connection, dsn, series):
                    current = migration.name
                    connection.execute(migration.sql.encode())
                    connection.execute(
                        series.sql("INSERT INTO {schema}.schema_migrations (name, digest) VALUES (%s, %s)"),
                        (migration.name, migration.digest),
                    )
                    done.append(migration.name)
        except psycopg.OperationalError as error:
            raise PostgresUnreachable(dsn=mask(dsn), reason=_first_line(error)) from None
        except psycopg.Error as error:
            raise MigrationFailed(
                name=current, dsn=mask(dsn), reason=_first_line(error), schema=series.schema
            ) from None
    return done


def build(connection: Connection, names: Collection[str], series: Series = COMMS) -> None:
    """Apply just the migrations `names` in the transaction that `connection` is in, where there is no such schema.

    Raises:
        psycopg.Error: nothing can be kept of that transaction.
    """
    connection.execute(series.sql(_BOOKS))
    for migration in migrations(series):
        if migration.name in names:
            connection.execute(migration.sql.encode())
            connection.execute(
                series.sql("INSERT INTO {schema}.schema_migrations (name, digest) VALUES (%s, %s)"),
                (migration.name, migration.digest),
            )


def pending(dsn: str, series: Series = COMMS) -> list[str]:
    """The names of what `migrate` would apply. Changes nothing."""
    import psycopg

    with _connection(dsn) as connection:
        try:
            return [migration.name for migration in _missing(connection, dsn, series)]
        except psycopg.Error as error:
            raise PostgresUnreachable(dsn=mask(dsn), reason=_first_line(error)) from None


def applied(connection: Connection, series: Series = COMMS) -> dict[str, str] | None:
    """Names and digests of what was applied; None where there is no such schema.

    The table is looked for first: a query that fails would stand as an error in the log of a server that is well.

    Raises:
        psycopg.Error: Postgres is away, or refuses.
    """
    row = connection.execute("SELECT to_regclass(%s)", (f"{series.schema}.schema_migrations",)).fetchone()
    if row is None or row[0] is None:
        return None
    rows = connection.execute(series.sql("SELECT name, digest FROM {schema}.schema_migrations")).fetchall()
    return {str(name): str(digest) for name, digest in rows}


def _missing(connection: Connection, dsn: str, series: Series) -> list[Migration]:
    there = applied(connection, series) or {}
    missing = []
    for migration in migrations(series):
        if migration.name not in there:
            missing.append(migration)
        elif there[migration.name] != migration.digest:
            raise MigrationsAltered(name=migration.name, dsn=mask(dsn))
    return missing


@contextmanager
def _connection(dsn: str) -> Iterator[Connection]:
    import psycopg

    try:
        connection = psycopg.connect(dsn, connect_timeout=_CONNECT_TIMEOUT)
    except psycopg.Error as error:
        raise PostgresUnreachable(dsn=mask(dsn), reason=_first_line(error)) from None
    try:
        yield connection
    finally:
        connection.close()


def _first_line(error: Exception) -> str:
    text = mask(str(error).strip())
    return text.splitlines()[0] if text else type(error).__name__
