"""`agog up` as a process: one ready line, servers that work, a clean stop, data that stays when told so."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import nats
import psutil
import psycopg
import pytest

PATIENCE = 30


@contextmanager
def up(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running `agog up`, and its ready line."""
    command = [sys.executable, "-m", "pytest_agog", "up", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            if process.poll() is None:
                process.kill()


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """It ends with 0 and leaves no process."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_brings_up_the_whole_system(number: signal.Signals) -> None:
    with up() as (process, ready):
        async with httpx.AsyncClient(base_url=ready["http"], trust_env=False) as http:
            assert (await http.get("/readyz")).status_code == 200
            assert (await http.get("/agents/general")).status_code == 200
            assert "agog_nats_monitor_up{" in (await http.get("/metrics")).text
        async with httpx.AsyncClient(base_url=ready["orchestrator"], trust_env=False) as http:
            assert (await http.get("/orchestrator")).status_code == 200
            assert "agog_nats_consumer_pending{" in (await http.get("/metrics")).text
        client = await nats.connect(ready["nats"])
        assert (await client.jetstream().consumer_info("agent-comms", "jangar-agent-comms")).num_pending == 0
        await client.close()
        with psycopg.connect(ready["postgres"]) as connection:
            assert connection.execute("select count(*) from workflow_comms.agent_messages").fetchone() == (0,)
        stopped(process, number)


async def test_brings_up_nats_with_streams_and_migrated_postgres() -> None:
    with up("--only", "nats,postgres") as (process, ready):
        assert ready["http"] is None
        client = await nats.connect(ready["nats"])
        assert (await client.jetstream().stream_info("REQUIREMENTS")).config.name == "REQUIREMENTS"
        await client.close()
        with psycopg.connect(ready["postgres"]) as connection:
            assert connection.execute("select count(*) from workflow_comms.agent_messages").fetchone() == (0,)
        stopped(process, signal.SIGTERM)


async def test_data_stays_in_the_given_folder(tmp_path: Path) -> None:
    folder = tmp_path / "kept data"
    with up("--only", "nats,postgres", "--data", str(folder)) as (process, ready):
        client = await nats.connect(ready["nats"])
        await client.jetstream().publish("errors.roy.REQ-1", b"{}")
        await client.close()
        with psycopg.connect(ready["postgres"]) as connection:
            connection.execute("create table kept (n int)")
        stopped(process, signal.SIGTERM)
    with up("--only", "nats,postgres", "--data", str(folder)) as (process, ready):
        client = await nats.connect(ready["nats"])
        assert (await client.jetstream().stream_info("ERRORS")).state.messages == 1
        await client.close()
        with psycopg.connect(ready["postgres"]) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (0,)
        stopped(process, signal.SIGTERM)


def test_a_kill_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with up("--only", "nats") as (process, _):
        assert len(list(tmp_path.iterdir())) == 1
        # The watchdog is among them: it ends when all is removed.
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []
        assert list(tmp_path.iterdir()) == []


def test_data_in_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "pytest_agog", "up", "--only", "nats", "--data", str(tmp_path / "file")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no folder to write to (File exists). Give one.\n" in done.stderr


def test_only_what_is_asked_for() -> None:
    with up("--only", "nats") as (process, ready):
        assert ready["nats"]
        assert ready["postgres"] is None
        stopped(process, signal.SIGTERM)


def free_port() -> int:
    """One that nobody uses now."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_ports() -> None:
    port, nats_port = free_port(), free_port()
    with up("--port", str(port), "--nats-port", str(nats_port), "--host", "0.0.0.0") as (process, ready):
        assert ready["http"] == f"http://127.0.0.1:{port}"
        assert ready["nats"] == f"nats://127.0.0.1:{nats_port}"
        stopped(process, signal.SIGTERM)
    # Without comms the port is that of NATS.
    with up("--only", "nats", "--port", str(port)) as (process, ready):
        assert ready["nats"] == f"nats://127.0.0.1:{port}"
        stopped(process, signal.SIGTERM)


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("kafka", "expected one or more of nats, postgres, comms, orchestrator, listener, with commas"),
        ("comms,nats", "comms needs nats and postgres beside it; `agog serve` uses services that run already"),
    ],
)
def test_parts_that_cannot_be(only: str, message: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "pytest_agog", "up", "--only", only],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert process.returncode == 2
    assert process.stderr == f"agog: --only {only!r}: {message}\n"
