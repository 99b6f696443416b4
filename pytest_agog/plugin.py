"""pytest's hooks, and nothing else: options, collection, summary. Everything else is imported when it is needed."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_agog import hookspecs
from pytest_agog.fixtures import (
    agog_comms,
    agog_deliverables,
    agog_ledger,
    agog_nats,
    agog_orchestrator,
    agog_play,
    agog_postgres,
)
from pytest_agog.session.options import add_options
from pytest_agog.session.run import KEY, run_of
from pytest_agog.session.sparing import spare_hypothesis, spare_rewriting

__all__ = [
    "agog_comms",
    "agog_deliverables",
    "agog_ledger",
    "agog_nats",
    "agog_orchestrator",
    "agog_play",
    "agog_postgres",
]
HANDED = "agog"
"""Where reports carry what is ours from xdist's workers to the controller."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make known what users can extend."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Options on the command line, in the ini file, and (as AGOG_…) in the environment."""
    spare_rewriting(pluginmanager)
    add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let the scenarios that were asked for be collected: alone, or beside the paths on the command line."""
    from pytest_agog.session.beginning import begin

    begin(config)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """A YAML file that was named is a scenario file, unless it is none and another plugin knows what it is."""
    collectors = yield
    run = parent.config.stash.get(KEY, None)
    if run is not None and run.options.gate is not None and file_path == run.options.gate.absolute():
        from pytest_agog.session.gating import gate_file

        collectors.append(gate_file(parent, file_path))
    elif run is not None and (file_path in run.named or parent.session.isinitpath(file_path)):
        from pytest_agog.session.collection import is_scenario_file, scenario_file

        if is_scenario_file(run, file_path, claimed=bool(collectors)):
            collectors.append(scenario_file(parent, file_path))
    return collectors


@pytest.hookimpl(tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> pytest.CollectReport | None:
    """--lf leaves out files without failures and looks for those below rootdir, where scenarios need not be."""
    if not isinstance(collector, pytest.File) or KEY not in collector.config.stash:
        return None
    from pytest_agog.session.collection import ScenarioFile, collect_report

    return collect_report(collector) if isinstance(collector, ScenarioFile) else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to start what the first scenario would wait for."""
    if KEY in session.config.stash and not session.config.option.collectonly:
        from pytest_agog.session.collection import scenarios_of

        run_of(session.config).warm_up(scenarios_of(session))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Keep whole scenarios on one worker."""
    from pytest_agog.session.beginning import plays_scenarios

    if not plays_scenarios(config):
        return None
    from pytest_agog.session.scheduling import scheduler

    return scheduler(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable(
    config: pytest.Config, report: pytest.CollectReport | pytest.TestReport
) -> Generator[None, Any, Any]:
    """A worker of xdist sends what came of its scenarios along with the next report."""
    data = yield
    if isinstance(data, dict) and hasattr(config, "workerinput") and KEY in config.stash:
        from pytest_agog.session.handing import hand_over

        data[HANDED] = hand_over(run_of(config), report)
    return data


@pytest.hookimpl(wrapper=True)
def pytest_report_from_serializable(config: pytest.Config, data: dict[str, Any]) -> Generator[None, Any, Any]:
    """The controller takes it over."""
    handed = data.pop(HANDED, None)
    report = yield
    if handed is not None:
        from pytest_agog.session.handing import take_over

        take_over(run_of(config), handed, report)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what the run shares, and write the reports."""
    run = session.config.stash.get(KEY, None)
    if run is None:
        return
    run.stop()
    spare_hypothesis(session.config)
    if (run.told or run.uncollected) and not hasattr(session.config, "workerinput"):
        from pytest_agog.session.telling import finish

        finish(run, session)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run is over, however it came to that."""
    if run := config.stash.get(KEY, None):
        run.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Checklist and token table."""
    run = config.stash.get(KEY, None)
    if run is not None and run.told:
        from pytest_agog.session.telling import summarise

        summarise(run, terminalreporter)
