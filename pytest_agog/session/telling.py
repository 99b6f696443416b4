"""What came of the plays: kept when the ledger is gone, and told at the end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_agog.errors import ReportUnwritable
from pytest_agog.selection import display_path
from pytest_agog.session.rerun import rerun_command
from pytest_agog.stage.servers.services import LeftUp

if TYPE_CHECKING:
    from pytest_agog.play.result import PlayResult
    from pytest_agog.report.view import ScenarioView
    from pytest_agog.scenario.scenario import Scenario
    from pytest_agog.session.run import AgogRun


@dataclass(frozen=True)
class Told:
    """One scenario, played and judged, as reports need it."""

    view: ScenarioView
    additions: tuple[str, ...] = ()
    """Paragraphs that plugins add to the summary."""
    left_up: tuple[LeftUp, ...] = ()
    left_folders: tuple[str, ...] = ()
    """What to remove when they are ended."""
    handed_over: bool = False
    """Whether a worker of xdist has sent it to the controller."""

    def to_json(self) -> dict[str, Any]:
        """As plain data, for execnet."""
        return {
            "view": self.view.to_json(),
            "additions": list(self.additions),
            "left_up": [asdict(service) for service in self.left_up],
            "left_folders": list(self.left_folders),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Told:
        """What `to_json` wrote."""
        from pytest_agog.report.view import ScenarioView

        return cls(
            ScenarioView.from_json(data["view"]),
            tuple(data["additions"]),
            tuple(LeftUp(**service) for service in data["left_up"]),
            tuple(data["left_folders"]),
            handed_over=True,
        )


def outcome(
    run: AgogRun, key: str, scenario: Scenario, wanted: Collection[str], progress: Callable[[str], None]
) -> ScenarioView:
    """What came of `scenario`, which is played when it was not yet, or when claims are wanted that were not judged.

    Raises:
        Exception: what the play, or a plugin that was told of it, raised: the same for every item.
    """
    known = run.told.get(key)
    if isinstance(known, Exception):
        raise known
    if known is None or not {check.id for check in known.view.checks}.issuperset(wanted):
        try:
            known = tell(run, run.play(scenario, wanted, progress))
        except Exception as error:
            run.told[key] = error
            raise
        run.told[key] = known
    return known.view


def tell(run: AgogRun, result: PlayResult) -> Told:
    """What is needed of a result when its ledger is gone; the ledger itself is written where a report is wanted.

    Raises:
        ReportUnwritable: the folder for reports takes nothing.
    """
    from pytest_agog.report.view import view

    options = run.options
    if options.report is not None:
        from pytest_agog.report.writer import write_bundle

        try:
            write_bundle(options.report, result, base=options.start)
        except OSError as error:
            raise _unwritable(options.report, error) from error
    added = run.config.hook.pytest_agog_report(result=result)
    return Told(
        view(
            result,
            base=options.start,
            rerun=lambda result, item: rerun_command(options, result.scenario, item),
            with_timeline=options.report is not None,
        ),
        tuple(text for text in added if text),
        result.left_up,
        tuple(str(folder) for folder in run.left_folders()) if result.left_up else (),
    )


def every(run: AgogRun) -> list[Told]:
    """All results, sorted by file and matrix values."""
    return [told for _, told in sorted(run.told.items()) if isinstance(told, Told)]


def prepare_report(folder: Path) -> None:
    """Make the folder for reports.

    Raises:
        ReportUnwritable: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def finish(run: AgogRun, session: pytest.Session) -> None:
    """Write the reports, where they are wanted. A run that cannot write them fails.

    A scenario file that is wrong interrupts the session (exit status 2); xdist only calls that a failure.
    """
    goes_on = session.config.getoption("continue_on_collection_errors")
    if run.uncollected and not goes_on and session.exitstatus == pytest.ExitCode.TESTS_FAILED:
        session.exitstatus = pytest.ExitCode.INTERRUPTED
    told = every(run)
    if run.options.report is None or not told:
        return
    from pytest_agog.report.writer import write_reports

    additions = [text for one in told for text in one.additions]
    try:
        write_reports(run.options.report, [one.view for one in told], additions)
    except OSError as error:
        run.unwritten = str(_unwritable(run.options.report, error))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def summarise(run: AgogRun, reporter: pytest.TerminalReporter) -> None:
    """Show checklist and token table, where the report is, and what was left up."""
    told = every(run)
    if not told:
        return
    from pytest_agog.report.annotations import github_annotations
    from pytest_agog.report.screen import Screen
    from pytest_agog.report.terminal import summary

    views = [one.view for one in told]
    writer = reporter._tw  # noqa: SLF001 - pytest offers no other way to its width and colours
    screen = Screen.of(writer._file, color=writer.hasmarkup, width=writer.fullwidth)  # noqa: SLF001
    reporter.section("scenarios")
    reporter.write(summary(views, screen, verbose=reporter.config.get_verbosity() > 0))
    for line in github_annotations(views):
        reporter.line(line)
    if run.unwritten:
        reporter.line(run.unwritten, red=True)
    elif run.options.report is not None:
        reporter.line(f"report: {display_path(run.options.report, run.options.start)}")
    for line in _left_up(told):
        reporter.line(line)


def _left_up(told: list[Told]) -> Iterator[str]:
    """The services that stay, and the commands that end them."""
    staying = [one for one in told if one.left_up]
    if not staying:
        return
    yield "left up by --agog-keep:"
    for one in staying:
        yield f"  {one.view.name}"
        for service in one.left_up:
            pid = f"  pid {service.pid}" if service.pid is not None else ""
            yield f"    {service.name:<15} {service.url}{pid}"
    services = [service for one in staying for service in one.left_up]
    pids = dict.fromkeys(str(service.pid) for service in services if service.pid is not None)
    folders = dict.fromkeys(folder for one in staying for folder in one.left_folders)
    yield f"end them with: kill {' '.join(pids)}; rm -rf {shlex.join(folders)}"


def _unwritable(folder: Path, error: OSError) -> ReportUnwritable:
    return ReportUnwritable(folder=folder, reason=error.strerror or str(error))
