"""A real nats-server with the streams of the contract, made with nothing but the definitions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client

from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import streams


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server without streams."""
    with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    """A connection to it, after every stream of the contract was created."""
    connection = await nats.connect(server.url)
    try:
        await create_streams(connection)
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def make_streams() -> Callable[[Client], Awaitable[None]]:
    """Creates the streams through a connection of one's own."""
    return create_streams


async def create_streams(client: Client) -> None:
    """Every stream of the contract, through the JetStream API alone."""
    for stream in streams.STREAMS:
        request: dict[str, Any] = {
            "name": stream.name,
            "subjects": list(stream.subjects),
            "retention": "limits",
            "storage": "file",
            "discard": "old",
            "allow_direct": True,
            "max_msgs": stream.max_msgs,
            "max_bytes": stream.max_bytes,
            "max_age": int(stream.max_age * 10**9),
            "max_msg_size": stream.max_msg_size,
            "num_replicas": stream.replicas,
            "duplicate_window": int(stream.duplicate_window * 10**9),
        }
        if stream.transform is not None:
            change = {"src": stream.transform.source, "dest": stream.transform.destination}
            request["subject_transform"] = change
        answer = await client.request(f"$JS.API.STREAM.CREATE.{stream.name}", json.dumps(request).encode())
        assert "error" not in json.loads(answer.data), answer.data
