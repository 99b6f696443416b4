"""The configuration of compose.yaml's NATS: permissions of the contract, and a server that takes it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
import yaml

from pytest_agog.stage.machine.binaries import nats_server
from pytest_agog.wire.users import USERS
from tests.deploy.nats.rendering import FILE, password_variable, rendered

ROOT = Path(__file__).parents[3]


def test_it_holds_exactly_the_users_of_the_contract() -> None:
    assert FILE.read_text(encoding="utf-8") == rendered(), "run: python -m tests.deploy.nats.rendering"


def test_a_server_takes_it_with_all_passwords_and_not_without_one() -> None:
    passwords = {password_variable(user): f"s{number}" for number, user in enumerate(USERS)}
    assert _checked(passwords).returncode == 0
    for name in passwords:
        refused = _checked({key: value for key, value in passwords.items() if key != name})
        assert refused.returncode != 0
        assert name in refused.stderr


def test_each_part_of_the_system_has_the_user_of_the_contract() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    environments = {name: service.get("environment", {}) for name, service in services.items()}
    held = {
        name: {user.name for user in USERS if password_variable(user) in str(environment)}
        for name, environment in environments.items()
        if name != "nats"
    }
    assert {name: users for name, users in held.items() if users} == {
        "streams": {"system"},
        "comms": {"jangar"},
        "orchestrator": {"system"},
        "listener": {"system", "agents"},
    }
    assert "agents:" in environments["listener"]["AGOG_AGENT_NATS_URL"]
    assert {name for name, environment in environments.items() if "POSTGRES_PASSWORD" in str(environment)} == {
        "postgres", "comms", "orchestrator",
    }  # fmt: skip


async def test_no_answer_of_its_own_makes_it_purge(tmp_path: Path) -> None:
    with _running(tmp_path) as address:
        system = await nats.connect(address.replace("nats://", "nats://system:s@"), inbox_prefix=b"_INBOX_system")
        agents = await nats.connect(address.replace("nats://", "nats://agents:s@"), inbox_prefix=b"_INBOX_agents")
        jetstream = system.jetstream(timeout=10)
        for name, subject in (("agog_features_backend", "agog.deliverables.roy.>"), ("agent-comms", "argo.workflow.>")):
            await jetstream.add_stream(name=name, subjects=[subject], allow_direct=True)
            await jetstream.publish(subject.replace(">", "x.y"), b"{}")
        heard = await system.subscribe("$JS.API.STREAM.PURGE.agent-comms")
        await system.flush()
        get, purge = "$JS.API.DIRECT.GET.agog_features_backend", "$JS.API.STREAM.PURGE.agent-comms"
        await agents.publish(get, json.dumps({"last_by_subj": "agog.deliverables.roy.x.y"}).encode(), reply=purge)
        assert (await heard.next_msg(10)).data == b"{}"
        assert (await jetstream.stream_info("agent-comms")).state.messages == 1
        assert await jetstream.purge_stream("agent-comms")
        assert (await jetstream.stream_info("agent-comms")).state.messages == 0
        for one in (system, agents):
            await one.close()


@contextmanager
def _running(folder: Path) -> Iterator[str]:
    """The server on ports and in a folder of its own; every password is `s`."""
    text = FILE.read_text(encoding="utf-8")
    for theirs, ours in (("0.0.0.0:4222", "127.0.0.1:-1"), ("0.0.0.0:8222", "127.0.0.1:-1"), ("/data", str(folder))):
        assert text.count(f'"{theirs}"') == 1
        text = text.replace(f'"{theirs}"', f'"{ours}"')
    configuration = folder / "nats.conf"
    configuration.write_text(text, encoding="utf-8")
    environment = {**os.environ, **{password_variable(user): "s" for user in USERS}}
    command = (nats_server(), "-c", configuration, "--ports_file_dir", folder)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield json.loads(_written(folder / f"nats-server_{process.pid}.ports", process))["nats"][0]
    finally:
        process.kill()
        process.wait()


def _written(file: Path, process: subprocess.Popen[bytes]) -> str:
    """The file's text as soon as it has one; nothing else tells when that is."""
    while process.poll() is None:
        if file.exists() and (text := file.read_text(encoding="utf-8")):
            return text
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    raise AssertionError(f"nats-server ended with {process.returncode}")


def _checked(passwords: dict[str, str]) -> subprocess.CompletedProcess[str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith("NATS_")}
    return subprocess.run(
        [nats_server(), "-t", "-c", FILE],
        env=plain | passwords, check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
