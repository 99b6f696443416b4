"""Three servers, one cluster: replicated streams survive the loss of any one server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pytest_agog.errors import UsageError
from pytest_agog.stage.connect import connect_nats
from pytest_agog.stage.servers.cluster import NatsCluster


async def test_a_replicated_stream_survives_the_loss_of_the_leader(tmp_path: Path) -> None:
    cluster = NatsCluster(tmp_path / "cluster")
    with cluster:
        assert len(cluster.url.split(",")) == cluster.replicas == 3
        client = await connect_nats(cluster.url)
        stream = client.jetstream()
        await stream.add_stream(name="s", subjects=["s"], num_replicas=3)
        await stream.publish("s", b"one")
        leader = cluster.leader
        assert leader is not None
        addresses = cluster.url
        await asyncio.to_thread(cluster.kill, "KILL", leader)
        assert [server.alive for server in cluster.servers].count(False) == 1
        async with asyncio.timeout(20):
            while True:
                try:
                    ack = await stream.publish("s", b"two", timeout=1, headers={"Nats-Msg-Id": "two"})
                    break
                except Exception:
                    await asyncio.sleep(0.05)
        assert ack.seq == 2
        await asyncio.to_thread(cluster.restart, leader)
        assert cluster.url == addresses
        assert all(server.alive for server in cluster.servers)
        assert cluster.leader is not None
        await client.close()
    assert not (tmp_path / "cluster").exists()
    assert not any(server.alive for server in cluster.servers)


async def test_two_clusters_side_by_side_stay_apart(tmp_path: Path) -> None:
    with NatsCluster(tmp_path / "a") as one, NatsCluster(tmp_path / "b") as other:
        client, stranger = await connect_nats(one.url), await connect_nats(other.url)
        await client.jetstream().add_stream(name="only-here", subjects=["x"], num_replicas=3)
        assert await stranger.jetstream().streams_info() == []
        await client.close()
        await stranger.close()
        with pytest.raises(UsageError, match="no number 4"):
            one.kill(server=4)
