"""The whole system of compose.yaml, really brought up: healthy, answering, proven, broken, and gone."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import urllib.error
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
        self.ports = ports
        self.nats = f"127.0.0.1:{ports[0]}"
        self.http, self.board = (f"http://127.0.0.1:{port}" for port in ports[2:])
        self.token = secrets.token_hex(16)
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
            "AGOG_HTTP_TOKEN": self.token,
            # Each of these has a meaning in a URL; the environment comes before what quick-start writes.
            "POSTGRES_PASSWORD": f"p@ss/w:rd#%41?{self.name}",
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

    def secrets(self) -> dict[str, str]:
        """What quick-start wrote."""
        lines = Path(self.environment["AGOG_ENV_FILE"]).read_text(encoding="utf-8").splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines) if name.endswith("_PASSWORD")}

    def page(self, url: str, *, token: str | None = None) -> tuple[int, str]:
        """Status and body of a page, asked with the system's token or with another one."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        shown = {"Authorization": f"Bearer {self.token if token is None else token}"}
        try:
            with opener.open(urllib.request.Request(url, headers=shown), timeout=10) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, ""

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
    # One system for all of it: it takes longest to come up.
    started = system.run("deploy/quick-start.sh")
    assert started.returncode == 0, started.stdout + started.stderr
    assert (system.folder / "env").stat().st_mode & 0o077 == 0, "passwords are for their owner"

    _every_part_is_healthy_and_nobody_is_root(system)
    _pages_want_the_token_and_metrics_tell_of_nats(system)
    asyncio.run(_agents_are_denied_what_is_not_theirs(system))
    _logs_and_report_tell_of_all_parts_and_no_secret(system)

    _called_again_quick_start_waits_for_a_part_that_recovers(system)
    proven = system.run("deploy/smoke-test.sh")
    assert proven.returncode == 0, proven.stdout + proven.stderr
    assert "all well" in proven.stdout

    # Where all answer and one is stopped, nothing is proven and the culprit is named.
    assert system.compose("pause", "postgres").returncode == 0
    broken = system.run("deploy/smoke-test.sh")
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "FAILED: postgres is paused" in broken.stderr
    assert "logs postgres" in broken.stderr, "what to look at is named"
    assert system.compose("unpause", "postgres").returncode == 0

    assert system.compose("down", "-v", "--timeout", "3").returncode == 0
    assert system.left() == {"containers": [], "volumes": [], "networks": []}


def _every_part_is_healthy_and_nobody_is_root(system: System) -> None:
    states = {}
    for service in (*SERVICES, "streams"):
        found = system.compose("ps", "-aq" if compose_command()[0] == "docker" else "-q", service).stdout.strip()
        told = system.run(
            "docker", "inspect", "--format",
            "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.ExitCode}}{{end}} {{.Config.User}}", found,
        )  # fmt: skip
        states[service] = told.stdout.split()
    assert {service: state[0] for service, state in states.items()} == {
        **dict.fromkeys(SERVICES, "healthy"),
        "streams": "0",
    }
    ours = ("streams", "comms", "orchestrator", "listener")
    assert {states[service][1] for service in ours} == {"10001:10001"}


def _pages_want_the_token_and_metrics_tell_of_nats(system: System) -> None:
    for address in (f"{system.http}/agents", f"{system.board}/orchestrator"):
        status, body = system.page(address)
        assert (status, "<title>" in body) == (200, True)
        assert system.page(address, token="another")[0] == 401
    for address in (system.http, system.board):
        status, body = system.page(f"{address}/metrics")
        assert status == 200
        assert "\nagog_nats_stream_bytes{" in body


