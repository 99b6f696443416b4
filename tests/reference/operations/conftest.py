"""A nats-server for each test, and a Postgres for the folder with a database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer
from pytest_agog.wire import users


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


class Guarded(NatsServer):
    """A server with the users of the contract; each password is the user's name."""

    def _configuration(self) -> dict[str, object]:
        permissions = [
            {"user": user.name, "password": user.name,
             "permissions": {"publish": list(user.publish), "subscribe": list(user.subscribe)}}
            for user in users.USERS
        ]  # fmt: skip
        return {**super()._configuration(), "authorization": {"users": permissions}}

    def url_of(self, user: str) -> str:
        return self.url.replace("nats://", f"nats://{user}:{user}@")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    running = Guarded(tmp_path / "guarded")
    with running:
        yield running
