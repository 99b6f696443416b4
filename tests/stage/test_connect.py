"""Connecting fails fast, says why, and shows no secret."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path

import pytest

from pytest_agog.errors import CredentialsRefused, JetStreamDisabled, NatsUnreachable, NatsUrlInvalid
from pytest_agog.stage.connect import connect_nats, require_jetstream
from pytest_agog.stage.machine.binaries import nats_server
from pytest_agog.stage.machine.processes import ManagedProcess
from pytest_agog.stage.machine.reservation import HOST, ReservedPort


async def serve(folder: Path, port: ReservedPort, configuration: dict[str, object]) -> ManagedProcess:
    file = folder / "nats.conf"
    file.write_text(json.dumps({"listen": str(port), **configuration}))
    process = ManagedProcess([str(nats_server()), "-c", str(file)], log=folder / "log")
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port.number)
            except ConnectionRefusedError:
                assert process.alive, (folder / "log").read_text()
                await asyncio.sleep(0.005)
            else:
                writer.close()
                return process


async def test_nobody_there() -> None:
    port = ReservedPort()
    started = time.monotonic()
    with pytest.raises(NatsUnreachable, match=r"nats://someone:\*\*\*\*@.* \(connection refused\)"):
        await connect_nats(f"nats://someone:secret@{port}")
    assert time.monotonic() - started < 2
    port.release()


async def test_somebody_who_never_answers() -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        started = time.monotonic()
        with pytest.raises(NatsUnreachable, match="no answer in time"):
            await connect_nats(f"nats://{HOST}:{listener.getsockname()[1]}", patience=0.3)
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("url", ["", " , ", "http://host", "nats://host:99999", "nats://host:x", "::::"])
async def test_what_is_no_address(url: str) -> None:
    with pytest.raises(NatsUrlInvalid):
        await connect_nats(url)


async def test_a_wrong_password_is_refused_at_once_and_stays_secret(tmp_path: Path) -> None:
    port = ReservedPort()
    with await serve(tmp_path, port, {"authorization": {"user": "u", "password": "right"}}):
        for url in (f"nats://u:wrong-secret@{port}", f"nats://{port}"):
            started = time.monotonic()
            with pytest.raises(CredentialsRefused) as caught:
                await connect_nats(url)
            assert "wrong-secret" not in str(caught.value)
            assert time.monotonic() - started < 2
        client = await connect_nats(f"nats://u:right@{port}")
        with pytest.raises(JetStreamDisabled):
            await require_jetstream(client, str(port))
        await client.close()
    port.release()


async def test_a_user_who_may_not_ask_jetstream(tmp_path: Path) -> None:
    port = ReservedPort()
    users = [{"user": "u", "password": "p", "permissions": {"publish": "a", "subscribe": ">"}}]
    configuration = {"authorization": {"users": users}, "jetstream": {"store_dir": str(tmp_path / "store")}}
    with await serve(tmp_path, port, configuration):
        client = await connect_nats(f"nats://u:p@{port}")
        with pytest.raises(CredentialsRefused, match=r"(?i)permissions violation"):
            await require_jetstream(client, str(port))
        await client.close()
    port.release()


async def test_a_missing_or_broken_credentials_file(tmp_path: Path) -> None:
    port = ReservedPort()
    with pytest.raises(CredentialsRefused, match="no file"):
        await connect_nats(f"nats://{port}", creds=tmp_path / "none.creds")
    broken = tmp_path / "broken.creds"
    broken.write_text("nothing of the kind")
    process = await serve(tmp_path, port, {"authorization": {"user": "u", "password": "p"}})
    with process, pytest.raises(CredentialsRefused):
        await connect_nats(f"nats://{port}", creds=broken)
    port.release()


async def test_a_lost_connection_comes_back_by_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    port = ReservedPort()
    process = await serve(tmp_path, port, {})
    client = await connect_nats(f"nats://{port}")
    lost, back, attempts = asyncio.Event(), asyncio.Event(), asyncio.Event()
    failures = 0

    async def on_loss() -> None:
        lost.set()

    async def on_return() -> None:
        back.set()

    report = client._error_cb

    async def on_error(error: Exception) -> None:
        nonlocal failures
        failures += 1
        await report(error)
        if failures > 5:
            attempts.set()

    client._disconnected_cb, client._reconnected_cb, client._error_cb = on_loss, on_return, on_error
    process.stop()
    async with asyncio.timeout(10):
        await lost.wait()
        # More failures than a client with a limit on attempts would bear.
        await attempts.wait()
    with await serve(tmp_path, port, {}):
        async with asyncio.timeout(10):
            await back.wait()
        await client.flush()
        await client.close()
    port.release()
    assert capfd.readouterr() == ("", "")
