"""NATS's own figures: of several servers, of servers that are away, of none. Real nats-servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.observing import nats_monitor
from pytest_agog.reference.observing.exposition import Series, told
from pytest_agog.reference.observing.nats_monitor import NatsMonitor
from pytest_agog.stage.cluster import NatsCluster
from pytest_agog.stage.nats import NatsServer

EXPECTED = (("agent-comms", "jangar-agent-comms"),)


@pytest.fixture(autouse=True)
def _always_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_monitor, "FRESH", 0.0)


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def link(nats_server: NatsServer) -> AsyncIterator[Link]:
    made = await connect(nats_server.url)
    await init_streams(made)
    yield made
    await made.close()


async def test_what_is_expected_has_series_before_it_is_there(nats_server: NatsServer) -> None:
    monitor = NatsMonitor(nats_server.monitor_url, EXPECTED)
    assert (monitor.up, monitor.jetstream) == (False, False)
    await monitor.look()
    assert (monitor.up, monitor.jetstream) == (True, True)
    (stream,) = monitor.streams()
    (consumer,) = stream.consumers
    assert (stream.name, consumer.name, consumer.exists, consumer.pending) == ("agent-comms", EXPECTED[0][1], False, 0)


async def test_what_a_missing_consumer_leaves_is_all_that_there_is(nats_server: NatsServer, link: Link) -> None:
    for number in range(3):
        await link.nc.jetstream().publish("argo.workflow.w.general.status", b"{}", headers={"Nats-Msg-Id": str(number)})
    monitor = NatsMonitor(nats_server.monitor_url, EXPECTED)
    await monitor.look()
    stream = next(one for one in monitor.streams() if one.name == "agent-comms")
    assert (stream.messages, stream.last_sequence, stream.consumers[0].pending) == (3, 3, 3)
    assert next(iter(monitor.servers.values())).stored > 0


async def test_what_was_seen_last_stays_and_is_marked(nats_server: NatsServer, link: Link) -> None:
    await link.nc.jetstream().publish("argo.workflow.w.general.status", b"{}")
    await link.close()
    monitor = NatsMonitor(nats_server.monitor_url, EXPECTED)
    await monitor.look()
    await asyncio.to_thread(nats_server.kill)
    await monitor.look()
    assert (monitor.up, monitor.jetstream) == (False, False)
    (server,) = monitor.servers.values()
    assert server.number("mem") > 0
    assert next(one for one in monitor.streams() if one.name == "agent-comms").messages == 1
    shown = told(Series(monitor, {}))
    assert f'agog_nats_monitor_up{{url="{nats_server.monitor_url.removeprefix("http://")}"}} 0.0' in shown
    assert 'agog_nats_consumer_pending{consumer="jangar-agent-comms",stream="agent-comms"} 1.0' in shown


async def test_of_several_servers_each_stream_counts_once(tmp_path: Path) -> None:
    with NatsCluster(tmp_path / "cluster") as cluster:
        link = await connect(cluster.url)
        try:
            await init_streams(link, replicas=3)
            await link.nc.jetstream().publish("argo.workflow.w.general.status", b"{}")
        finally:
            await link.close()
        monitor = NatsMonitor(" , ".join(one.monitor_url for one in cluster.servers), EXPECTED)
        await monitor.look()
        names = [one.name for one in monitor.streams()]
        assert len(names) == len(set(names)) > 5
        assert next(one for one in monitor.streams() if one.name == "agent-comms").messages == 1
        assert all(one.up for one in monitor.servers.values())
        await asyncio.to_thread(cluster.servers[0].kill)
        await monitor.look()
        assert monitor.up, "two of three answer"
        assert [one.up for one in monitor.servers.values()] == [False, True, True]


async def test_without_an_address_nothing_is_asked() -> None:
    monitor = NatsMonitor(None)
    await monitor.look()
    assert (monitor.up, monitor.streams()) == (False, [])
    assert "agog_nats" not in told(Series(monitor, {"nats": 1}))


async def test_addresses_that_are_none_are_down() -> None:
    monitor = NatsMonitor("http://user:secret@127.0.0.1:1, nonsense", EXPECTED)
    await monitor.look()
    assert not monitor.up
    shown = told(Series(monitor, {}))
    assert 'agog_nats_monitor_up{url="127.0.0.1:1"} 0.0' in shown
    assert "secret" not in shown
