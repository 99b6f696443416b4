"""A project folder with a gate of its own, and locks that no other test shares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.reference.orchestrator.gate.making import Code


@pytest.fixture(autouse=True)
def _own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGOG_GATE_DIR", str(tmp_path / "locks"))


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
