"""A real nats-server for each test that wants one, one Postgres for all, and recorders that end with their test."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording.recorder import Recorder
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer


async def quiet(_: Exception) -> None:
    """nats-py logs connection errors; here they are expected."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A running server with room for 12 MB messages."""
    running = NatsServer(tmp_path / "nats", NatsOptions(max_payload=13_000_000))
    running.start()
    yield running
    running.stop()


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    """A client of the test's own that reconnects by itself."""
    connected = await nats.connect(server.url, error_cb=quiet, reconnect_time_wait=0.02, max_reconnect_attempts=-1)
    yield connected
    # Closed while its server is away, nats-py's reconnecting task may miss its cancellation and go on for ever.
    connected.options["max_reconnect_attempts"] = 1
    await connected.close()


@pytest.fixture
async def record(server: NatsServer) -> AsyncIterator[Callable[..., Awaitable[tuple[Recorder, Ledger]]]]:
    """Start recording; stopped with the test."""
    started: list[Recorder] = []

    async def begin(*, baseline: bool = False, monitor_url: str | None = None) -> tuple[Recorder, Ledger]:
        ledger = Ledger()

        async def connect() -> Client:
            return await nats.connect(server.url, allow_reconnect=False, reconnect_time_wait=0.02, error_cb=quiet)

        recorder = Recorder(ledger, connect, baseline=baseline, monitor_url=monitor_url)
        started.append(recorder)
        await recorder.start()
        return recorder, ledger

    yield begin
    await asyncio.gather(*(recorder.stop() for recorder in started))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A running Postgres."""
    running = PostgresServer(tmp_path_factory.mktemp("postgres") / "server")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The address of an own, empty database."""
    name = f"ledger_{secrets.token_hex(4)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)
