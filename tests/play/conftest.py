"""A folder for each test, in which it makes its scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agog.session.run import run_of
from tests.play.scenes import Scene


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    """An empty folder in which a test makes its scenario."""
    folder = tmp_path / "scene with a space"
    folder.mkdir()
    return Scene(folder, run_of(request.config))
