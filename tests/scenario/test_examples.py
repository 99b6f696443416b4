"""The examples that `agog explain` prints are right: they load, with the real words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.describing.starter import THEMES, starter
from pytest_agog.scenario.linting.lint import lint
from pytest_agog.scenario.problems import Problem

WORDS = vocabulary()


def problems(text: str, tmp_path: Path) -> tuple[Problem, ...]:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return tuple(p for p in lint(path, WORDS).problems if "there is no file" not in p.message)


@pytest.mark.parametrize("name", WORDS.checks)
def test_checks(name: str, tmp_path: Path) -> None:
    example = WORDS.checks[name].example
    body = example if example.startswith("tokens:") else f"proof:\n{example}"
    assert problems(f"agog: 1\nname: s\n{body}\n", tmp_path) == ()


@pytest.mark.parametrize("verb", WORDS.steps)
def test_steps(verb: str, tmp_path: Path) -> None:
    assert problems(f"agog: 1\nname: s\nsteps:\n{WORDS.steps[verb].example}\n", tmp_path) == ()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["search", "007", "null", "a_B-9"])
def test_starters_lint_clean(theme: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(starter(name, theme))
    report = lint(path, WORDS)
    assert report.problems == ()
    assert report.warnings == ()
