"""One pytest run's state: options, vocabulary, the shared Postgres, and the result of every scenario played so far."""

from __future__ import annotations

import asyncio
import contextlib
import os
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
    from pytest_agog.play.result import Judgement, PlayResult
    from pytest_agog.report.terminal import Progress
    from pytest_agog.scenario.scenario import Scenario
    from pytest_agog.scenario.vocabulary import Vocabulary
    from pytest_agog.stage.stage import PostgresPool

KEY = pytest.StashKey["AgogRun"]()
BACKENDS = ("embedded", "cluster", "external", "container")


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
    results: dict[str, PlayResult] = field(default_factory=dict)
    _pool: PostgresPool | None = None
    _progress: Progress | None = None
    _terminated: bool = False

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
    def result(self, scenario: Scenario, file_id: str, wanted: Collection[str]) -> PlayResult:
        """The result of `scenario`, which is played when it was not yet."""
        key = f"{file_id}[{scenario.suffix}]"
        if key not in self.results:
            self.results[key] = self.play(scenario, wanted)
        return self.results[key]

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
            from pytest_agog.stage.stage import PostgresPool

            self._pool = PostgresPool(self._temporary("postgres"))
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
        if reporter is None or not reporter.isatty:
            yield lambda _: None
            return
        from pytest_agog.report.terminal import Progress

        progress = Progress(reporter._tw._file)  # noqa: SLF001

        def show(text: str) -> None:
            with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
                progress.update(text)

        try:
            yield show
        finally:
            with capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext():
                progress.clear()

    def close(self) -> None:
        """Stop what the run shares."""
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    # --- telling ------------------------------------------------------------------------------------------------
    def play_failure_text(self, result: PlayResult, nodeid: str) -> str:
        """What pytest shows of a failed play."""
        from pytest_agog.report.failure import play_failure

        return play_failure(result, self.rerun_command(result.scenario, nodeid))

    def claim_failure_text(self, result: PlayResult, judgement: Judgement, nodeid: str) -> str:
        """What pytest shows of a claim that does not hold."""
        from pytest_agog.report.failure import claim_failure

        return claim_failure(result, judgement, self.rerun_command(result.scenario, nodeid))

    def rerun_command(self, scenario: Scenario, nodeid: str) -> str:
        """One command that runs just this item again."""
        import shlex

        item = nodeid.split("::", 1)[1]
        shown = display_path(scenario.path, self.options.start)
        path = shown if (self.options.start / shown).exists() else scenario.name
        words = ["pytest", f"--agog-scenario={path}::{item}"]
        if self.options.backend in {"cluster", "container"}:
            words.append(f"--agog-backend={self.options.backend}")
        return shlex.join(words)
