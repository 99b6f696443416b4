"""Scenarios as pytest items: one for the play, one for each claim. The first that runs plays the scenario."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest
from _pytest import runner

from pytest_agog.errors import AgogError
from pytest_agog.selection import SUFFIXES, display_path
from pytest_agog.session.resting import seldom_collecting
from pytest_agog.session.run import AgogRun, run_of

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionInfo, TerminalRepr

    from pytest_agog.report.view import CheckView, ScenarioView
    from pytest_agog.scenario.reading.places import Position
    from pytest_agog.scenario.scenario import Claim, Scenario


ItemT = TypeVar("ItemT", bound="ScenarioItem")


class ClaimFailed(AgogError):
    """A claim does not hold, or the play failed: a finding, to be told without a traceback."""

    def __init__(self, check: CheckView, view: ScenarioView) -> None:
        super().__init__(f"{check.claim}: expected {check.expected}, observed {check.observed}")
        self.check = check
        self.view = view


def is_scenario_file(run: AgogRun, path: Path, *, claimed: bool) -> bool:
    """Whether a file that was named is one of ours; `claimed`: another plugin collects it."""
    if path in run.named:
        return True
    from pytest_agog.scenario.finding import is_scenario

    return path.suffix in SUFFIXES and (not claimed or is_scenario(path))


def scenario_file(parent: pytest.Collector, path: Path) -> ScenarioFile:
    """The collector for a scenario file, with an id that does not depend on rootdir.

    pytest takes ids for paths from rootdir on and shows them relative to where it was called; so where the two differ,
    because there are Python tests too, only the whole path is shown right.
    """
    start = run_of(parent.config).options.start
    shown = display_path(path, start) if parent.config.rootpath == start else path.as_posix()
    file: ScenarioFile = ScenarioFile.from_parent(parent, path=path, nodeid=shown)
    return file


def collect_report(file: ScenarioFile) -> pytest.CollectReport:
    """What pytest itself makes of it."""
    return runner.pytest_make_collect_report(file)


def scenarios_of(session: pytest.Session) -> list[Scenario]:
    """The scenarios of which something was selected."""
    return list({item.key: item.scenario for item in session.items if isinstance(item, ScenarioItem)}.values())


class ScenarioFile(pytest.File):
    """One scenario file."""

    def collect(self) -> Iterator[pytest.Item]:
        """The items of every run that the file's matrix makes.

        Raises:
            ScenarioErrors: the file is wrong.
        """
        with seldom_collecting():
            scenarios = run_of(self.config).load(self.path)
        for scenario in scenarios:
            self._register(scenario.tags)
            suffix = f"[{scenario.suffix}]" if scenario.suffix else ""
            yield self._item(PlayItem, f"play{suffix}", scenario)
            for claim in scenario.claims:
                item = self._item(ClaimItem, f"{claim.id}{suffix}", scenario)
                item.claim = claim
                yield item

    def _register(self, tags: tuple[str, ...]) -> None:
        """Tags are marks; registered, so that --strict-markers knows them."""
        known = {line.partition(":")[0] for line in self.config.getini("markers")}
        for tag in dict.fromkeys(tags):
            if tag not in known:
                self.config.addinivalue_line("markers", f"{tag}: tag of a scenario")

    def _item(self, kind: type[ItemT], name: str, scenario: Scenario) -> ItemT:
        # The explicit id: a name with brackets stays one name, and pytest's rootdir plays no part.
        item = kind.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}")
        item.scenario = scenario
        item.key = f"{self.nodeid}[{scenario.suffix}]"
        item.extra_keyword_matches.add(scenario.name)
        for tag in scenario.tags:
            item.add_marker(tag)
        return item

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        """Everything that is wrong with the file, without a traceback."""
        if isinstance(excinfo.value, AgogError) and not run_of(self.config).options.debug:
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class ScenarioItem(pytest.Item):
    """The play of one run of a scenario, or one of its claims."""

    scenario: Scenario
    key: str
    """Names the run: file and matrix values."""

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
        assert self.parent is not None
        return self.parent.nodeid, self.position.line - 1, self.name

    def view(self) -> ScenarioView:
        """What came of the scenario; plays it when nobody did so far."""
        from pytest_agog.session.showing import progress_line
        from pytest_agog.session.telling import outcome

        items = [item for item in (*self.session.items, self) if isinstance(item, ClaimItem)]
        wanted = {item.claim.id for item in items if item.key == self.key}
        with seldom_collecting(), progress_line(self.config) as progress:
            return outcome(self.run, self.key, self.scenario, wanted, progress)

    def tell(self, check: CheckView, view: ScenarioView) -> None:
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


class PlayItem(ScenarioItem):
    """The play itself: passes when every step did."""

    def runtest(self) -> None:
        """Play the scenario.

        Raises:
            ClaimFailed: a step failed, or services did not start.
        """
        view = self.view()
        self.tell(view.play, view)


class ClaimItem(ScenarioItem):
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
        self.tell(next(check for check in view.checks if check.id == self.claim.id), view)
