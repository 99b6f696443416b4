from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_agog.checks.base import Outcome
from pytest_agog.report.view import ScenarioView, overall, view
from tests.report.builders import chain_ledger, claim, judged, play, views


def test_a_view_crosses_a_process_border(file: Path) -> None:
    for one in views(file):
        data = json.loads(json.dumps(one.to_json()))
        assert ScenarioView.from_json(data) == one


@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [
        (["passed", "failed", "skipped"], "failed"),
        (["failed", "error"], "error"),
        (["passed", "skipped"], "passed"),
        (["skipped"], "skipped"),
        ([], "passed"),
    ],
)
def test_the_worst_outcome_counts(outcomes: list[Outcome], worst: Outcome) -> None:
    assert overall(outcomes) == worst


def test_the_timeline_is_made_when_it_is_asked_for(file: Path) -> None:
    result = play("a", file, ledger=chain_ledger())
    assert view(result).timeline is None
    assert view(result, with_timeline=True).timeline is not None


def test_excerpts_are_read_for_what_failed_only(file: Path) -> None:
    good, bad = view(play("a", file, (judged(claim("a", "b", file)), judged(claim("c", "d", file), "failed")))).checks
    assert good.excerpt.lines == ()
    assert bad.excerpt.lines[0].text == "  - id: report-stored"


def test_a_play_that_passed_says_how_far_it_got(file: Path) -> None:
    played = view(play("a", file)).play
    assert (played.outcome, played.observed) == ("passed", "1 step played")
