"""The whole system of compose.yaml, really brought up: healthy, answering, proven, broken, and gone."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import compose_command, need_engine

ROOT = Path(__file__).parents[2]
SERVICES = {"nats", "postgres", "comms", "orchestrator", "listener"}


class System:
    """One project of its own: names, ports and volumes clash with nobody."""

    def __init__(self, folder: Path) -> None:
        self.name = f"agogtest{secrets.token_hex(4)}"
        self.folder = folder
        ports = _free_ports(4)
        self.http = f"http://127.0.0.1:{ports[2]}"
        workspace = folder / "workspace"
        workspace.mkdir()
        workspace.chmod(0o777)
        folder.chmod(0o755)
        self.environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.name,
            "AGOG_ENV_FILE": str(folder / "env"),
            "AGOG_PREFIX": self.name,
            "AGOG_WORKSPACE": str(workspace),
            "AGOG_IMAGE": f"{self.name}:local",
            "AGOG_SMOKE_PATIENCE": "15",
            "DOCKER_BUILDKIT": os.environ.get("DOCKER_BUILDKIT", "0"),
            "COMPOSE_DOCKER_CLI_BUILD": os.environ.get("COMPOSE_DOCKER_CLI_BUILD", "0"),
            **dict(
                zip(
                    ("AGOG_NATS_PORT", "AGOG_MONITOR_PORT", "AGOG_HTTP_PORT", "AGOG_BOARD_PORT"),
                    map(str, ports),
                    strict=True,
                )
            ),
        }

    def run(self, *words: str, patience: float = 240) -> subprocess.CompletedProcess[str]:
        """A command in the project's environment."""
        return subprocess.run(
            words, cwd=ROOT, env=self.environment, check=False, capture_output=True, text=True, timeout=patience
        )

    def compose(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Compose for this project."""
        return self.run(*compose_command(), "--env-file", self.environment["AGOG_ENV_FILE"], *words)

    def left(self) -> dict[str, list[str]]:
        """What carries the project's name: containers, volumes, networks."""
        mine = f"name={self.name}"
        return {
            "containers": self.run("docker", "ps", "-aq", "--filter", mine).stdout.split(),
            "volumes": self.run("docker", "volume", "ls", "-q", "--filter", mine).stdout.split(),
            "networks": self.run("docker", "network", "ls", "-q", "--filter", mine).stdout.split(),
        }


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A project, and nothing of it afterwards."""
    need_engine(compose=True)
    made = System(tmp_path)
    yield made
    made.compose("down", "-v", "--timeout", "3")
    made.run("docker", "image", "rm", "--force", made.environment["AGOG_IMAGE"])


def test_the_system_comes_up_is_proven_notices_what_breaks_and_leaves_nothing(system: System) -> None:
    started = system.run("deploy/quick-start.sh")
    assert started.returncode == 0, started.stdout + started.stderr
    assert (system.folder / "env").stat().st_mode & 0o077 == 0, "passwords are for their owner"

    states = {}
    for service in SERVICES:
        found = system.compose("ps", "-q", service).stdout.strip()
        told = system.run("docker", "inspect", "--format", "{{.State.Health.Status}} {{.Config.User}}", found)
        states[service] = told.stdout.split()
    assert {service: state[0] for service, state in states.items()} == dict.fromkeys(SERVICES, "healthy")
    assert {states[service][1] for service in ("comms", "orchestrator", "listener")} == {"10001:10001"}

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{system.http}/agents", timeout=10) as page:
        assert page.status == 200
        assert b"<title>" in page.read()

    proven = system.run("deploy/smoke-test.sh")
    assert proven.returncode == 0, proven.stdout + proven.stderr
    assert "all well" in proven.stdout

    # Broken behind the healthcheck's back: what is published can no longer become a row.
    assert system.compose("pause", "postgres").returncode == 0
    broken = system.run("deploy/smoke-test.sh")
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "FAILED" in broken.stderr
    assert "postgres" in broken.stderr, "what to look at is named"
    assert system.compose("unpause", "postgres").returncode == 0

    assert system.compose("down", "-v", "--timeout", "3").returncode == 0
    assert system.left() == {"containers": [], "volumes": [], "networks": []}


def test_without_passwords_nothing_starts_and_the_remedy_is_told(system: System) -> None:
    (system.folder / "env").touch()
    refused = system.compose("config")
    assert refused.returncode != 0
    assert "quick-start.sh" in refused.stderr
