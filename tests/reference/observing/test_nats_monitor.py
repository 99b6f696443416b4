"""NATS's own figures: of several servers, of servers that are away, of none. Real nats-servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.observing import nats_monitor
from pytest_agog.reference.observing.exposition import Series, told
from pytest_agog.reference.observing.nats_monitor import NatsMonitor
from pytest_agog.security.certificates import certify
from pytest_agog.stage.machine.binaries import nats_server as nats_server_file
from pytest_agog.stage.servers.cluster import NatsCluster
from pytest_agog.stage.servers.nats import NatsServer

EXPECTED = (("agent-comms", "jangar-agent-comms"),)


@pytest.fixture(autouse=True)
def _always_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_monitor, "FRESH", 0.0)


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


async def _behind(link: Link, messages: int) -> None:
    """So many more messages, which nobody fetches."""
    js = link.nc.jetstream()
    for _ in range(messages):
        await js.publish("argo.workflow.w.general.status", b"{}")


async def _led_by_others(link: Link) -> tuple[str, str]:
    """The leaders of the stream and of its consumer, which are not the same server any more."""
    js = link.nc.jetstream()
    for _ in range(40):
        stream, consumer = (await js.stream_info("agent-comms")).cluster, (await js.consumer_info(*EXPECTED[0])).cluster
        if stream is not None and consumer is not None and stream.leader and consumer.leader:
            if stream.leader != consumer.leader:
                return stream.leader, consumer.leader
            await link.nc.request("$JS.API.CONSUMER.LEADER.STEPDOWN.agent-comms.jangar-agent-comms", b"", timeout=5)
        await asyncio.sleep(0.25)
    raise AssertionError("stream and consumer keep one leader")


async def _pending(monitor: NatsMonitor) -> float:
    await monitor.look()
    stream = next(one for one in monitor.streams() if one.name == "agent-comms")
    return next(one for one in stream.consumers if one.name == EXPECTED[0][1]).pending


async def _until_pending(monitor: NatsMonitor, wanted: float) -> None:
    for _ in range(100):
        if await _pending(monitor) == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{await _pending(monitor)} wait, not {wanted}")


async def test_lag_in_a_cluster_is_that_of_the_consumers_leader(tmp_path: Path) -> None:
    """Replicas of a consumer say that nothing waits; and a server that died stays in its last words the leader."""
    with NatsCluster(tmp_path / "cluster") as cluster:
        link = await connect(cluster.url)
        try:
            await init_streams(link, replicas=3)
            js = link.nc.jetstream()
            await js.add_consumer(
                "agent-comms", ConsumerConfig(durable_name=EXPECTED[0][1], ack_policy=AckPolicy.EXPLICIT)
            )
            await _behind(link, 4)
            _, leader = await _led_by_others(link)
            monitor = NatsMonitor(cluster.monitor_urls, EXPECTED)
            await _until_pending(monitor, 4)
            urls = {one.name: url for url, one in monitor.servers.items()}
            lonely = {name: NatsMonitor(url, EXPECTED) for name, url in urls.items()}
            seen = {name: await _pending(one) for name, one in lonely.items()}
            assert seen.pop(leader) == 4
            assert [str(one) for one in seen.values()] == ["nan", "nan"], "a replica does not know, and that is not 0"
            shown = told(Series(next(one for name, one in lonely.items() if name != leader), {}))
            assert 'agog_nats_consumer_lag{consumer="jangar-agent-comms",stream="agent-comms"} NaN' in shown
            dead = next(one for one in cluster.servers if one.monitor_url == urls[leader])
            await asyncio.to_thread(dead.kill)
            client = await connect(",".join(one.url for one in cluster.servers if one is not dead))
            try:
                await _until_published(client, 3)
            finally:
                await client.close()
            await _until_pending(monitor, 7)
        finally:
            await link.close()


async def _until_published(link: Link, messages: int) -> None:
    """Those that remain elect a leader first."""
    for number in range(messages):
        for _ in range(60):
            with contextlib.suppress(nats.errors.Error):
                await link.nc.jetstream().publish(
                    "argo.workflow.w.general.status", b"{}", timeout=0.5, headers={"Nats-Msg-Id": f"late-{number}"}
                )
                break
        else:
            raise AssertionError("the cluster does not recover")


async def test_a_stream_that_no_server_at_hand_has_is_unknown(tmp_path: Path) -> None:
    with NatsCluster(tmp_path / "cluster") as cluster:
        link = await connect(cluster.url)
        try:
            await init_streams(link, replicas=1)
            info = await link.nc.jetstream().stream_info("agent-comms")
        finally:
            await link.close()
        everywhere = NatsMonitor(cluster.monitor_urls, EXPECTED)
        assert await _pending(everywhere) == 0
        other = next(
            url for url, one in everywhere.servers.items() if one.name != (info.cluster and info.cluster.leader)
        )
        elsewhere = NatsMonitor(other, EXPECTED)
        assert str(await _pending(elsewhere)) == "nan"
        exists = 'agog_nats_consumer_exists{consumer="jangar-agent-comms",stream="agent-comms"} NaN'
        assert exists in told(Series(elsewhere, {}))


async def test_readers_that_come_and_go_have_no_series(nats_server: NatsServer, link: Link) -> None:
    js = link.nc.jetstream()
    await js.add_consumer("agent-comms", ConsumerConfig(durable_name="archive", ack_policy=AckPolicy.EXPLICIT))
    await js.add_consumer("agent-comms", ConsumerConfig(name="passing", inactive_threshold=60))
    monitor = NatsMonitor(nats_server.monitor_url, EXPECTED)
    await monitor.look()
    stream = next(one for one in monitor.streams() if one.name == "agent-comms")
    assert [one.name for one in stream.consumers if one.name != EXPECTED[0][1]] == ["archive"]


async def test_an_answer_without_streams_is_no_fresh_one(nats_server: NatsServer, link: Link) -> None:
    """Where `/jsz` fails, what was seen before is old, and is marked as such."""
    await _behind(link, 2)
    monitor = NatsMonitor(nats_server.monitor_url, EXPECTED)
    found = [(await _pending(monitor), monitor.up)]
    fetch = nats_monitor._fetch

    def without(base: str, path: str) -> dict[str, Any] | None:
        return None if path.startswith("/jsz") else fetch(base, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nats_monitor, "_fetch", without)
        await _behind(link, 2)
        found.append((await _pending(monitor), monitor.up))
    found.append((await _pending(monitor), monitor.up))
    assert found == [(2, True), (2, False), (4, True)]


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


async def test_monitoring_over_https_is_verified_by_the_authority_of_nats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certify(tmp_path / "tls", ["127.0.0.1"])
    file = tmp_path / "nats.conf"
    settings = {"listen": "127.0.0.1:-1", "https": "127.0.0.1:-1", "ports_file_dir": str(tmp_path), **tls.server}
    file.write_text(json.dumps({**settings, "jetstream": {"store_dir": str(tmp_path / "data")}}))
    monkeypatch.delenv("NATS_CA", raising=False)
    with _started(file, tmp_path / "log") as server:
        url = await _https_address(server, tmp_path)
        for authority, up in ((None, False), (tmp_path / "none.pem", False), (tls.ca, True)):
            if authority is not None:
                monkeypatch.setenv("NATS_CA", str(authority))
            monitor = NatsMonitor(url)
            await monitor.look()
            assert (monitor.up, monitor.jetstream) == (up, up), authority


@contextlib.contextmanager
def _started(file: Path, told: Path) -> Iterator[subprocess.Popen[bytes]]:
    with told.open("wb") as log, subprocess.Popen([nats_server_file(), "-c", file], stderr=log) as server:
        try:
            yield server
        finally:
            server.kill()


async def _https_address(server: subprocess.Popen[bytes], folder: Path) -> str:
    """As the server writes it down when it is ready; nobody tells when."""
    async with asyncio.timeout(30):
        while True:
            assert server.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(OSError, ValueError):
                told = json.loads((folder / f"{Path(nats_server_file()).name}_{server.pid}.ports").read_text())
                return str(told["monitoring"][0])
            await asyncio.sleep(0.02)
