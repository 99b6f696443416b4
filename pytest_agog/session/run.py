"""One pytest run's state: options, vocabulary, the shared Postgres, and the result of every scenario played so far."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_agog.errors import ServiceError, UsageError
from pytest_agog.session.folders import Folders
from pytest_agog.session.options import Options, read_options
from pytest_agog.session.stopping import Stopping

if TYPE_CHECKING:
    from pytest_agog.checks.registry import Checks
    from pytest_agog.play.play import PlayOptions
    from pytest_agog.play.result import Judgement, PlayResult
    from pytest_agog.scenario.scenario import Scenario
    from pytest_agog.scenario.vocabulary import Vocabulary
    from pytest_agog.session.looping import BackgroundLoop
    from pytest_agog.session.telling import Told
    from pytest_agog.stage.servers.pgcache import Template
    from pytest_agog.stage.servers.pool import PostgresPool
    from pytest_agog.stage.servers.postgres import PostgresServer
    from pytest_agog.stage.target.targets import Target

KEY = pytest.StashKey["AgogRun"]()


def run_of(config: pytest.Config) -> AgogRun:
    """The state of the run that `config` belongs to; made on first use.

    Raises:
        UsageError: options that cannot be.
    """
    if KEY not in config.stash:
        config.stash[KEY] = AgogRun(config, read_options(config))
    return config.stash[KEY]


def _say_nothing(_: str) -> None:
    """No progress is shown."""


class AgogRun:
    """What the items and fixtures of one run share."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        self.config = config
        self.options = options
        self.named: frozenset[Path] = frozenset()
        """Files that --agog-scenario chose, whatever they are called."""
        self.told: dict[str, Told | Exception] = {}
        """What came of each scenario, by file and matrix values; with xdist the controller's are the workers'."""
        self.alone = False
        """Whether nothing but scenarios is collected."""
        self.uncollected = False
        """Whether a worker of xdist met a scenario file that is wrong."""
        self.unwritten = ""
        """Why there is no report, when one was wanted."""
        self.folders = Folders(config)
        self._loop: BackgroundLoop | None = None
        self._pool: PostgresPool | None = None
        self._pool_folder: Path | None = None
        self._pool_stays = False
        self._engine_lacks: str | None = None
        """What lacks for containers; None as long as nobody asked."""
        self._stopping = Stopping()
        self._stopping.begin(worker=hasattr(config, "workerinput"))

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

    def _checks(self) -> Checks:
        from pytest_agog.checks.registry import builtin_checks, register

        return register(builtin_checks(), (check for more in self.config.hook.pytest_agog_checks() for check in more))

    def _steps(self) -> dict[str, Any]:
        from pytest_agog.play.vocabulary import builtin_steps, register_steps

        more = (step for steps in self.config.hook.pytest_agog_steps() for step in steps)
        return register_steps(builtin_steps(), more)

    @cached_property
    def target(self) -> Target:
        """The system under test.

        Raises:
            UsageError: there is no such file.
            ScenarioErrors: the file is wrong, or wants what this version cannot do.
        """
        from pytest_agog.stage.target.targets import REFERENCE

        if self.options.target is None:
            return REFERENCE
        if not self.options.target.exists():
            raise UsageError(f"--agog-target={self.options.target}: there is no such file")
        from pytest_agog.stage.target.target_file import read_target

        return read_target(self.options.target)

    # --- playing ------------------------------------------------------------------------------------------------
    def play(
        self,
        scenario: Scenario,
        wanted: Collection[str] | None = None,
        progress: Callable[[str], None] = _say_nothing,
    ) -> PlayResult:
        """Play `scenario` to its end and wait for it; judge the claims whose ids are `wanted`, or all."""
        self.need_engine()
        result = self.loop.call(self.playing(scenario, wanted, progress))
        self.played(result)
        return result

    async def playing(
        self,
        scenario: Scenario,
        wanted: Collection[str] | None = None,
        progress: Callable[[str], None] = _say_nothing,
    ) -> PlayResult:
        """The same on the running event loop; call `played` when it is done."""
        from pytest_agog.play.play import play

        folder = self.folders.new(scenario.name[:40], lasting=self.options.keep)
        stays = False
        try:
            result = await play(scenario, self.play_options(scenario, folder, wanted, progress))
            stays = bool(result.left_up)
            self._pool_stays |= any(service.name == "postgres" for service in result.left_up)
        finally:
            if not stays:
                self.folders.remove(folder)
        return replace(result, judgements=tuple(self._insisting(judgement) for judgement in result.judgements))

    def played(self, result: PlayResult) -> None:
        """Tell plugins of a play."""
        self.config.hook.pytest_agog_played(result=result)

    def play_options(
        self, scenario: Scenario, folder: Path, wanted: Collection[str] | None, progress: Callable[[str], None]
    ) -> PlayOptions:
        """How this run plays `scenario`."""
        from pytest_agog import tokens
        from pytest_agog.play.play import PlayOptions
        from pytest_agog.stage.needs import needs_postgres
        from pytest_agog.stage.stage import StageOptions

        with_postgres = needs_postgres(scenario)
        return PlayOptions(
            stage=StageOptions(
                folder=folder,
                backend=self.options.backend,
                nats_url=self.options.nats_url,
                postgres_dsn=self.options.postgres_dsn,
                postgres_template=self._template() if with_postgres else None,
                postgres=self.postgres() if with_postgres else None,
                keep=self.options.keep,
            ),
            target=self.target,
            checks=self._checks(),
            steps=self._steps(),
            select=wanted,
            count_tokens=self.config.hook.pytest_agog_token_counter() or tokens.count,
            progress=progress,
            observe=lambda ledger: self.config.hook.pytest_agog_observe(ledger=ledger, scenario=scenario),
        )

    def _insisting(self, judgement: Judgement) -> Judgement:
        """A claim that was skipped for want of a part that --agog-require names has failed."""
        verdict = judgement.verdict
        if verdict.outcome != "skipped" or verdict.missing not in self.options.require:
            return judgement
        observed = f"{verdict.observed} (--agog-require={verdict.missing} refuses to skip)"
        return replace(judgement, verdict=replace(verdict, outcome="failed", observed=observed))

    # --- what is shared -----------------------------------------------------------------------------------------
    @property
    def loop(self) -> BackgroundLoop:
        """The event loop on which this run plays and records."""
        if self._loop is None:
            from pytest_agog.session.looping import BackgroundLoop

            self._loop = BackgroundLoop()
        return self._loop

    def need_engine(self) -> None:
        """Skip the item that is about to play in containers on a machine without an engine, or fail it where
        --agog-require names `docker`.

        Raises:
            ServiceError: there is none, and there must be.
        """
        if self.options.backend != "container":
            return
        if self._engine_lacks is None:
            from pytest_agog.stage.machine.engine import missing

            self._engine_lacks = missing()
        if self._engine_lacks and "docker" in self.options.require:
            raise ServiceError(f"{self._engine_lacks} (--agog-require=docker refuses to skip)")
        if self._engine_lacks:
            pytest.skip(self._engine_lacks)

    def postgres(self) -> PostgresPool:
        """The embedded Postgres of this process; it starts when somebody first asks it for a database."""
        if self._pool is None:
            from pytest_agog.stage.servers.pool import PostgresPool
            from pytest_agog.stage.servers.postgres import PostgresOptions

            self._pool_folder = self.folders.new("postgres", lasting=self.options.keep)
            options = PostgresOptions(template=self._template(), outlive=self.options.keep)
            server: PostgresServer | None = None
            if self.options.backend == "container":
                from pytest_agog.stage.servers.container_postgres import ContainerPostgres

                server = ContainerPostgres(self._pool_folder / "server", options)
            self._pool = PostgresPool(self._pool_folder / "server", options, server)
        return self._pool

    def _template(self) -> Template:
        """What a new database holds."""
        from pytest_agog.stage.servers.pgcache import Template

        return Template(*self.target.template_migrations())

    def left_folders(self) -> tuple[Path, ...]:
        """What to remove when the services that were left up are ended."""
        places = [
            self.folders.lasting,
            self._pool.server.place if self._pool is not None and self._pool_stays else None,
        ]
        found = [place for place in places if place is not None]
        return tuple(place for place in found if place is found[0] or not place.is_relative_to(found[0]))

    def warm_up(self, scenarios: Collection[Scenario]) -> None:
        """Begin to start what the first of `scenarios` would wait for."""
        if not scenarios or self.options.postgres_dsn is not None or hasattr(self.config, "workerinput"):
            return
        from pytest_agog.stage.needs import needs_postgres

        if any(needs_postgres(scenario) for scenario in scenarios):
            self.postgres().warm()

    def stop(self) -> None:
        """The tests are over: stop what they shared; idempotent."""
        if self._loop is not None:
            self._loop.close()
        if self._pool is not None and not self._pool_stays:
            self._pool.stop()
            if self._pool_folder is not None:
                self.folders.remove(self._pool_folder)
        self._pool = None

    def close(self) -> None:
        """The run is over; idempotent."""
        self.stop()
        self._stopping.end()
        if self.alone:
            from pytest_agog.session.resting import rest_for_good

            rest_for_good()
