"""The stage: what one scenario needs, brought up before its play and taken down after it, whatever happens. [X4]"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pytest_agog.errors import MaxPayloadTooSmall, UsageError
from pytest_agog.ledger.access import AGENTS, COMMS, HARNESS, Access
from pytest_agog.masking import mask
from pytest_agog.scenario.model import CommsService
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.stage.backends import BACKENDS, Backend, StageOptions, check
from pytest_agog.stage.bringing import database_name, first, import_client, own_nats, servers_left_up
from pytest_agog.stage.machine.blocking import blocking
from pytest_agog.stage.needs import links_cut, needs_comms, needs_listener, needs_orchestrator, needs_postgres
from pytest_agog.stage.servers.guarding import OPEN, external, guarded
from pytest_agog.stage.servers.services import LeftUp, NatsService
from pytest_agog.stage.target import doors
from pytest_agog.stage.target.targets import REFERENCE, Target
from pytest_agog.wire.streams import MAX_MESSAGE

if TYPE_CHECKING:
    # What most plays do without is imported by those that need it.
    from pytest_agog.stage.links import Link
    from pytest_agog.stage.servers.external import ExternalPostgres
    from pytest_agog.stage.servers.pool import PostgresPool
    from pytest_agog.stage.target.components import Addresses, Comms
    from pytest_agog.stage.target.crew import Crew

__all__ = ["BACKENDS", "Backend", "Stage", "StageOptions"]

_CREW = ("orchestrator", "listener")


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
        target: Target = REFERENCE,
    ) -> None:
        self.scenario = scenario
        self.options = options
        self.target = target
        self.nats: NatsService
        self.postgres_dsn: str | None = None
        """The scenario's own database, when it needs one."""
        self.output_folder = options.folder / "output"
        """AGENT_OUTPUT_DIR, with `nats-scripts/` and `deliverables/`."""
        self.http_token = doors.token_for(scenario, target.comms, target.crew.orchestrator)
        """What the services demand of whoever asks them by HTTP, where they do."""
        self._guard = OPEN
        self._prepare = prepare
        self._exit = contextlib.AsyncExitStack()
        self._stays = False
        self._comms: Comms | None = None
        self._crew: Crew | None = None
        self.agents: Mapping[str, Any] = {}
        """How the listener runs the scenario's agents, by name; set while `prepare` runs."""
        self._away: set[str] = set()
        """The services that were killed or paused."""
        self._postgres: ExternalPostgres | None = None
        if options.postgres_dsn is not None:
            from pytest_agog.stage.servers.external import ExternalPostgres

            self._postgres = ExternalPostgres(options.postgres_dsn, options.postgres_template)

    def access(self, user: str) -> Access | None:
        """How a user reaches NATS; None when this play has no credentials of that user."""
        return self._guard.access(user, self.nats.url)

    def given_access(self, user: str = HARNESS) -> Access:
        """The same for a user that there must be.

        Raises:
            UsageError: there is none.
        """
        found = self.access(user)
        if found is None:
            raise UsageError(f"this play has no credentials of the user {user} of NATS")
        return found

    @property
    def has_comms(self) -> bool:
        """Whether agent comms of the target runs here."""
        return self._comms is not None

    @property
    def http_url(self) -> str | None:
        """The target's HTTP service: agent comms where it runs, else the orchestrator."""
        if self._comms is not None:
            return self._comms.url()
        return self._crew.url if self._crew is not None else None

    @property
    def orchestrator_url(self) -> str | None:
        """The HTTP service of the first orchestrator, where one runs."""
        return self._crew.url if self._crew is not None else None

    def roadmap_copy(self, file: str) -> Path:
        """Where the orchestrator reads the roadmap that the scenario writes as `file`.

        Raises:
            UsageError: no orchestrator runs here.
        """
        return self._given_crew().roadmap(file)

    def crew_log(self) -> str:
        """The last lines of orchestrator and listener."""
        return self._crew.log_tail() if self._crew is not None else ""

    def comms_url(self, instance: int = 1) -> str:
        """The base URL of one of its instances, as readers reach it.

        Raises:
            UsageError: there is none.
        """
        return self._given_comms().url(instance)

    def link(self, name: str) -> Link:
        """A link that this scenario cuts.

        Raises:
            UsageError: it cuts none of that name.
        """
        link = self._given_comms().links.get(name)
        if link is None:
            raise UsageError(f"no step of this scenario cuts {name}, so there is no such link")
        return link

    async def links_healed(self) -> None:
        """Wait until every link that was cut for some seconds has healed."""
        for link in self._comms.links.values() if self._comms is not None else ():
            await link.healed_in_time()

    @property
    def baseline(self) -> dict[str, int]:
        """Each stream's last sequence when the stage came up; empty for a server of our own."""
        if self.options.backend != "external":
            return {}
        from pytest_agog.stage.servers.external import ExternalNats

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
        found = {
            "nats": self.nats.url,
            "monitor": self.nats.monitor_url,
            "postgres": self.postgres_dsn,
            "http": self._comms.url() if self._comms is not None else None,
            "orchestrator": self._crew.url if self._crew is not None else None,
        }
        return {name: mask(url) for name, url in found.items() if url}

    @property
    def left_up(self) -> tuple[LeftUp, ...]:
        """The services of ours that stay, once the stage was struck with `keep`."""
        if not self._stays:
            return ()
        found = servers_left_up(self.nats, self._guard)
        pool = self.options.postgres
        if self._postgres is None and pool is not None and self.postgres_dsn is not None and pool.server.alive:
            found.append(LeftUp("postgres", self.postgres_dsn, pool.server.pid))
        found += self._comms.left_up if self._comms is not None else ()
        found += self._crew.left_up if self._crew is not None else ()
        return tuple(found)

    async def __aenter__(self) -> Stage:
        check(self.options)
        for name in ("nats-scripts", "deliverables"):
            (self.output_folder / name).mkdir(parents=True, exist_ok=True)
        comms, crew = self._wanted_comms(), self._wanted_crew()
        async with contextlib.AsyncExitStack() as stack:
            # Both start at once: the longer hides the other.
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._bring_nats(stack))
                    if needs_postgres(self.scenario):
                        group.create_task(self._bring_postgres(stack))
                    group.create_task(import_client())
            except BaseExceptionGroup as both:
                raise first(both) from None
            self._check_payload()
            if self._prepare is not None:
                await self._prepare(self)
            if comms is not None:
                stack.push_async_callback(self._end_comms, comms)
                await comms.start(self._addresses())
                self._comms = comms
            if crew is not None:
                stack.push_async_callback(self._end_crew, crew)
                as_agents = self.given_access(AGENTS)
                await crew.start(
                    self.given_access(), self.postgres_dsn, self.agents, as_agents, self.nats.monitor_urls or ""
                )
                self._crew = crew
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
        """Kill NATS (one server of a cluster, or all), Postgres or comms (one instance, or all).

        Raises:
            UsageError: the service is not ours to kill, or there is none.
        """
        if component == "nats":
            await blocking(lambda: self.nats.kill(signal, server))
            self._away |= {component} if server is None else set()
        elif component == "comms":
            await self._given_comms().kill(signal, server)
        elif component in _CREW:
            await self._given_crew().kill(component, signal, server)
        else:
            pool = self._own_postgres("killed")
            await blocking(lambda: pool.server.kill(signal))
            self._away.add(component)

    async def restart(self, component: str, server: int | None = None) -> None:
        """Start NATS, Postgres or comms again on the same address with the same data.

        Raises:
            UsageError: the service is not ours to restart, or there is none.
            ServiceDidNotStart: it did not come up.
        """
        if component == "nats":
            await blocking(lambda: self.nats.restart(server))
        elif component == "comms":
            await self._given_comms().restart(server, without=bool(self._away))
        elif component in _CREW:
            await self._given_crew().restart(component, server, without="nats" in self._away)
        else:
            pool = self._own_postgres("restarted")
            await blocking(pool.server.restart)
        self._away.discard(component)

    def _given_comms(self) -> Comms:
        if self._comms is None:
            raise UsageError("this play has no comms; declare `services: {components: [comms]}`")
        return self._comms

    def _given_crew(self) -> Crew:
        if self._crew is None:
            raise UsageError("this play has no orchestrator; declare `services: {components: [orchestrator]}`")
        return self._crew

    def _own_postgres(self, done: str) -> PostgresPool:
        if self._postgres is not None:
            raise UsageError(f"Postgres at {mask(self._postgres.given)} is external and cannot be {done}")
        if self.options.postgres is None or self.postgres_dsn is None:
            raise UsageError(f"there is no Postgres that could be {done}; declare `services: {{postgres: {{}}}}`")
        return self.options.postgres

    async def _bring_nats(self, stack: contextlib.AsyncExitStack) -> None:
        if self.options.backend == "external":
            from pytest_agog.stage.servers.external import ExternalNats

            assert self.options.nats_url is not None
            url, creds = self.options.nats_url, self.options.nats_creds
            self._guard = external(self.scenario.services.nats, url, creds)
            self.nats = await stack.enter_async_context(
                ExternalNats(url, creds=creds, patience=self.options.patience)
            )  # fmt: skip
            return
        wanted, folder = self.scenario.services.nats, self.options.folder / "nats"
        self._guard = await blocking(lambda: guarded(wanted, self.options.folder / "secrets"))
        cluster = self.options.backend == "cluster" or wanted.servers > 1
        server = own_nats(
            wanted, folder, cluster=cluster, outlive=self.options.keep, security=self._guard.server,
            containers=self.options.backend == "container",
        )  # fmt: skip
        self.nats = server
        stack.push_async_callback(self._unless_it_stays, server.stop)
        await blocking(server.start)

    async def _bring_postgres(self, stack: contextlib.AsyncExitStack) -> None:
        external, pool = self._postgres, self.options.postgres
        name = database_name(self.scenario)
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

    def _wanted_comms(self) -> Comms | None:
        """Agent comms when the scenario needs it; what it loads is being loaded while the services start."""
        if not needs_comms(self.scenario):
            return None
        from pytest_agog.stage.target.components import Comms

        comms = Comms(
            self.target.comms,
            self.scenario.services.comms or CommsService(),
            self.options.folder,
            cuts=links_cut(self.scenario),
            keep=self.options.keep,
            token=self.http_token,
        )
        comms.warm()
        return comms

    def _wanted_crew(self) -> Crew | None:
        """Orchestrator and listener when the scenario needs them."""
        if not (needs_listener(self.scenario) or needs_orchestrator(self.scenario)):
            return None
        from pytest_agog.stage.target.crew import Crew

        crew = Crew(
            self.target.crew, self.scenario, self.options.folder, self.output_folder, keep=self.options.keep,
            token=self.http_token,
        )  # fmt: skip
        crew.warm()
        return crew

    async def _end_crew(self, crew: Crew) -> None:
        if not self._stays:
            await crew.stop()

    async def _end_comms(self, comms: Comms) -> None:
        if self._stays:
            await comms.leave(self._addresses())
        else:
            await comms.stop()

    def _addresses(self) -> Addresses:
        from pytest_agog.stage.target.components import Addresses

        assert self.postgres_dsn is not None
        return Addresses(self.given_access(COMMS), self.postgres_dsn, self.nats.monitor_urls or "")

    def _check_payload(self) -> None:
        """The contract's streams hold messages of 10 MB; a server that takes less would refuse them one day."""
        if self.scenario.services.nats.streams == "wire" and self.nats.max_payload < MAX_MESSAGE:
            raise MaxPayloadTooSmall(url=mask(self.nats.url), limit=self.nats.max_payload, needed=MAX_MESSAGE)
