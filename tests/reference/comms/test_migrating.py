from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest

from pytest_agog.errors import Exit, MigrationFailed, MigrationsAltered, PostgresUnreachable
from pytest_agog.reference.comms.migrating import key, migrate, migrations, pending
from pytest_agog.stage.servers.postgres import PostgresServer
from pytest_agog.wire import tables


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("migrating") / "postgres") as server:
        yield server


@pytest.fixture
def dsn(postgres: PostgresServer) -> str:
    return postgres.create_database(f"migrating_{uuid4().hex[:12]}")


def rows(dsn: str, query: LiteralString, *arguments: object) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query, arguments).fetchall()


def test_migrations_are_applied_once(dsn: str) -> None:
    names = [migration.name for migration in migrations()]
    assert pending(dsn) == names
    assert migrate(dsn) == names
    assert migrate(dsn) == []
    assert pending(dsn) == []


def test_asking_what_is_pending_leaves_no_error_in_the_servers_log(postgres: PostgresServer, dsn: str) -> None:
    before = postgres.log_tail(1000).count("schema_migrations")
    assert pending(dsn) != []
    assert postgres.log_tail(1000).count("schema_migrations") == before


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.name)
def test_the_tables_are_those_of_the_contract(dsn: str, table: tables.Table) -> None:
    migrate(dsn)
    columns = rows(
        dsn,
        "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        table.qualified,
    )
    assert {name: (kind, nullable) for name, kind, nullable in columns} == {
        column.name: (column.type, column.nullable) for column in table.columns
    }
    indexes = rows(
        dsn,
        "SELECT indisunique, array(SELECT attname::text FROM unnest(indkey) WITH ORDINALITY k(n, o)"
        " JOIN pg_attribute ON attrelid = indrelid AND attnum = k.n ORDER BY k.o)"
        " FROM pg_index WHERE indrelid = %s::regclass",
        table.qualified,
    )
    found = {(unique, tuple(names)) for unique, names in indexes if isinstance(names, list)}
    assert found >= {(True, names) for names in table.unique} | {(False, names) for names in table.indexes}
    assert {names for unique, names in found if unique} == set(table.unique)


def test_the_database_generates_what_it_should(dsn: str) -> None:
    migrate(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        insert = "INSERT INTO workflow_comms.agent_messages (content, timestamp, dedupe_key) VALUES ('', now(), %s)"
        connection.execute(insert, ("a",))
        connection.execute(insert, ("b",))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(insert, ("a",))
    found = rows(dsn, "SELECT seq, id, attrs, created_at FROM workflow_comms.agent_messages ORDER BY seq")
    assert [row[0] for row in found] == [1, 2]
    assert found[0][2] == {}
    assert None not in found[0]


def test_many_at_once_apply_each_once(dsn: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = [name for names in pool.map(migrate, [dsn] * 4) for name in names]
    assert applied == [migration.name for migration in migrations()]


def test_an_altered_migration_is_refused(dsn: str) -> None:
    migrate(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE workflow_comms.schema_migrations SET digest = 'other'")
    for step in (migrate, pending):
        with pytest.raises(MigrationsAltered, match="0001_agent_messages"):
            step(dsn)


def test_a_failure_changes_nothing(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE SCHEMA workflow_comms")
        connection.execute("CREATE TABLE workflow_comms.rejected_messages (id int)")
    with pytest.raises(MigrationFailed, match="already exists") as caught:
        migrate(dsn)
    assert "\n" not in str(caught.value)
    assert rows(dsn, "SELECT to_regclass('workflow_comms.agent_messages')") == [(None,)]


def test_nobody_there() -> None:
    with pytest.raises(PostgresUnreachable, match="refused") as caught:
        migrate("postgresql://me:secret@127.0.0.1:1/agog")
    assert "secret" not in str(caught.value)
    assert caught.value.exit_code == Exit.UNREACHABLE


def test_the_key_is_stable_and_short() -> None:
    assert key() == key()
    assert len(key()) == 16
