"""A project folder with a gate of its own, and locks apart from those of this machine's user."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.reference.orchestrator.gate.making import Code


@pytest.fixture(scope="session")
def gate_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Locks are named after folders, which no two tests share; what Python compiled of its packages may be shared."""
    return tmp_path_factory.mktemp("gate-state")


@pytest.fixture(autouse=True)
def _own_locks(gate_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGOG_GATE_DIR", str(gate_state))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project."""
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture
def code() -> Code:
    """Makes a command of the gate out of Python code."""

    def make(text: str, **further: Any) -> dict[str, Any]:
        return {"name": "code", "run": [sys.executable, "-c", text], **further}

    return make
