"""What the stage's tests share: scenarios built in code, and a harness in a process of its own that can be killed."""

from __future__ import annotations

import select
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_agog.scenario.model import Services
from pytest_agog.scenario.reading.places import Position
from pytest_agog.scenario.scenario import Scenario


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., Scenario]:
    """Make a scenario from its `services:` block and further fields."""

    def make(services: dict[str, Any] | None = None, **fields: Any) -> Scenario:
        from pytest_agog.scenario.model import TokenClaims

        file = tmp_path / "some scenario.yaml"
        known: dict[str, Any] = {
            "name": "some-scenario",
            "path": file,
            "summary": "",
            "tags": (),
            "services": Services.model_validate(services or {}),
            "agents": {},
            "steps": (),
            "claims": (),
            "tokens": TokenClaims(),
            "position": Position(file, 1, 1),
        }
        return Scenario(**{**known, **fields})

    return make


# A plain `sys.stdin.read()` would lose a signal that comes between the interpreter's last look and the system call.
_STAY = """
def stay():
    import select, sys
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        pass
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Run code in a process of its own. It prints one line when it stands, calls `stay()` and ends with its stdin."""
    running: list[subprocess.Popen[str]] = []

    def run(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", _STAY + textwrap.dedent(code), str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def pause() -> None:
    """A short step of a bounded poll, for what cannot notify."""
    select.select([], [], [], 0.01)


def gone(pid: int, within: float = 10.0) -> bool:
    """Whether a process ends in time; a zombie that nobody reaped counts as ended."""
    deadline = time.monotonic() + within
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            pause()
    except psutil.NoSuchProcess:
        pass
    return True


@pytest.fixture(name="gone")
def gone_fixture() -> Callable[[int], bool]:
    """See `gone`."""
    return gone
