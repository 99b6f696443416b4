"""`agog doctor --report`, on a real NATS."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from pytest_agog.stage.servers.nats import NatsServer
from tests.cli.conftest import Agog

FIXTURES = Path(__file__).parents[2] / "fixtures" / "compose"


def test_it_tells_of_streams_and_reaches_nats(server: NatsServer, agog: Agog) -> None:
    agog("init-streams", "--nats-url", server.url)
    done = agog("doctor", "--report", "--nats-url", server.url, "--nats-monitor-url", server.monitor_url)
    assert "| this host | NATS (127.0.0.1:" in done.out
    assert "| reached |" in done.out
    assert "| agent-comms | jangar-agent-comms | 0 | 0 | 0 | 0 |" in done.out
    assert "| messages in |" in done.out
    for heading in ("Container status", "Volume mounts", "Network connectivity", "NATS streams", "Performance metrics"):
        assert f"## {heading}" in done.out


def test_it_is_published_as_a_deliverable(server: NatsServer, agog: Agog) -> None:
    agog("init-streams", "--nats-url", server.url)
    done = agog("doctor", "--report", "--publish", "infra-check", "--nats-url", server.url)
    notice = json.loads(done.out)
    assert (notice["agent"], notice["status"]) == ("miki", "COMPLETE")
    assert notice["deliverable"] == "nats://agog.deliverables.miki.devops.infra-check"
    fetched = agog("fetch", notice["deliverable"], "--nats-url", server.url)
    assert fetched.out.startswith("# Infrastructure report\n")


def test_findings_in_compose_files_stand_in_it(server: NatsServer, agog: Agog) -> None:
    file = FIXTURES / "wrong" / "password-in-file.app.yaml"
    done = agog("doctor", "--report", "--nats-url", server.url, "--compose", file, "--json")
    assert done.code == 1
    assert [line.split(": ")[1] for line in done.json["compose"]] == ["secret-in-file"]


def test_without_nats_it_says_so(agog: Agog) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"nats://127.0.0.1:{free.getsockname()[1]}"
        done = agog("doctor", "--report", "--nats-url", url)
        assert done.code == 1
        assert "NOT reached: " in done.out
        assert "Not known: NATS at " in done.out
        assert agog("doctor", "--report", "--publish", "x", "--nats-url", url).code == 3


def test_without_an_engine_it_says_so(server: NatsServer, agog: Agog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    done = agog("doctor", "--report", "--nats-url", server.url)
    assert "Not known: neither docker nor podman is installed" in done.out


def test_its_options_need_it(agog: Agog) -> None:
    done = agog("doctor", "--publish", "x")
    assert done.code == 2
    assert "Add --report." in done.err
