"""Ingest as the user `jangar`, who may touch its one consumer only, and with credentials that are refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import nats
import pytest

from pytest_agog.reference.comms.settings import CONSUMER, STREAM, CommsSettings
from tests.guarded import Guarded
from tests.reference.comms.conftest import PATIENCE, Comms, messages


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Guarded]:
    with Guarded(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def guarded(server: Guarded, dsn: str) -> AsyncIterator[Comms]:
    client = await nats.connect(server.url_of("system"))
    yield Comms(CommsSettings(server.url_of("jangar"), dsn, http=False), client, client.jetstream())
    await client.close()


async def test_the_consumers_rights_are_enough(guarded: Comms) -> None:
    await guarded.js.add_stream(name=STREAM, subjects=["argo.workflow.>", "agentrun.>"])
    async with guarded.service() as service:
        await service.wait_ready(PATIENCE)
        await guarded.publish(*messages(0, 20), b"bad", {"content": "no id"})
        await guarded.stored(21)
        await guarded.acked()
        await guarded.js.delete_consumer(STREAM, CONSUMER)
        await guarded.publish(*messages(20, 30))
        await guarded.stored(31)
        await guarded.acked()
        await guarded.js.delete_stream(STREAM)
        await guarded.until(lambda: "No stream takes" in json.dumps(service.readiness().parts))
        await guarded.js.add_stream(name=STREAM, subjects=["argo.workflow.>", "agentrun.>"])
        await guarded.publish(*messages(30, 40))
        await guarded.stored(41)


async def test_refused_credentials_are_told(guarded: Comms, server: Guarded) -> None:
    guarded.settings = replace(guarded.settings, nats_url=server.url.replace("nats://", "nats://jangar:wrong@"))
    async with guarded.service() as service:
        await guarded.until(lambda: "refused the credentials" in service.readiness().parts.get("nats", ""))
        assert "wrong" not in json.dumps(service.readiness().parts)
