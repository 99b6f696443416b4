"""Whole pytest runs in small projects of their own: in this process where that is safe, else in one of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
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
import pytest_agog.stage.target_file  # noqa: F401

Run = Callable[..., pytest.RunResult]
SPARED = ("-p", "no:hypothesispytest")
"""A plugin that imports much and matters to none of these runs."""

ONE = """\
agog: 1
name: one
tags: [quick, two-words]
services: {nats: {streams: none}}
steps:
  - publish: {subject: test.x, json: {n: 1}, core: true}
proof:
  - id: seen
    claim: The message was seen
    check: message
    with: {subject: test.x}
  - id: quiet
    claim: Nothing else was seen
    check: never
    with: {subject: test.y}
"""
"""Both claims hold; they stand at lines 8 and 12."""
FAILING = ONE.replace("name: one", "name: failing").replace("subject: test.x}\n  - id", "subject: test.z}\n  - id")
"""The claim `seen` does not hold."""
MATRIX = """\
agog: 1
name: sized
matrix: {size: [small, large]}
services: {nats: {streams: none}}
steps:
  - publish: {subject: "test.${size}", json: {}, core: true}
proof:
  - {id: seen, claim: The message was seen, check: message, with: {subject: "test.${size}"}}
"""
COUNTING = """\
import os

def pytest_agog_played(result):
    with open("played.txt", "a") as file:
        file.write(f"{result.scenario.title} {os.getpid()}\\n")
"""
"""A conftest that writes down each play, and the process that played."""


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


def played() -> list[str]:
    """The titles of what was played, with the `COUNTING` conftest; each with the process that did it."""
    found = Path("played.txt")
    return found.read_text().splitlines() if found.exists() else []
