"""A cluster that elects a leader is no missing stream: requests are repeated, and what is said of it is true."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pytest_agog.errors import JetStreamRefused, PublishFailed, StreamMissing
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.stage.servers.cluster import NatsCluster


async def _leader_of(engine: DeliverableEngine, cluster: NatsCluster, stream: str) -> int:
    info = await engine.link.nc.jetstream().stream_info(stream)
    assert info.cluster is not None
    return 1 + [server.name for server in cluster.servers].index(info.cluster.leader or "")


async def test_a_stream_whose_leader_was_lost_takes_reports_again(tmp_path: Path) -> None:
    with NatsCluster(tmp_path / "nats") as cluster:
        async with (
            await DeliverableEngine.connect(cluster.url, within=30) as patient,
            await DeliverableEngine.connect(cluster.url, within=0.5) as hasty,
        ):
            await patient.init_streams(replicas=3)
            before = await patient.publish("roy", "backend", "search", "# Before\n")
            leader = await _leader_of(patient, cluster, "agog_features_backend")
            await asyncio.to_thread(cluster.kill, "KILL", leader)
            with pytest.raises((PublishFailed, JetStreamRefused)) as failed:
                await hasty.publish("roy", "backend", "search", "# Never\n")
            assert "No stream" not in str(failed.value)
            after = await patient.publish("roy", "backend", "search", "# After\n")
            assert after.sequence == before.sequence + 1
            assert await patient.require(after.url) == "# After\n"
            with pytest.raises(StreamMissing):
                await patient.publish("nobody", "backend", "search", "# Lost\n")
