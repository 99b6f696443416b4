"""The configuration of compose.yaml's NATS: permissions of the contract, and a server that takes it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

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


def _checked(passwords: dict[str, str]) -> subprocess.CompletedProcess[str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith("NATS_")}
    return subprocess.run(
        [nats_server(), "-t", "-c", FILE],
        env=plain | passwords, check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
