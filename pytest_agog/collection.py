"""Scenarios as pytest items: one for the play, one for each claim. The first that runs plays the scenario."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from pytest_agog.errors import AgogError
from pytest_agog.run import AgogRun, run_of

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionInfo, TerminalRepr

    from pytest_agog.report.view import CheckView, ScenarioView
    from pytest_agog.scenario.scenario import Claim, Position, Scenario


ItemT = TypeVar("ItemT", bound="_ScenarioItem")


class ClaimFailed(AgogError):
    """A claim does not hold, or the play failed: a finding, to be told without a traceback."""

    def __init__(self, check: CheckView, view: ScenarioView) -> None:
        super().__init__(f"{check.claim}: expected {check.expected}, observed {check.observed}")
        self.check = check
        self.view = view


class ScenarioFile(pytest.File):
    """One scenario file."""

    def collect(self) -> Iterator[pytest.Item]:
        """The items of every run that the file's matrix makes."""
        run = run_of(self.config)
        for scenario in run.load(self.path):
            suffix = f"[{scenario.suffix}]" if scenario.suffix else ""
            yield self._item(PlayItem, f"play{suffix}", scenario)
            for claim in scenario.claims:
                item = self._item(ClaimItem, f"{claim.id}{suffix}", scenario)
                item.claim = claim
                yield item

    def _item(self, kind: type[ItemT], name: str, scenario: Scenario) -> ItemT:
        # The explicit id: a name with brackets stays one name, and pytest's rootdir plays no part.
        item = kind.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}")
        item.scenario = scenario
        for tag in scenario.tags:
            self.config.addinivalue_line("markers", f"{tag}: tag of a scenario")
            item.add_marker(tag)
        if self.config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(f"{self.nodeid}[{scenario.suffix}]"))
        return item

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        """Everything that is wrong with the file, without a traceback."""
        if isinstance(excinfo.value, AgogError) and not run_of(self.config).options.debug:
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class _ScenarioItem(pytest.Item):
    scenario: Scenario

    @property
    def run(self) -> AgogRun:
        """The run that this item belongs to."""
        return run_of(self.config)

    @property
    def position(self) -> Position:
        """Where in the YAML file this item stands."""
        return self.scenario.position

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Location for pytest: the YAML file and its line."""
        return self.path, self.position.line - 1, f"{self.scenario.title}: {self.name}"

    @property
    def location(self) -> tuple[str, int | None, str]:
        """The same, with the path as ids show it, so that rootdir plays no part."""
        return self.nodeid.split("::", 1)[0], self.position.line - 1, self.name

    def view(self) -> ScenarioView:
        """What came of the scenario; plays it when nobody did so far."""
        wanted = {
            item.claim.id
            for item in self.session.items
            if isinstance(item, ClaimItem) and item.scenario is self.scenario
        }
        if isinstance(self, ClaimItem):
            wanted.add(self.claim.id)
        return self.run.view(self.scenario, self.nodeid.split("::", 1)[0], wanted)

    def told(self, check: CheckView, view: ScenarioView) -> None:
        """Skip or fail as `check` says.

        Raises:
            ClaimFailed: it neither passed nor was skipped.
        """
        if check.outcome == "skipped":
            pytest.skip(check.observed)
        if check.outcome != "passed":
            raise ClaimFailed(check, view)

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        """What a person needs to know, without a traceback unless --agog-debug."""
        if not self.run.options.debug:
            if isinstance(excinfo.value, ClaimFailed):
                from pytest_agog.report.failure import Failure

                view = excinfo.value.view
                return cast("TerminalRepr", Failure(excinfo.value.check, view.name, view.started_at))
            if isinstance(excinfo.value, AgogError):
                return str(excinfo.value)
        return super().repr_failure(excinfo)


class PlayItem(_ScenarioItem):
    """The play itself: passes when every step did."""

    def runtest(self) -> None:
        """Play the scenario.

        Raises:
            ClaimFailed: a step failed, or services did not start.
        """
        view = self.view()
        self.told(view.play, view)


class ClaimItem(_ScenarioItem):
    """One claim of the checklist."""

    claim: Claim

    @property
    def position(self) -> Position:
        """The claim's own place."""
        return self.claim.position

    def runtest(self) -> None:
        """Judge the claim.

        Raises:
            ClaimFailed: it does not hold.
        """
        view = self.view()
        self.told(next(check for check in view.checks if check.id == self.claim.id), view)
