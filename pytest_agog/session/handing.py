"""From xdist's workers to the controller: what came of a scenario travels with the next report of an item.

Not at the end of the worker, because a controller that stops early (-x) does not wait for that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_agog.report.failure import Failure
from pytest_agog.session.run import AgogRun
from pytest_agog.session.telling import Told


def hand_over(run: AgogRun, report: pytest.CollectReport | pytest.TestReport) -> dict[str, Any]:
    """What the controller does not know yet: new results, and which claim a report calls failed."""
    fresh = {key: told for key, told in run.told.items() if isinstance(told, Told) and not told.handed_over}
    run.told.update({key: replace(told, handed_over=True) for key, told in fresh.items()})
    handed: dict[str, Any] = {"told": {key: told.to_json() for key, told in fresh.items()}}
    failure: object = report.longrepr
    if isinstance(failure, Failure):
        handed["failure"] = {"title": failure.title, "check": failure.check.id, "place": str(failure.check.place)}
    return handed


def take_over(run: AgogRun, handed: dict[str, Any], report: object) -> None:
    """Keep what a worker sent, and tell failed claims in full: of a failure pytest itself sends the text alone."""
    run.told.update({key: Told.from_json(data) for key, data in handed["told"].items()})
    if isinstance(report, pytest.CollectReport):
        run.uncollected |= report.failed
    if isinstance(report, pytest.TestReport) and "failure" in handed:
        # What pytest keeps as a representation is typed as its own classes; it uses `toterminal` and `reprcrash`.
        report.longrepr = _failure(run, handed["failure"]) or report.longrepr  # type: ignore[assignment]


def _failure(run: AgogRun, named: dict[str, str]) -> Failure | None:
    for told in run.told.values():
        if isinstance(told, Told) and told.view.name == named["title"]:
            for check in told.view.rows:
                if check.id == named["check"] and str(check.place) == named["place"]:
                    return Failure(check, told.view.name, told.view.started_at)
    return None
