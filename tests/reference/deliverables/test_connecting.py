from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_agog.errors import (
    CredentialsRefused,
    CredentialsUnreadable,
    Exit,
    JetStreamDisabled,
    NatsUnreachable,
    NatsUrlInvalid,
)
from pytest_agog.reference.deliverables.connecting import connect
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.stage.machine.binaries import nats_server
from pytest_agog.stage.machine.reservation import ReservedPort
from pytest_agog.stage.servers.nats import NatsServer


@contextmanager
def plain_server(folder: Path, configuration: dict[str, object]) -> Iterator[str]:
    """A nats-server with a configuration that the stage has no words for."""
    port = ReservedPort(0)
    path = folder / "plain.conf"
    path.write_text(json.dumps({"listen": str(port), **configuration}))
    with subprocess.Popen([str(nats_server()), "-c", str(path)], stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port.number), timeout=1).close()
                    break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
            yield f"127.0.0.1:{port.number}"
        finally:
            process.kill()
            port.release()


async def test_nobody_there_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"nats://user:secret@127.0.0.1:{taken.getsockname()[1]}"
        begin = time.monotonic()
        with pytest.raises(NatsUnreachable, match="connection refused") as caught:
            await connect(url)
    assert time.monotonic() - begin < 1
    assert "secret" not in str(caught.value)
    assert "--nats-url" in str(caught.value)
    assert caught.value.exit_code == Exit.UNREACHABLE


async def test_one_that_does_not_answer_is_given_two_seconds() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begin = time.monotonic()
        with pytest.raises(NatsUnreachable, match="no answer"):
            await connect(f"nats://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - begin < 3


async def test_the_first_server_that_answers_is_taken(server: NatsServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        link = await connect(f"nats://127.0.0.1:{taken.getsockname()[1]}, {server.url}")
        assert link.nc.is_connected
        await link.close()


@pytest.mark.parametrize("url", ["", "nats://", "nats://host:port", "nats://a b:4222", "nats://127.0.0.1:99999", ",,"])
async def test_what_is_no_address(url: str) -> None:
    with pytest.raises((NatsUrlInvalid, NatsUnreachable)) as caught:
        await connect(url)
    assert "\n" not in str(caught.value)


async def test_another_scheme_is_no_host_of_that_name() -> None:
    with pytest.raises(NatsUrlInvalid, match="http is none of nats, tls, ws, wss"):
        await connect("http://127.0.0.1:4222")


async def test_refused_credentials(tmp_path: Path) -> None:
    with plain_server(tmp_path, {"authorization": {"user": "a", "password": "right"}}) as address:
        for user in ("", "a:wrong@"):
            with pytest.raises(CredentialsRefused, match="refused the credentials") as caught:
                await connect(f"nats://{user}{address}")
            assert "wrong" not in str(caught.value)
        link = await connect(f"nats://a:right@{address}")
        await link.close()


@pytest.mark.parametrize("content", [None, b"", b"no credentials", b"-----BEGIN NATS USER JWT-----\n"])
async def test_credentials_files_that_are_none(server: NatsServer, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "user.creds"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CredentialsUnreadable, match=r"user\.creds"):
        await connect(server.url, creds=path)


async def test_a_forbidden_subject_is_told_at_once(tmp_path: Path) -> None:
    may = {"publish": ["$JS.API.STREAM.LIST"], "subscribe": ["_INBOX.>"]}
    users = [{"user": "agents", "password": "p", "permissions": may}]
    configuration = {"authorization": {"users": users}, "jetstream": {"store_dir": str(tmp_path / "js")}}
    with plain_server(tmp_path, configuration) as address:
        async with await DeliverableEngine.connect(f"nats://agents:p@{address}") as engine:
            begin = time.monotonic()
            with pytest.raises(CredentialsRefused, match=r"(?i)permissions violation"):
                await engine.link.request("agog.deliverables.roy.backend.x", b"A")
            assert time.monotonic() - begin < 2


async def test_no_jetstream(tmp_path: Path) -> None:
    with plain_server(tmp_path, {}) as address:
        async with await DeliverableEngine.connect(f"nats://{address}") as engine:
            with pytest.raises(JetStreamDisabled, match="-js"):
                await engine.publish("roy", "backend", "x", "A")
            with pytest.raises(JetStreamDisabled):
                await engine.init_streams()


async def test_a_server_that_stays_away(server: NatsServer) -> None:
    async with await DeliverableEngine.connect(server.url, within=0.3) as engine:
        await engine.init_streams()
        server.kill()
        with pytest.raises(NatsUnreachable):
            await engine.publish("roy", "backend", "x", "A")


async def test_a_closed_connection(server: NatsServer) -> None:
    engine = await DeliverableEngine.connect(server.url)
    await engine.close()
    with pytest.raises(NatsUnreachable, match="closed"):
        await engine.publish("roy", "backend", "x", "A")
    await engine.close()


async def test_a_request_waits_for_the_reconnect(server: NatsServer) -> None:
    async with await DeliverableEngine.connect(server.url) as engine:
        await engine.init_streams()
        server.kill()
        waiting = asyncio.create_task(engine.publish("roy", "backend", "x", "A"))
        await asyncio.to_thread(server.restart)
        assert (await waiting).sequence == 1


def test_a_failed_connect_leaves_no_warning() -> None:
    code = (
        "import asyncio\n"
        "from pytest_agog.errors import NatsUnreachable\n"
        "from pytest_agog.reference.deliverables.connecting import connect\n"
        "try:\n    asyncio.run(connect('nats://127.0.0.1:1'))\n"
        "except NatsUnreachable:\n    print('told')\n"
    )
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("told\n", "")
