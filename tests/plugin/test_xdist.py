"""Scenarios spread over workers: each whole on one of them, everything told once by the controller."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.plugin.projects import COUNTING, FAILING, MATRIX, ONE, Run, played

SIZES = MATRIX.replace("[small, large]", "[1, 2, 3, 4, 5, 6]")


@pytest.fixture
def many(run_apart: Run) -> Run:
    """Eight scenarios, one of which fails, and a Python test."""
    Path("conftest.py").write_text(COUNTING)
    Path("sized.yaml").write_text(SIZES)
    Path("one.yaml").write_text(ONE)
    Path("failing.yaml").write_text(FAILING)
    Path("test_python.py").write_text("def test_it(): pass\n")
    return run_apart


def all_played_once() -> bool:
    return sorted(line.split()[0] for line in played()) == ["failing", "one", *(f"sized[{n}]" for n in range(1, 7))]


def test_four_workers_and_one_report(many: Run) -> None:
    result = many("test_python.py", "--agog-scenario=.", "-n", "4", "--agog-report=out", "--strict-markers")
    result.assert_outcomes(passed=18, failed=1)
    assert result.ret == 1
    assert all_played_once()
    assert len({line.split()[1] for line in played()}) > 1
    report = json.loads(Path("out/report.json").read_text())
    assert report["summary"] == {"scenarios": 8, "checks": 10, "passed": 9, "failed": 1, "skipped": 0, "errors": 0}
    assert len(list(Path("out/bundle").iterdir())) == 8
    assert Counter(result.outlines)["8 scenarios, 10 claims: 9 passed, 1 failed"] == 1
    # What fails is told by the controller as it would be without workers.
    result.stdout.fnmatch_lines(["again *--agog-scenario=failing.yaml::seen", "report: out"])
    result.stdout.fnmatch_lines(["FAILED failing.yaml::seen - no message on the subject*"])


@pytest.mark.parametrize("dist", ["loadgroup", "loadfile"])
def test_every_way_to_distribute_keeps_scenarios_whole(many: Run, dist: str) -> None:
    result = many("sized.yaml", "one.yaml", "failing.yaml", "-n", "2", f"--dist={dist}")
    result.assert_outcomes(passed=17, failed=1)
    assert all_played_once()


def test_a_run_that_stops_early_tells_what_it_knows(many: Run) -> None:
    result = many("--agog-scenario=failing.yaml", "--agog-scenario=sized.yaml", "-n", "2", "-x")
    result.stdout.fnmatch_lines(["*no message on the subject*", "? failing *1 of 2 claims failed*"])


def test_wrong_content_has_the_same_exit_status(many: Run) -> None:
    Path("wrong.yaml").write_text("agog: 1\n")
    result = many("--agog-scenario=wrong.yaml", "--agog-scenario=one.yaml", "-n", "2")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["wrong.yaml:1:1: 'name' is missing"])
    assert sum("'name' is missing" in line for line in result.outlines) <= 2


def test_wrong_usage_is_found_before_workers_start(many: Run) -> None:
    result = many("--agog-scenario=nothing", "-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.no_fnmatch_line("*workers*")
