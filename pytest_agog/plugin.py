"""pytest's hooks, and nothing else: options, collection, summary. Everything else is imported when it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_agog import hookspecs
from pytest_agog.errors import AgogError
from pytest_agog.fixtures import agog_deliverables, agog_ledger, agog_nats, agog_play, agog_postgres

if TYPE_CHECKING:
    from pytest_agog.collection import ScenarioFile

__all__ = ["agog_deliverables", "agog_ledger", "agog_nats", "agog_play", "agog_postgres"]
_ALL = ""
_SUFFIXES = {".yaml", ".yml"}


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make known what users can extend."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options on the command line, in the ini file, and (as AGOG_…) in the environment."""
    group = parser.getgroup("agog", "scenarios for multi-agent systems")
    group.addoption(
        "--agog-scenario",
        action="append",
        nargs="?",
        const=_ALL,
        metavar="NAME|FILE|FOLDER",
        help="play these scenarios; without a value all of them (bundled, or those of the ini file's agog_scenarios)",
    )
    both = (
        ("backend", "BACKEND", "where services come from: embedded (default), cluster, external"),
        ("nats-url", "URL", "an existing NATS server; implies --agog-backend=external"),
        ("postgres-dsn", "DSN", "an existing Postgres server"),
        ("report", "DIR", "write report.json, report.html, summary.md and the ledgers to this folder"),
    )
    for name, metavar, text in both:
        group.addoption(f"--agog-{name}", metavar=metavar, default=None, help=text)
        parser.addini(f"agog_{name.replace('-', '_')}", f"as --agog-{name}", default=None)
    for name, text in (
        ("keep", "leave services up after the last scenario and print their addresses"),
        ("debug", "show Python tracebacks"),
    ):
        group.addoption(f"--agog-{name}", action="store_true", default=None, help=text)
        parser.addini(f"agog_{name}", f"as --agog-{name}", type="bool", default=False)
    parser.addini("agog_scenarios", "folders of scenarios, instead of the bundled ones", type="args", default=[])
    parser.addini("agog_data", "further folders that scenarios may read data from", type="args", default=[])


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let the scenarios that were asked for be collected: alone, or beside the paths on the command line."""
    words = config.getoption("agog_scenario")
    if words is None or hasattr(config, "workerinput"):
        return
    from pytest_agog.run import run_of
    from pytest_agog.selection import select

    try:
        options = run_of(config).options
        chosen = select(words, options.folders, options.start)
    except AgogError as error:
        raise pytest.UsageError(str(error)) from None
    arguments = [f"{entry.path}::{entry.item}" if entry.item else str(entry.path) for entry in chosen]
    alone = config.args_source is not pytest.Config.ArgsSource.ARGS
    config.args = arguments if alone else [*config.args, *arguments]
    config.args_source = pytest.Config.ArgsSource.ARGS


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """A YAML file that was named on the command line is a scenario file; one that is merely found is not."""
    if file_path.suffix not in _SUFFIXES or not parent.session.isinitpath(file_path):
        return None
    from pytest_agog.collection import ScenarioFile
    from pytest_agog.run import run_of
    from pytest_agog.selection import display_path

    shown = display_path(file_path, run_of(parent.config).options.start)
    file: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path, nodeid=shown)
    return file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Keep whole scenarios on one worker when tests are spread one by one."""
    if config.getoption("dist") not in {"load", "worksteal"} or config.getoption("agog_scenario") is None:
        return None
    from pytest_agog.scheduling import ScenarioScheduling

    return ScenarioScheduling(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what the run shares; hand a worker's results to the controller."""
    from pytest_agog.run import KEY

    run = session.config.stash.get(KEY, None)
    if run is not None:
        run.finish()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker of xdist is done: take over its results."""
    from pytest_agog.run import run_of

    output = getattr(node, "workeroutput", {}).get("agog")
    if output:
        run_of(node.config).take_over(output)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Checklist and token table."""
    from pytest_agog.run import KEY

    run = config.stash.get(KEY, None)
    if run is not None:
        run.summarise(terminalreporter)
