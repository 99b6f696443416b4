"""Scenarios and conftests for small projects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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


def played() -> list[str]:
    """The titles of what was played, with the `COUNTING` conftest; each with the process that did it."""
    found = Path("played.txt")
    return found.read_text().splitlines() if found.exists() else []
