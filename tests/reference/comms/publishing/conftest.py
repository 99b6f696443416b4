"""A nats-server for each test with the stream of agent comms, a spool of its own, and what the stream holds."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from pytest_agog.reference.comms.publishing.publisher import CommsPublisher
from pytest_agog.reference.comms.publishing.speaker import Speaker
from pytest_agog.reference.comms.publishing.spool import Spool
from pytest_agog.stage.servers.nats import NatsServer

STREAM = "agent-comms"
RUN = "agentrun.ns.flow.uid-1.agent.roy"
ROY = Speaker(agent_id="roy", workflow_uid="uid-1", workflow_name="flow", workflow_namespace="ns")


@dataclass(frozen=True)
class Held:
    """One message of the stream."""

    subject: str
    headers: dict[str, str]
    payload: dict[str, Any]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def stream(server: NatsServer) -> NatsServer:
    """The server with the stream."""
    client = Client()
    await client.connect(server.url)
    await client.jetstream().add_stream(StreamConfig(name=STREAM, subjects=["argo.workflow.>", "agentrun.>"]))
    await client.close()
    return server


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool" / "comms.jsonl", server="test")


Reads = Callable[[], Awaitable[list[Held]]]


@pytest.fixture
def held(stream: NatsServer) -> Reads:
    """Reads everything that the stream holds, in order."""

    async def read() -> list[Held]:
        client = Client()
        await client.connect(stream.url)
        try:
            jetstream = client.jetstream()
            last = (await jetstream.stream_info(STREAM)).state.last_seq
            found = []
            for sequence in range(1, last + 1):
                message = await jetstream.get_msg(STREAM, sequence)
                found.append(
                    Held(str(message.subject), dict(message.headers or {}), json.loads(message.data or b"null"))
                )
            return found
        finally:
            await client.close()

    return read


@pytest.fixture
def publisher(stream: NatsServer, spool: Spool) -> CommsPublisher:
    return CommsPublisher(stream.url, speaker=ROY, spool=spool)
