"""The stage: what one scenario needs, brought up before its play and taken down after it, whatever happens. [X4]"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeVar

from pytest_agog.errors import MaxPayloadTooSmall, UsageError
from pytest_agog.masking import mask
from pytest_agog.scenario.model import Kill, Restart, Wait
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.stage.nats import NatsOptions, NatsServer
from pytest_agog.stage.services import LeftUp, NatsService
from pytest_agog.wire.streams import MAX_MESSAGE

if TYPE_CHECKING:
    # What most plays do without is imported by those that need it.
    from pytest_agog.stage.external import ExternalPostgres
    from pytest_agog.stage.pgcache import Template
    from pytest_agog.stage.pool import PostgresPool

T = TypeVar("T")
Backend = Literal["embedded", "cluster", "external"]
BACKENDS: tuple[Backend, ...] = ("embedded", "cluster", "external")
_POSTGRES_CHECKS = frozenset({"rows", "table"})


@dataclass(frozen=True)
class StageOptions:
    """Where a stage's services come from."""

    folder: Path
    """An own, empty folder for this scenario's run."""
    backend: str = "embedded"
    """One of `BACKENDS`."""
    nats_url: str | None = None
    """With the external backend."""
    nats_creds: Path | None = None
    """A credentials file for it."""
    postgres: PostgresPool | None = None
    """Where databases come from when there is no DSN."""
    postgres_dsn: str | None = None
    """An external Postgres, with any backend."""
    postgres_template: Template | None = None
    """What a database on it gets first."""
    keep: bool = False
    """Leave the services up at the end."""
    patience: float = 600.0
    """Seconds to wait for the turn on external NATS."""


def needs_postgres(scenario: Scenario) -> bool:
    """Whether the scenario declares Postgres, touches it in a step, or claims something about rows or tables."""
    if scenario.services.postgres is not None:
        return True
    if any(claim.check in _POSTGRES_CHECKS for claim in scenario.claims):
        return True
    for step in scenario.steps:
        if isinstance(step.arguments, Wait) and _POSTGRES_CHECKS & step.arguments.until.keys():
            return True
        if isinstance(step.arguments, (Kill, Restart)) and step.arguments.component == "postgres":
            return True
    return False


