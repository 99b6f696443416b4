"""One pytest run's state: options, vocabulary, the shared Postgres, and the result of every scenario played so far."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_agog.errors import UsageError
from pytest_agog.selection import bundled_fixtures, bundled_scenarios, display_path

if TYPE_CHECKING:
    from pytest_agog.play.play import PlayOptions
    from pytest_agog.play.result import PlayResult
    from pytest_agog.report.view import ScenarioView
    from pytest_agog.scenario.scenario import Scenario
    from pytest_agog.scenario.vocabulary import Vocabulary
    from pytest_agog.stage.pool import PostgresPool

KEY = pytest.StashKey["AgogRun"]()
BACKENDS = ("embedded", "cluster", "external")


@dataclass(frozen=True)
class Options:
    """What the command line, the ini file and the environment say, in that order of precedence."""

    backend: str
    nats_url: str | None
    postgres_dsn: str | None
    report: Path | None
    keep: bool
    debug: bool
    folders: tuple[Path, ...]
    """Where scenarios are looked up when none is named by path."""
    data_roots: tuple[Path, ...]
    start: Path
    """Where pytest was called."""


def run_of(config: pytest.Config) -> AgogRun:
    """The state of the run that `config` belongs to; made on first use."""
    if KEY not in config.stash:
        config.stash[KEY] = AgogRun(config, read_options(config))
    return config.stash[KEY]


def option(config: pytest.Config, name: str) -> Any:
    """An option's value: command line, else environment (`AGOG_…`), else ini file."""
    given = config.getoption(f"agog_{name}", None)
    if given is not None:
        return given
    return os.environ.get(f"AGOG_{name.upper()}") or config.getini(f"agog_{name}") or None


def read_options(config: pytest.Config) -> Options:
    """The options of this run.

    Raises:
        UsageError: a backend that does not exist, or an external one without address.
    """
    backend = option(config, "backend")
    nats_url, postgres_dsn = option(config, "nats_url"), option(config, "postgres_dsn")
    if backend is None:
        backend = "external" if nats_url else "embedded"
    if backend not in BACKENDS:
        raise UsageError(f"--agog-backend={backend}: expected one of {', '.join(BACKENDS)}")
    if backend == "external" and not nats_url:
        raise UsageError("--agog-backend=external needs --agog-nats-url (or AGOG_NATS_URL)")
    start = config.invocation_params.dir
    base = config.inipath.parent if config.inipath is not None else start
    folders = tuple(base / folder for folder in config.getini("agog_scenarios")) or (bundled_scenarios(),)
    report = option(config, "report")
    return Options(
        backend=backend,
        nats_url=nats_url,
        postgres_dsn=postgres_dsn,
        report=start / report if report else None,
        keep=_is_true(option(config, "keep")),
        debug=_is_true(option(config, "debug")),
        folders=folders,
        data_roots=(*(base / folder for folder in config.getini("agog_data")), bundled_fixtures()),
        start=start,
    )


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in {"1", "true", "yes", "on"})


