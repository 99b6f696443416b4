"""A nats-server for each test, and a Postgres for the folder with a database for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.orchestrator.memory.database import SERIES as MEMORY
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer
from tests.guarded import Guarded
from tests.reference.operations.systems import System


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def link(server: NatsServer) -> AsyncIterator[Link]:
    connected = await connect(server.url)
    yield connected
    await connected.close()


@pytest.fixture(scope="package")
def shared_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("operations") / "postgres") as running:
        yield running


@pytest.fixture
def dsn(shared_postgres: PostgresServer) -> str:
    return shared_postgres.create_database(f"kept_{uuid4().hex[:12]}")


@pytest.fixture
def other_dsn(shared_postgres: PostgresServer) -> str:
    """Where a backup goes back to."""
    return shared_postgres.create_database(f"back_{uuid4().hex[:12]}")


@pytest.fixture
async def here(server: NatsServer, link: Link, dsn: str) -> System:
    await asyncio.to_thread(migrate, dsn)
    await asyncio.to_thread(migrate, dsn, MEMORY)
    return System(server.url, link, dsn)


@pytest.fixture
async def there(tmp_path: Path, other_dsn: str) -> AsyncIterator[System]:
    """Another NATS and another database, both empty."""
    with NatsServer(tmp_path / "other") as server:
        link = await connect(server.url)
        yield System(server.url, link, other_dsn)
        await link.close()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    running = Guarded(tmp_path / "guarded")
    with running:
        yield running
