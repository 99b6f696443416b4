"""A nats-server for each test, with the streams of the contract, and an engine on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nats.aio.client import Client

from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.deliverables.watching import Outgoing
from pytest_agog.stage.servers.nats import NatsServer


@dataclass
class Watched:
    """Keeps what a watcher is told."""

    attempts: list[Outgoing] = field(default_factory=list)
    acks: list[tuple[int, str, int, bool]] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)

    def attempted(self, message: Outgoing) -> int:
        self.attempts.append(message)
        return len(self.attempts) - 1

    def acked(self, attempt: int, stream: str, sequence: int, duplicate: bool) -> None:
        self.acks.append((attempt, stream, sequence, duplicate))

    def refused(self, attempt: int, reason: str) -> None:
        self.refusals.append((attempt, reason))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
async def engine(server: NatsServer, watched: Watched) -> AsyncIterator[DeliverableEngine]:
    async with await DeliverableEngine.connect(server.url, watcher=watched) as connected:
        await connected.init_streams()
        yield connected


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    """A plain nats-py client: what another implementation would see."""
    client = Client()
    await client.connect(server.url, reconnect_time_wait=0.05)  # type: ignore[arg-type]  # nats-py takes fractions
    yield client
    await client.close()
