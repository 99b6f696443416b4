"""The container backend: real servers in containers that keep data while they are down and never outlive the run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_agog.errors import ServiceDidNotStart, UsageError
from pytest_agog.stage.machine.engine import LABEL, RUN
from pytest_agog.stage.servers.container_nats import ContainerNats, container_nats
from pytest_agog.stage.servers.container_postgres import ContainerPostgres
from pytest_agog.stage.servers.nats import NatsOptions
from tests.containers.engine import need_engine


@pytest.fixture(autouse=True)
def _engine() -> None:
    need_engine()


def _containers(label: str) -> list[str]:
    listed = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label={label}"], check=True, capture_output=True, text=True, timeout=30
    )
    return listed.stdout.split()


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[ContainerNats]:
    server = ContainerNats(tmp_path / "nats", NatsOptions(max_payload=2_000_000))
    with server:
        yield server


async def test_data_and_address_outlive_a_kill(nats: ContainerNats) -> None:
    from nats import connect

    url = nats.url
    client = await connect(url)
    await client.jetstream().add_stream(name="KEPT", subjects=["kept.>"])
    await client.jetstream().publish("kept.one", b"1")
    await client.close()
    nats.kill()
    assert not nats.alive
    nats.restart()
    assert nats.url == url
    client = await connect(url)
    state = (await client.jetstream().stream_info("KEPT")).state
    await client.close()
    assert state.messages == 1
    assert nats.max_payload == 2_000_000
    assert nats.version


def test_a_paused_server_is_silent_until_it_goes_on(nats: ContainerNats) -> None:
    host, port = nats.url.removeprefix("nats://").split(":")
    nats.kill("STOP")
    with socket.create_connection((host, int(port)), timeout=1) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(4)
    nats.kill("CONT")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.settimeout(5)
        assert connection.recv(4) == b"INFO"


def test_stop_leaves_no_container_and_keeps_the_log(tmp_path: Path) -> None:
    before = set(_containers(f"{LABEL}={RUN}"))
    server = ContainerNats(tmp_path / "nats")
    with server:
        assert len(set(_containers(f"{LABEL}={RUN}")) - before) == 1
    assert set(_containers(f"{LABEL}={RUN}")) == before
    assert "Server is ready" in server.log_tail(200)


def test_an_image_that_is_not_there_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGOG_NATS_IMAGE", "127.0.0.1:9/no-such-image:1")
    server = ContainerNats(tmp_path / "nats")
    with pytest.raises(ServiceDidNotStart, match="AGOG_NATS_IMAGE"):
        server.start()
    server.stop()


def test_keeping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--agog-keep"):
        container_nats(tmp_path, NatsOptions(outlive=True), cluster=False)


def test_databases_are_separate_and_survive_a_kill(tmp_path: Path) -> None:
    with ContainerPostgres(tmp_path / "postgres") as server:
        one, two = server.create_database("one"), server.create_database("two")
        with psycopg.connect(one, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
            connection.execute("CREATE TABLE kept AS SELECT '[1,2]'::vector AS v")
        server.kill()
        assert not server.answers
        server.restart()
        with psycopg.connect(one) as connection:
            row = connection.execute("SELECT v <-> '[1,2]' FROM kept").fetchone()
        assert row == (0.0,)
        with psycopg.connect(two) as connection:
            assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
        with pytest.raises(UsageError, match="already"):
            server.create_database("one")


_HARNESS = """
import sys
from pathlib import Path
from pytest_agog.stage.servers.container_nats import ContainerNats
from pytest_agog.stage.machine.engine import LABEL, RUN
server = ContainerNats(Path(sys.argv[1]))
server.start()
print(f"{LABEL}={RUN}", flush=True)
sys.stdin.read()
"""


def test_a_killed_harness_leaves_no_container(tmp_path: Path) -> None:
    harness = subprocess.Popen(
        [sys.executable, "-c", _HARNESS, str(tmp_path / "nats")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    with harness:
        assert harness.stdout is not None
        label = harness.stdout.readline().strip()
        found = _containers(label)
        assert len(found) == 1
        begun = int(time.time()) - 1
        harness.send_signal(signal.SIGKILL)
    # The engine tells of a removal, also of one that was before it was asked; `--until` ends a wait in vain.
    with subprocess.Popen(
        [
            "docker", "events", "--since", str(begun), "--until", str(begun + 31),
            "--filter", f"container={found[0]}", "--filter", "event=destroy",
        ],
        stdout=subprocess.PIPE, text=True,
    ) as events:  # fmt: skip
        assert events.stdout is not None
        told = events.stdout.readline()
        events.terminate()
    assert "container destroy" in told
    assert _containers(label) == []
