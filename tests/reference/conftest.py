"""A real nats-server of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.stage.servers.nats import NatsServer


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A nats-server with nothing on it."""
    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def link(nats_server: NatsServer) -> AsyncIterator[Link]:
    """A connection to it; all streams of the contract are there."""
    made = await connect(nats_server.url)
    await init_streams(made)
    yield made
    await made.close()
