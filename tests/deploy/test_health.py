"""Healthchecks of compose.yaml: what a part's own check says of it, and how soon a broken part is seen."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from pytest_agog.stage.servers.nats import NatsServer

ROOT = Path(__file__).parents[2]
SOON = 60
"""Seconds after which a part that hangs has to be called unhealthy."""
SECONDS = {"s": 1, "m": 60}


@pytest.fixture
def health() -> ModuleType:
    spec = importlib.util.spec_from_file_location("agog_container_health", ROOT / "deploy" / "health.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def monitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The monitoring of a server to which somebody named `agog` is connected, from this machine."""
    from nats import connect

    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    with NatsServer(tmp_path / "nats") as server:
        client = await connect(server.url, name="agog listener")
        await client.flush()
        yield server.monitor_url
        await client.close()


async def test_who_is_connected_and_speaks_is_well(health: ModuleType, monitor: str) -> None:
    health.connected("agog", monitor)


async def test_nobody_of_that_name_is_not_well(health: ModuleType, monitor: str) -> None:
    with pytest.raises(OSError, match="nobody named somebody is connected"):
        health.connected("somebody", monitor)


async def test_who_is_connected_and_silent_is_not_well(
    health: ModuleType, monitor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A process that hangs keeps its connection for minutes: no time of silence is allowed, so the client is too silent.
    monkeypatch.setattr(health, "SILENCE", -1)
    with pytest.raises(OSError, match="agog is connected and has said nothing for"):
        health.connected("agog", monitor)


def test_a_part_that_hangs_is_seen_soon() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    checks = {name: told["healthcheck"] for name, told in services.items() if "test" in told.get("healthcheck", {})}
    assert set(checks) >= {"nats", "postgres", "comms", "orchestrator", "listener"}
    seen_in = {
        name: check["retries"] * (_seconds(check["interval"]) + _seconds(check["timeout"]))
        for name, check in checks.items()
    }
    assert {name: seconds for name, seconds in seen_in.items() if seconds > SOON} == {}


def _seconds(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]]
