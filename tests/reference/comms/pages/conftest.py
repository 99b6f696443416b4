from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.stage.servers.postgres import PostgresServer
from tests.reference.comms.pages.site import Site, site


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("pages") / "postgres") as server:
        yield server


@pytest.fixture
def service(postgres: PostgresServer) -> Iterator[Site]:
    """The pages of an empty database."""
    dsn = postgres.create_database(f"pages_{uuid4().hex[:12]}")
    migrate(dsn)
    with site(dsn, postgres.dsn()) as running:
        yield running
