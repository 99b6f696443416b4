"""Snapshots: whole outputs, as text files in `snapshots/`, compared to the letter.

After a change that is meant, write them anew and read the difference before it is committed:

    AGOG_UPDATE_SNAPSHOTS=1 pytest tests/report && git diff tests/report/snapshots
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.report import builders

Snapshot = Callable[[str, str], None]
FOLDER = Path(__file__).parent / "snapshots"


@pytest.fixture
def snapshot() -> Snapshot:
    """Compare a text with the snapshot of this name; with AGOG_UPDATE_SNAPSHOTS=1 write it first."""

    def compare(name: str, text: str) -> None:
        path = FOLDER / name
        if os.environ.get("AGOG_UPDATE_SNAPSHOTS") == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode("utf-8"))
        assert path.is_file(), f"{path} is missing; write it with AGOG_UPDATE_SNAPSHOTS=1"
        assert text == path.read_bytes().decode("utf-8")

    return compare


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A scenario file at `scenarios/retry-stores-once.yaml` below tmp_path, which outputs are relative to."""
    path = tmp_path / "scenarios" / "retry-stores-once.yaml"
    path.parent.mkdir()
    path.write_text(builders.YAML, encoding="utf-8")
    return path
