"""One Postgres for the module; each test has a run of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest

from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.stage.servers.postgres import PostgresServer


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with PostgresServer(tmp_path_factory.mktemp("backfill") / "postgres") as server:
        address = server.create_database("backfill")
        migrate(address)
        yield address


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as open_one:
        yield open_one


@pytest.fixture
def run_id() -> str:
    return f"run-{uuid4().hex[:12]}"
