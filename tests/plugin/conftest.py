"""Whole pytest runs in small projects of their own: in this process where that is safe, else in one of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Imported here, so that pytester, which forgets what a run imported, does not import them anew for each run.
import pytest_agog.play.play
import pytest_agog.report.html
import pytest_agog.report.writer
import pytest_agog.session.collection
import pytest_agog.session.handing
import pytest_agog.session.handles
import pytest_agog.session.looping
import pytest_agog.session.telling
import pytest_agog.stage.target.target_file  # noqa: F401
from tests.plugin.projects import SPARED, Run


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with an ini file, as the working directory."""
    for name in list(os.environ):
        if name.startswith(("AGOG_", "GITHUB_", "PYTEST_")) and name not in {"AGOG_CACHE_DIR", "PYTEST_DEBUG_TEMPROOT"}:
            monkeypatch.delenv(name)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester.path


@pytest.fixture
def run(project: Path, pytester: pytest.Pytester) -> Run:
    """Runs `pytest ARGUMENTS…` in this process, in the order of the files."""
    assert project == Path.cwd()
    return lambda *arguments: pytester.runpytest_inprocess("-p", "no:randomly", *SPARED, *arguments)


@pytest.fixture
def run_apart(project: Path, pytester: pytest.Pytester) -> Run:
    """Runs it in a process of its own: where it starts others, or where signals and imports matter."""
    assert project == Path.cwd()
    return lambda *arguments: pytester.runpytest_subprocess("-p", "no:randomly", *SPARED, *arguments, timeout=120)