@dataclass
class AgogRun:
    """What the items of one run share."""

    config: pytest.Config
    options: Options
    views: dict[str, ScenarioView] = field(default_factory=dict)
    """What came of each scenario, by file and matrix values; with xdist the controller's are the workers'."""
    additions: list[str] = field(default_factory=list)
    """Paragraphs that plugins add to the summary."""
    _pool: PostgresPool | None = None

    # --- reading ------------------------------------------------------------------------------------------------
    def load(self, path: Path) -> list[Scenario]:
        """The scenarios in a file.

        Raises:
            ScenarioErrors: it is wrong; all errors at once.
        """
        from pytest_agog.scenario.load import load

        return load(path, self.vocabulary(), self.options.data_roots)

    def vocabulary(self) -> Vocabulary:
        """Checks, steps and agents of this run."""
        from pytest_agog.play.vocabulary import vocabulary

        agents = [name for names in self.config.hook.pytest_agog_agents() for name in names]
        return vocabulary(self._checks(), self._steps(), agents)

    def _checks(self) -> dict[str, Any]:
        from pytest_agog.checks.registry import builtin_checks, register

        return register(builtin_checks(), (check for more in self.config.hook.pytest_agog_checks() for check in more))

    def _steps(self) -> dict[str, Any]:
        from pytest_agog.play.vocabulary import builtin_steps, register_steps

        more = (step for steps in self.config.hook.pytest_agog_steps() for step in steps)
        return register_steps(builtin_steps(), more)

    # --- playing ------------------------------------------------------------------------------------------------
    def view(self, scenario: Scenario, file_id: str, wanted: Collection[str]) -> ScenarioView:
        """What came of `scenario`, which is played when it was not yet."""
        key = f"{file_id}[{scenario.suffix}]"
        if key not in self.views:
            self.views[key] = self._keep(self.play(scenario, wanted))
        return self.views[key]

    def _keep(self, result: PlayResult) -> ScenarioView:
        """What is needed of a result when its ledger is gone; the ledger itself is written where a report is wanted."""
        from pytest_agog.report.view import view

        if self.options.report is not None:
            from pytest_agog.report.writer import write_bundle

            write_bundle(self.options.report, result, base=self.options.start)
        more = self.config.hook.pytest_agog_report(result=result)
        self.additions.extend(text for text in more if text)
        return view(
            result,
            base=self.options.start,
            rerun=lambda result, item: self.rerun_command(result.scenario, item),
            with_timeline=self.options.report is not None,
        )

    def play(self, scenario: Scenario, wanted: Collection[str] | None = None) -> PlayResult:
        """Play `scenario` in this thread, to the end."""
        from pytest_agog.play.play import play

        with self._folder(scenario) as folder, self._showing_progress() as progress, self._stopping_on_sigterm():
            options = self.play_options(scenario, folder, wanted, progress)
            with asyncio.Runner() as runner:
                result = runner.run(play(scenario, options))
        self.config.hook.pytest_agog_played(result=result)
        return result

    def play_options(
        self, scenario: Scenario, folder: Path, wanted: Collection[str] | None, progress: Callable[[str], None]
    ) -> PlayOptions:
        """How this run plays `scenario`."""
        from pytest_agog import tokens
        from pytest_agog.play.play import PlayOptions
        from pytest_agog.stage.stage import StageOptions

        return PlayOptions(
            stage=StageOptions(
                folder=folder,
                backend=self.options.backend,
                nats_url=self.options.nats_url,
                postgres_dsn=self.options.postgres_dsn,
                postgres=self.postgres(),
                keep=self.options.keep,
            ),
            checks=self._checks(),
            steps=self._steps(),
            select=wanted,
            count_tokens=self.config.hook.pytest_agog_token_counter() or tokens.count,
            progress=progress,
            observe=lambda ledger: self.config.hook.pytest_agog_observe(ledger=ledger, scenario=scenario),
        )

    def postgres(self) -> PostgresPool:
        """The embedded Postgres of this process; it starts when somebody first asks it for a database."""
        if self._pool is None:
            from pytest_agog.stage.pgcache import Template
            from pytest_agog.stage.pool import PostgresPool
            from pytest_agog.stage.postgres import PostgresOptions
            from pytest_agog.stage.targets import REFERENCE

            template = Template(*REFERENCE.template_migrations())
            self._pool = PostgresPool(self._temporary("postgres"), PostgresOptions(template=template))
        return self._pool

    def _temporary(self, name: str) -> Path:
        factory: pytest.TempPathFactory = self.config._tmp_path_factory  # type: ignore[attr-defined]  # noqa: SLF001
        return factory.mktemp(f"agog-{name}")

    @contextlib.contextmanager
    def _folder(self, scenario: Scenario) -> Iterator[Path]:
        """A folder below pytest's own temporary folder, gone afterwards unless services stay up."""
        folder = self._temporary(scenario.name[:40])
        try:
            yield folder
        finally:
            if not self.options.keep:
                shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _stopping_on_sigterm(self) -> Iterator[None]:
        """SIGTERM ends the play as Ctrl-C does, so that every service is stopped."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    @contextlib.contextmanager
    def _showing_progress(self) -> Iterator[Callable[[str], None]]:
        """A progress line on the terminal, past pytest's capture; nothing where there is no terminal."""
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        capture = self.config.pluginmanager.getplugin("capturemanager")
        if reporter is None:
            yield lambda _: None
            return
        from pytest_agog.report.progress import Progress
        from pytest_agog.report.screen import Screen

        file = reporter._tw._file  # noqa: SLF001 - pytest offers no other way to the terminal behind its capture
        progress = Progress(file, Screen.of(file))

        def show(text: str) -> None:
            with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
                progress.update(text)

        try:
            yield show
        finally:
            with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
                progress.clear()

    # --- telling ------------------------------------------------------------------------------------------------
    def rerun_command(self, scenario: Scenario, item: str) -> str:
        """One command that runs just this item again."""
        shown = display_path(scenario.path, self.options.start)
        path = shown if (self.options.start / shown).exists() else scenario.name
        suffix = f"[{scenario.suffix}]" if scenario.suffix else ""
        words = ["pytest", f"--agog-scenario={path}::{item}{suffix}"]
        if self.options.backend in {"cluster", "container"}:
            words.append(f"--agog-backend={self.options.backend}")
        return shlex.join(words)

    def finish(self) -> None:
        """The tests are over: stop what the run shares, and hand a worker's results to the controller."""
        if self._pool is not None:
            self._pool.stop()
            self._pool = None
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output["agog"] = {
                "views": {key: view.to_json() for key, view in self.views.items()},
                "additions": self.additions,
            }

    def take_over(self, output: dict[str, Any]) -> None:
        """Results that a worker of xdist hands over."""
        from pytest_agog.report.view import ScenarioView

        self.views.update({key: ScenarioView.from_json(view) for key, view in output["views"].items()})
        self.additions.extend(output["additions"])

    def summarise(self, reporter: pytest.TerminalReporter) -> None:
        """Write the reports, and show checklist and token table."""
        if not self.views:
            return
        from pytest_agog.report.annotations import github_annotations
        from pytest_agog.report.screen import Screen
        from pytest_agog.report.terminal import summary

        views = [self.views[key] for key in sorted(self.views)]
        writer = reporter._tw  # noqa: SLF001 - pytest offers no other way to its width and colours
        screen = Screen.of(writer._file, color=writer.hasmarkup, width=writer.fullwidth)  # noqa: SLF001
        reporter.section("scenarios")
        reporter.write(summary(views, screen, verbose=reporter.config.get_verbosity() > 0))
        for line in github_annotations(views):
            reporter.line(line)
        if self.options.report is not None:
            from pytest_agog.report.writer import write_reports

            write_reports(self.options.report, views, self.additions)
            reporter.line(f"report: {display_path(self.options.report, self.options.start)}")
