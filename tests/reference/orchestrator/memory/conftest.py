"""A memory in a database of its own, in a Postgres that all these tests share; an embedder that is really asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from pytest_agog.reference.orchestrator.memory.memory import Memory
from pytest_agog.stage.servers.postgres import PostgresServer
from tests.reference.orchestrator.memory.ollama import Ollama


@pytest.fixture(scope="package")
def shared_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("memory") / "postgres") as running:
        yield running


@pytest.fixture
def dsn(shared_postgres: PostgresServer) -> str:
    return shared_postgres.create_database(f"memory_{uuid4().hex[:12]}")


@pytest.fixture
async def memory(dsn: str) -> AsyncIterator[Memory]:
    async with Memory(dsn) as made:
        yield made


@pytest.fixture
async def ollama() -> AsyncIterator[Ollama]:
    async with Ollama() as running:
        yield running
