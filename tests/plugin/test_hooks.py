"""Hooks: what the page on extending does not show. The page itself is followed by tests/docs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugin.projects import ONE, Run

CHECK = """\
from pytest_agog.checks.base import Check, Verdict
from pytest_agog.values import Strict

class Nothing(Strict):
    \"\"\"No arguments.\"\"\"

def check(name, judge):
    return Check(name=name, claims="Something.", arguments=Nothing, judge=judge, example="{}")
"""
MINE = ONE.replace("check: never\n    with: {subject: test.y}", "check: mine")


def write(hooks: str) -> None:
    Path("one.yaml").write_text(MINE)
    Path("conftest.py").write_text(CHECK + hooks)


def test_a_check_of_a_nested_conftest_is_known(run: Run) -> None:
    Path("plays").mkdir()
    Path("plays/one.yaml").write_text(MINE)
    Path("plays/conftest.py").write_text(
        CHECK + "def pytest_agog_checks():\n    return [check('mine', lambda ledger, _: Verdict('passed', 'x', 'y'))]\n"
    )
    assert run("--agog-scenario=plays").parseoutcomes() == {"passed": 3}


def test_two_checks_of_one_name_are_refused(run: Run) -> None:
    write("def pytest_agog_checks():\n    return [check('never', lambda ledger, _: Verdict('passed', 'x', 'y'))]\n")
    result = run("--agog-scenario=one.yaml")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["two checks are named 'never'; rename the one that a plugin adds"])


def test_a_check_that_breaks_is_an_error_and_no_verdict(run: Run) -> None:
    write("def pytest_agog_checks():\n    return [check('mine', lambda ledger, _: 1 / 0)]\n")
    result = run("--agog-scenario=one.yaml", "--agog-report=out")
    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    checks = json.loads(Path("out/report.json").read_text())["scenarios"][0]["checks"]
    assert {one["id"]: one["outcome"] for one in checks} == {"seen": "passed", "quiet": "error"}
    result.stdout.fnmatch_lines(["*ZeroDivisionError*"])


SKIPPING = """
def pytest_agog_checks():
    return [check("mine", lambda ledger, _: Verdict("skipped", "a page", "no browser was found", missing="browser"))]
"""


def test_a_missing_part_is_a_visible_skip(run: Run) -> None:
    write(SKIPPING)
    result = run("--agog-scenario=one.yaml", "-rs")
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 2, "skipped": 1})
    result.stdout.fnmatch_lines(["SKIPPED*no browser was found"])


def test_a_required_part_may_not_be_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write(SKIPPING)
    assert run("--agog-scenario=one.yaml", "--agog-require=docker").parseoutcomes() == {"passed": 2, "skipped": 1}
    monkeypatch.setenv("AGOG_REQUIRE", "docker,browser")
    result = run("--agog-scenario=one.yaml")
    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    result.stdout.fnmatch_lines(["observed  no browser was found (--agog-require=browser refuses to skip)"])


@pytest.mark.parametrize("hook", ["pytest_agog_report(result)", "pytest_agog_observe(ledger)", "pytest_agog_played()"])
def test_a_hook_that_raises_is_told_and_nothing_is_played_again(run: Run, hook: str) -> None:
    Path("one.yaml").write_text(ONE)
    Path("conftest.py").write_text(
        f"def {hook}:\n    with open('calls', 'a') as calls: calls.write('x')\n    raise RuntimeError('mine')\n"
    )
    result = run("--agog-scenario=one.yaml")
    assert result.parseoutcomes() == {"failed": 3}
    result.stdout.fnmatch_lines(["*RuntimeError: mine"])
    assert Path("calls").read_text() == "x"
