"""How many replicas streams get when nobody says: three in a cluster, else one; what is there stays."""

from __future__ import annotations

from pathlib import Path

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


async def test_a_server_of_its_own_gets_one(engine: DeliverableEngine) -> None:
    assert set((await _copies(engine)).values()) == {1}
