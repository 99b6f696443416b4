"""How many replicas streams get when nobody says: three in a cluster, else one; what is there stays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pytest_agog.cli.diagnosis import Finding, diagnose
from pytest_agog.reference.comms.ingest.consumer import Consumer
from pytest_agog.reference.comms.settings import CommsSettings
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.orchestrator.messaging.bucket import Bucket
from pytest_agog.stage.servers.cluster import NatsCluster


async def _copies(engine: DeliverableEngine) -> dict[str, int]:
    streams = await engine.link.nc.jsm(timeout=30).streams_info()
    return {str(one.config.name): one.config.num_replicas or 0 for one in streams}


async def test_in_a_cluster_what_is_new_gets_three_and_what_is_there_stays(tmp_path: Path) -> None:
    with NatsCluster(tmp_path / "nats") as cluster:
        async with await DeliverableEngine.connect(cluster.url, within=30) as engine:
            await engine.link.nc.jetstream(timeout=30).add_stream(name="RESULTS", subjects=["results.>"])
            outcomes = {one.name: one for one in await engine.init_streams(update=True)}
            await Bucket(engine.link, "agog_state").open()
            copies = await _copies(engine)
            assert copies.pop("RESULTS") == 1
            assert set(copies.values()) == {3}
            assert outcomes["RESULTS"].as_defined
            assert all(one.as_defined for one in await engine.init_streams())

            changed = {one.name: one for one in await engine.init_streams(update=True, replicas=3)}
            assert (changed["RESULTS"].action, changed["RESULTS"].as_defined) == ("updated", True)


async def test_the_stream_that_ingest_makes_has_three_in_a_cluster(tmp_path: Path) -> None:
    async def from_the_beginning(_: object) -> dict[str, Any]:
        return {"deliver_policy": "all"}

    with NatsCluster(tmp_path / "nats") as cluster:
        async with await DeliverableEngine.connect(cluster.url, within=30) as engine:
            consumer = Consumer(CommsSettings(cluster.url, "postgresql://nowhere"))
            await consumer.ensure(engine.link, from_the_beginning)
            assert await _copies(engine) == {"agent-comms": 3}


async def test_a_server_of_its_own_gets_one(engine: DeliverableEngine) -> None:
    assert set((await _copies(engine)).values()) == {1}


async def test_doctor_names_a_server_that_is_away(tmp_path: Path) -> None:
    async def away() -> list[Finding]:
        return [one for one in await diagnose(cluster.url, None, None) if one.check.startswith("server ")]

    with NatsCluster(tmp_path / "nats") as cluster:
        async with await DeliverableEngine.connect(cluster.url, within=30) as engine:
            await engine.init_streams()
        assert await away() == []
        await asyncio.to_thread(cluster.kill, "KILL", 3)
        async with asyncio.timeout(60):
            while not (found := await away()):  # noqa: ASYNC110 - the others notice when it misses its turns
                await asyncio.sleep(0.05)
    assert found[0].check == f"server {cluster.servers[2].name}"
    assert (found[0].outcome, "with copies of" in found[0].found) == ("note", True)
