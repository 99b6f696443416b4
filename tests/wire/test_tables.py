"""The tables as data agree with the migration that creates them."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from pytest_agog.wire import tables

TYPES = {"timestamptz": "timestamp with time zone"}


def migrations() -> str:
    folder = resources.files("pytest_agog.reference.comms").joinpath("migrations")
    files = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
    return re.sub(r"--[^\n]*", "", "\n".join(one.read_text(encoding="utf-8") for one in files))


def columns_in(sql: str, table: tables.Table) -> tuple[dict[str, tuple[str, bool]], set[tuple[str, ...]]]:
    """Columns with type and nullability, and unique sets of columns."""
    body = re.search(rf"CREATE TABLE {re.escape(table.qualified)} \((.*?)\n\);", sql, re.DOTALL)
    assert body is not None
    columns: dict[str, tuple[str, bool]] = {}
    unique: set[tuple[str, ...]] = set()
    for line in body[1].strip().split("\n"):
        words = line.strip().rstrip(",")
        if group := re.fullmatch(r"UNIQUE \((.*)\)", words):
            unique.add(tuple(group[1].split(", ")))
            continue
        name, kind, rest = re.match(r'"?(\w+)"?\s+(\w+)(.*)', words).groups()  # type: ignore[union-attr]
        columns[name] = (TYPES.get(kind, kind), not re.search("NOT NULL|PRIMARY KEY|IDENTITY", rest))
        if re.search("UNIQUE|PRIMARY KEY", rest):
            unique.add((name,))
    return columns, unique


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.name)
def test_the_migration_makes_these_tables(table: tables.Table) -> None:
    sql = migrations()
    columns, unique = columns_in(sql, table)
    assert columns == {column.name: (column.type, column.nullable) for column in table.columns}
    assert unique == set(table.unique)
    made = re.findall(rf"CREATE INDEX \w+ ON {re.escape(table.qualified)} \(([^)]*)\)", sql)
    assert {tuple(one.split(", ")) for one in made} >= set(table.indexes)


def test_tables_are_found_by_name() -> None:
    assert tables.by_name("workflow_comms.agent_messages") is tables.AGENT_MESSAGES
    assert tables.by_name("agent_messages") is None
    assert tables.AGENT_MESSAGES.types()["attrs"] == "jsonb"
