"""Ingest through what happens to services: deleted consumers, new streams, servers that die or pause. [C4]"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.settings import CONSUMER, STREAM
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer
from tests.reference.comms.conftest import PATIENCE, Comms, messages


async def exactly(comms: Comms, number: int) -> None:
    """All are stored and acked, each once."""
    await comms.stored(number)
    await comms.acked()
    [(distinct,)] = comms.rows("SELECT count(DISTINCT content) FROM workflow_comms.agent_messages")
    assert distinct == number


def make_younger(comms: Comms) -> None:
    """The rows are clearly younger than the stream: how the clocks differ is only known to a round trip."""
    comms.rows("UPDATE workflow_comms.agent_messages SET created_at = created_at + interval '10 s' RETURNING seq")


async def test_a_consumer_deleted_while_the_service_runs_goes_on_after_what_is_stored(comms: Comms) -> None:
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        await comms.publish(*messages(0, 20), b"bad")
        await exactly(comms, 20)
        make_younger(comms)
        await comms.js.delete_consumer(STREAM, CONSUMER)
        await comms.publish(*messages(20, 40))
        await exactly(comms, 40)
        counts = service.counts()
        assert (counts.consumers_created, counts.duplicates, counts.rejected) == (2, 0, 1)
    config = (await comms.js.consumer_info(STREAM, CONSUMER)).config
    assert config.opt_start_seq == 22


async def test_a_consumer_deleted_while_no_service_runs_goes_on_after_what_is_stored(comms: Comms) -> None:
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        await comms.publish(*messages(0, 20))
        await exactly(comms, 20)
    make_younger(comms)
    await comms.js.delete_consumer(STREAM, CONSUMER)
    await comms.publish(*messages(20, 30))
    async with comms.service() as service:
        await exactly(comms, 30)
        assert service.counts().received == 10


async def test_a_hole_below_the_highest_row_is_filled(comms: Comms) -> None:
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        await comms.publish(*messages(0, 20))
        await exactly(comms, 20)
    make_younger(comms)
    comms.rows("DELETE FROM workflow_comms.agent_messages WHERE stream_seq = 7 RETURNING seq")
    await comms.js.delete_consumer(STREAM, CONSUMER)
    async with comms.service():
        await exactly(comms, 20)
    assert (await comms.js.consumer_info(STREAM, CONSUMER)).config.opt_start_seq == 7


@pytest.mark.parametrize("running", [True, False])
async def test_a_stream_made_anew_is_stored_from_its_start(comms: Comms, running: bool) -> None:
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        await comms.publish(*messages(0, 20), *messages(100, 105))
        await exactly(comms, 25)
        if running:
            await comms.js.delete_stream(STREAM)
            await comms.until(lambda: service.counts().consumers_created == 2)
            await comms.publish(*messages(20, 50))
            await exactly(comms, 55)
    if not running:
        await comms.js.delete_stream(STREAM)
        await comms.js.add_stream(name=STREAM, subjects=["argo.workflow.>", "agentrun.>"])
        await comms.publish(*messages(20, 50))
        async with comms.service():
            await exactly(comms, 55)


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
async def test_nats_goes_and_comes(comms: Comms, server: NatsServer, signal: str) -> None:
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        await comms.publish(*messages(0, 100))
        await asyncio.to_thread(server.kill, signal)
        await comms.until(lambda: not service.readiness().ready)
        await asyncio.to_thread(server.restart if signal == "KILL" else lambda: server.kill("CONT"))
        await comms.publish(*messages(100, 200))
        await service.wait_ready(PATIENCE)
        await comms.stored(200)


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path / "postgres") as running:
        yield running


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
async def test_postgres_goes_and_comes(comms: Comms, own_postgres: PostgresServer, signal: str) -> None:
    comms.settings = replace(comms.settings, postgres_dsn=own_postgres.create_database("comms"))
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        await comms.publish(*messages(0, 100))
        await comms.stored(100)
        await asyncio.to_thread(own_postgres.kill, signal)
        await comms.publish(*messages(100, 200))
        if signal == "KILL":
            await comms.until(lambda: not service.readiness().ready)
            assert "Postgres" in str(service.readiness().parts)
        await asyncio.to_thread(own_postgres.restart if signal == "KILL" else lambda: own_postgres.kill("CONT"))
        await service.wait_ready(PATIENCE)
        await exactly(comms, 200)
        assert service.counts().duplicates == 0


async def test_an_ingest_whose_postgres_hangs_is_down_though_it_has_nothing_to_store(
    comms: Comms, own_postgres: PostgresServer
) -> None:
    comms.settings = replace(comms.settings, postgres_dsn=own_postgres.create_database("comms"))
    async with comms.service(http=True, port=0) as service:
        await service.wait_ready(PATIENCE)

        async def ingest(state: float) -> None:
            """Until metrics tell so; the next look is within five seconds."""
            async with asyncio.timeout(PATIENCE):
                while f'agog_part_up{{part="ingest"}} {state}\n' not in await asyncio.to_thread(_metrics, service):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

        await ingest(1.0)
        await asyncio.to_thread(own_postgres.kill, "STOP")
        await ingest(0.0)
        assert service.readiness().ready, "itself it has noticed nothing"
        await asyncio.to_thread(own_postgres.kill, "CONT")
        await ingest(1.0)


def _metrics(service: CommsService) -> str:
    with urllib.request.urlopen(f"{service.http_url}/metrics", timeout=PATIENCE) as answer:
        return str(answer.read().decode())


async def test_nothing_is_there_at_the_start(comms: Comms, server: NatsServer, own_postgres: PostgresServer) -> None:
    comms.settings = replace(comms.settings, postgres_dsn=own_postgres.create_database("comms"))
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(own_postgres.kill)
    async with comms.service() as service:
        await comms.until(lambda: "cannot be reached" in service.readiness().parts["migrations"])
        await asyncio.to_thread(own_postgres.start)
        await comms.until(lambda: "cannot be reached" in service.readiness().parts.get("nats", ""))
        await asyncio.to_thread(server.restart)
        await service.wait_ready(PATIENCE)
        await comms.publish(*messages(0, 5))
        await exactly(comms, 5)


async def test_a_killed_process_loses_nothing(comms: Comms) -> None:
    await comms.with_consumer(ack_wait=1)
    arguments = ["--nats-url", comms.settings.nats_url, "--postgres-dsn", comms.settings.postgres_dsn, "--no-http"]
    for number in range(3000):
        await comms.client.publish(
            "agentrun.ns.flow.uid.agent.roy.message", json.dumps({"id": str(number), "content": str(number)}).encode()
        )
    await comms.client.flush()
    command = [sys.executable, "-m", "pytest_agog", "serve", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: ASYNC220
        await comms.until(lambda: comms.count() > 0)
        process.kill()
    async with comms.service():
        await exactly(comms, 3000)