class Stage:
    """An async context manager; inside it the services run and `prepare` has been awaited.

    Raises on entering:
        UsageError: an unknown backend, or one that lacks its address.
        ServiceError: a service did not start, cannot be reached or takes too small messages.
    """

    def __init__(
        self,
        scenario: Scenario,
        options: StageOptions,
        prepare: Callable[[Stage], Awaitable[None]] | None = None,
    ) -> None:
        self.scenario = scenario
        self.options = options
        self.nats: NatsService
        self.postgres_dsn: str | None = None
        """The scenario's own database, when it needs one."""
        self.output_folder = options.folder / "output"
        """AGENT_OUTPUT_DIR, with `nats-scripts/` and `deliverables/`."""
        self._prepare = prepare
        self._exit = contextlib.AsyncExitStack()
        self._stays = False
        self._postgres: ExternalPostgres | None = None
        if options.postgres_dsn is not None:
            from pytest_agog.stage.external import ExternalPostgres

            self._postgres = ExternalPostgres(options.postgres_dsn, options.postgres_template)

    @property
    def baseline(self) -> dict[str, int]:
        """Each stream's last sequence when the stage came up; empty for a server of our own."""
        if self.options.backend != "external":
            return {}
        from pytest_agog.stage.external import ExternalNats

        return dict(self.nats.baseline) if isinstance(self.nats, ExternalNats) else {}

    @property
    def postgres_version(self) -> str | None:
        """Of the server behind `postgres_dsn`, or None without one."""
        if self.postgres_dsn is None:
            return None
        source = self._postgres or self.options.postgres
        return source.version if source else None

    @property
    def urls(self) -> dict[str, str]:
        """The services' addresses, secrets masked."""
        found = {"nats": self.nats.url, "monitor": self.nats.monitor_url, "postgres": self.postgres_dsn}
        return {name: mask(url) for name, url in found.items() if url}

    @property
    def left_up(self) -> tuple[LeftUp, ...]:
        """The services of ours that stay, once the stage was struck with `keep`."""
        if not self._stays:
            return ()
        from pytest_agog.stage.cluster import NatsCluster

        found: list[LeftUp] = []
        servers = self.nats.servers if isinstance(self.nats, NatsCluster) else [self.nats]
        for number, server in enumerate(servers, start=1):
            if isinstance(server, NatsServer) and server.alive:
                name = "nats" if len(servers) == 1 else f"nats-{number}"
                found.append(LeftUp(name, server.url, server.pid))
                found.append(LeftUp(f"{name} monitor", server.monitor_url, None))
        pool = self.options.postgres
        if self._postgres is None and pool is not None and self.postgres_dsn is not None and pool.server.alive:
            found.append(LeftUp("postgres", self.postgres_dsn, pool.server.pid))
        return tuple(found)

    async def __aenter__(self) -> Stage:
        _check(self.options)
        for name in ("nats-scripts", "deliverables"):
            (self.output_folder / name).mkdir(parents=True, exist_ok=True)
        async with contextlib.AsyncExitStack() as stack:
            # Both start at once: the longer hides the other.
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._bring_nats(stack))
                    if needs_postgres(self.scenario):
                        group.create_task(self._bring_postgres(stack))
                    group.create_task(_import_client())
            except BaseExceptionGroup as both:
                raise _first(both) from None
            self._check_payload()
            if self._prepare is not None:
                await self._prepare(self)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is interrupted is not left up: nobody would be told of it.
        self._stays = self.options.keep and error is None
        await self._exit.__aexit__(kind, error, trace)

    async def _unless_it_stays(self, stop: Callable[[], None]) -> None:
        if not self._stays:
            await blocking(stop)

    async def kill(self, component: str, signal: str = "KILL", server: int | None = None) -> None:
        """Kill NATS (one server of a cluster, or all) or Postgres.

        Raises:
            UsageError: the service is not ours to kill, or there is none.
        """
        if component == "nats":
            await blocking(lambda: self.nats.kill(signal, server))
        else:
            pool = self._own_postgres("killed")
            await blocking(lambda: pool.server.kill(signal))

    async def restart(self, component: str, server: int | None = None) -> None:
        """Start NATS or Postgres again on the same address with the same data.

        Raises:
            UsageError: the service is not ours to restart, or there is none.
            ServiceDidNotStart: it did not come up.
        """
        if component == "nats":
            await blocking(lambda: self.nats.restart(server))
        else:
            pool = self._own_postgres("restarted")
            await blocking(pool.server.restart)

    def _own_postgres(self, done: str) -> PostgresPool:
        if self._postgres is not None:
            raise UsageError(f"Postgres at {mask(self._postgres.given)} is external and cannot be {done}")
        if self.options.postgres is None or self.postgres_dsn is None:
            raise UsageError(f"there is no Postgres that could be {done}; declare `services: {{postgres: {{}}}}`")
        return self.options.postgres

    async def _bring_nats(self, stack: contextlib.AsyncExitStack) -> None:
        if self.options.backend == "external":
            from pytest_agog.stage.external import ExternalNats

            assert self.options.nats_url is not None
            external = ExternalNats(
                self.options.nats_url, creds=self.options.nats_creds, patience=self.options.patience
            )
            self.nats = await stack.enter_async_context(external)
            return
        wanted = self.scenario.services.nats
        options = NatsOptions(
            max_payload=wanted.max_payload,
            sync_interval=wanted.sync_interval,
            store_limit=wanted.store_limit,
            outlive=self.options.keep,
        )
        folder = self.options.folder / "nats"
        server: NatsService
        start: Callable[[], None]
        if self.options.backend == "cluster" or wanted.servers > 1:
            from pytest_agog.stage.cluster import NatsCluster

            server = cluster = NatsCluster(folder, options)
            start = cluster.start
        else:
            server = single = NatsServer(folder, options)
            start = single.start
        self.nats = server
        stack.push_async_callback(self._unless_it_stays, server.stop)
        await blocking(start)

    async def _bring_postgres(self, stack: contextlib.AsyncExitStack) -> None:
        external, pool = self._postgres, self.options.postgres
        name = _database_name(self.scenario)
        made: list[str] = []

        def create() -> None:
            if external is not None:
                made.append(external.create(name))
            elif pool is not None:
                made.append(pool.create(name))
            else:
                raise UsageError("the scenario needs Postgres, and none was given; pass postgres or postgres_dsn")

        def drop() -> None:
            for dsn in made:
                if external is not None:
                    external.drop(dsn)
                elif pool is not None:
                    pool.drop(name)

        stack.push_async_callback(self._unless_it_stays, drop)
        await blocking(create)
        self.postgres_dsn = made[0]

    def _check_payload(self) -> None:
        """The contract's streams hold messages of 10 MB; a server that takes less would refuse them one day."""
        if self.scenario.services.nats.streams == "wire" and self.nats.max_payload < MAX_MESSAGE:
            raise MaxPayloadTooSmall(url=mask(self.nats.url), limit=self.nats.max_payload, needed=MAX_MESSAGE)


async def blocking(function: Callable[[], T]) -> T:
    """Run a blocking function on a thread of its own and wait for it, to its end even when cancelled.

    A start that is cancelled half-way could otherwise go on after the stop that should undo it.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name="agog-stage", daemon=True).start()
    waiting = asyncio.wrap_future(future)
    cancelled: asyncio.CancelledError | None = None
    while not waiting.done():
        try:
            await asyncio.wait([waiting])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        waiting.exception()
        raise cancelled
    return waiting.result()


async def _import_client() -> None:
    """Import the NATS client (150 ms) while the services start in threads of their own.

    In this thread, which uses it: two threads that import a package with circular imports at the same time may see half
    of it, because Python breaks the deadlock that way.
    """
    import nats.js.client  # noqa: F401


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """One failure says enough; when both services fail, the first to fail."""
    failure = failures.exceptions[0]
    return _first(failure) if isinstance(failure, BaseExceptionGroup) else failure


def _check(options: StageOptions) -> None:
    if options.backend not in BACKENDS:
        raise UsageError(f"there is no backend {options.backend!r} yet; available are {', '.join(BACKENDS)}")
    if options.backend == "external" and not options.nats_url:
        raise UsageError("the external backend needs the address of NATS: give --agog-nats-url or NATS_URL")


def _database_name(scenario: Scenario) -> str:
    """Readable, and different for each run; Postgres cuts names at 63 bytes."""
    readable = re.sub(r"[^a-z0-9]+", "_", scenario.title.lower()).strip("_")[:40]
    return f"agog_{readable}_{secrets.token_hex(4)}"