async def _agents_are_denied_what_is_not_theirs(system: System) -> None:
    from nats.aio.client import Client

    passwords = system.secrets()
    denied: asyncio.Queue[str] = asyncio.Queue()

    async def note(error: Exception) -> None:
        denied.put_nowait(str(error).lower())

    async def connected(user: str) -> Client:
        client = Client()
        url = f"nats://{user}:{passwords[f'NATS_{user.upper()}_PASSWORD']}@{system.nats}"
        await client.connect(url, error_cb=note, inbox_prefix=f"_INBOX_{user}", allow_reconnect=False)
        return client

    administrator, agents = await connected("system"), await connected("agents")
    try:
        stream = administrator.jetstream()
        await agents.publish("argo.workflow.general.message", b"{}")
        for subject in (
            "$JS.API.STREAM.PURGE.agent-comms",
            "$JS.API.STREAM.DELETE.agent-comms",
            "_INBOX_system.forged",
        ):
            await agents.publish(subject, b"")
        await agents.subscribe("_INBOX_system.>")
        await agents.subscribe("argo.workflow.>")
        async with asyncio.timeout(10):
            told = [await denied.get() for _ in range(5)]
        assert [next(word for word in ("publish", "subscription") if word in one) for one in told] == [
            "publish", "publish", "publish", "subscription", "subscription",
        ], told  # fmt: skip
        assert (await stream.stream_info("agent-comms")).state.messages == 1, "what is theirs came, nothing was purged"
    finally:
        await agents.close()
        await administrator.close()


def _logs_and_report_tell_of_all_parts_and_no_secret(system: System) -> None:
    passwords = system.secrets()
    agog = (sys.executable, "-m", "pytest_agog")
    ours = dict(system.environment)
    # Compose asks for them before it tells anything; outside of tests they are in `.env` beside the file.
    system.environment |= passwords
    system.environment["NATS_URL"] = f"nats://system:{passwords['NATS_SYSTEM_PASSWORD']}@{system.nats}"
    logs = system.run(*agog, "logs", "--compose", str(ROOT / "compose.yaml"), "--json")
    assert logs.returncode == 0, logs.stderr
    assert {json.loads(line)["part"] for line in logs.stdout.splitlines()} >= SERVICES
    report = system.run(*agog, "doctor", "--report", "--project", system.name)
    system.environment = ours
    for service in SERVICES:
        assert re.search(rf"\| {system.name}.{service}.1 \|.*\| running \| healthy \|", report.stdout), report.stdout
    assert "agent-comms | jangar-agent-comms" in report.stdout
    for secret in (*passwords.values(), system.token):
        assert secret not in logs.stdout + report.stdout


def _called_again_quick_start_waits_for_a_part_that_recovers(system: System) -> None:
    comms = system.compose("ps", "-q", "comms").stdout.strip()
    system.run("docker", "pause", comms)
    words = ("deploy/quick-start.sh",)
    with subprocess.Popen(words, cwd=ROOT, env=system.environment, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        told = []
        for line in started.stderr:
            told.append(line)
            if "given 120 s to recover" in line:
                system.run("docker", "unpause", comms)
        assert started.wait(240) == 0, "".join(told)
    assert any("given 120 s to recover" in line for line in told), "".join(told)


def test_without_passwords_nothing_starts_and_the_remedy_is_told(system: System) -> None:
    (system.folder / "env").touch()
    refused = system.compose("config")
    assert refused.returncode != 0
    assert "quick-start.sh" in refused.stderr


@pytest.mark.parametrize("password", ["", "0123abc", "'a b'", "s$x"])
def test_a_password_that_nats_would_misread_is_refused_before_anything_starts(system: System, password: str) -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8").replace("_PASSWORD=\n", "_PASSWORD=sound1\n")
    wrong = example.replace("NATS_AGENTS_PASSWORD=sound1", f"NATS_AGENTS_PASSWORD={password}")
    (system.folder / "env").write_text(wrong, encoding="utf-8")
    refused = system.run("deploy/quick-start.sh")
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert "NATS_AGENTS_PASSWORD is missing, or NATS" in refused.stderr
    assert "letters and digits, a letter first" in refused.stderr
    assert system.left() == {"containers": [], "volumes": [], "networks": []}


def test_a_port_that_is_taken_is_named_last(system: System) -> None:
    with socket.create_server(("127.0.0.1", system.ports[0])):
        refused = system.run("deploy/quick-start.sh")
    assert refused.returncode == 1, refused.stdout + refused.stderr
    last = refused.stderr.splitlines()[-1]
    assert f"a port is taken (127.0.0.1:{system.ports[0]}" in last
    assert "AGOG_NATS_PORT" in last
