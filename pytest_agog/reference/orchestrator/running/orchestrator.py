"""One orchestrator instance: connected, reading, judging, and deciding while it leads. [O21]"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from pytest_agog.errors import AgogError
from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.messaging.pulling import Puller
from pytest_agog.reference.orchestrator.running.books import Books
from pytest_agog.reference.orchestrator.running.breakers import Breakers
from pytest_agog.reference.orchestrator.running.cadence import Cadence
from pytest_agog.reference.orchestrator.running.clock import Clock
from pytest_agog.reference.orchestrator.running.control import Control, kill
from pytest_agog.reference.orchestrator.running.desk import Desk
from pytest_agog.reference.orchestrator.running.incoming import Incoming
from pytest_agog.reference.orchestrator.running.leading import Leading
from pytest_agog.reference.orchestrator.running.passing import Pass
from pytest_agog.reference.orchestrator.running.recovering import ADOPTED, judge_left, recover, reread
from pytest_agog.reference.orchestrator.running.reporting import Reporting
from pytest_agog.reference.orchestrator.running.requests import Requests
from pytest_agog.reference.orchestrator.running.roadmap import RoadmapKeeper
from pytest_agog.reference.orchestrator.settings import OrchestratorSettings
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire import streams, subjects

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from pytest_agog.reference.orchestrator.board.situation import Situation
    from pytest_agog.reference.orchestrator.running.remembering import Remembering

Judge = Callable[[Record], Awaitable[Judged]]
"""Judges work instead of the gate that the settings configure."""
LOG: Final = logging.getLogger(__name__)
_LAGS_EVERY: Final = 5.0
_CAREFUL: Final = 5.0
"""Seconds for which a new leader looks again and again after what a dead instance left."""
_AGAIN: Final = 0.5


class Orchestrator:
    """Runs from entering to leaving the context. Several side by side share the work.

    Raises (on entering):
        NatsUnreachable, CredentialsRefused, JetStreamRefused: NATS cannot be used.
        BadInput: the gate's configuration cannot be.
    """

    def __init__(self, settings: OrchestratorSettings, judge: Judge | None = None) -> None:
        self.settings = settings
        self._judge = judge
        self._stack = contextlib.AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self.link: Link
        self.desk: Desk
        self.passes: Pass
        self.cadence: Cadence
        self.roadmap: RoadmapKeeper | None = None
        self.remembering: Remembering | None = None
        self._lags: dict[str, int] = {}
        self._careful_until = self._recovered = 0.0

    @property
    def records(self) -> Any:
        """All records, by id."""
        return self.desk.books.records

    async def __aenter__(self) -> Orchestrator:
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _open(self) -> None:
        settings, rules = self.settings, self.settings.config.orchestrator
        self.link = await connect(settings.nats_url, creds=settings.nats_creds)
        self._stack.push_async_callback(self.link.close)
        for outcome in await init_streams(self.link, replicas=settings.replicas):
            if not outcome.as_defined:
                LOG.warning("stream %s is not as the contract has it; `agog init-streams` tells how", outcome.name)
        clock = Clock()
        books = Books(self.link, clock)
        leading = Leading(books)
        judge = self._judge or _gate(settings, self.link)
        self.desk = Desk(books, clock, rules, settings.config.budget, leading, Breakers(books, rules.breaker), judge)
        self.passes = Pass(self.desk, lambda record: kill(self.link, record))
        self.cadence = Cadence(self.desk, self.passes, self._before, self._after)
        self.reporting = Reporting(self.desk)
        self.incoming, self.requests = Incoming(self.desk), Requests(self.desk)
        if settings.roadmap is not None:
            self.roadmap = RoadmapKeeper(settings.roadmap, self.desk, self.requests)
        await books.open(replicas=settings.replicas)
        self._stack.push_async_callback(books.close)
        if settings.postgres_dsn:
            self.remembering = await self._stack.enter_async_context(_remembering(settings))
            self.passes.lessons = self.remembering.lessons
        await self.link.nc.subscribe(f"{subjects.DELIVERABLES}.>", cb=self._sign_of_life)
        pulling = [one.run() for one in self._pullers()]
        for work in (books.follow(), leading.run(), self._lead(), self._watch_lags(), *pulling):
            self._start(work)

    async def _close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if hasattr(self, "desk"):
            await self.desk.leading.resign()
        await self._stack.aclose()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            LOG.error("a part of the orchestrator ended: %s", error, exc_info=error)

    def _pullers(self) -> list[Puller]:
        takes = {
            ("RESULTS", "orchestrator"): self.incoming.result,
            ("ERRORS", "orchestrator"): self.incoming.error,
            ("INTEGRATION", "orchestrator"): self.requests.integration,
        }
        found = [
            Puller(self.link, self._consumer(one), takes[one.stream, one.name])
            for one in streams.CONSUMERS if (one.stream, one.name) in takes
        ]  # fmt: skip
        return [*found, Puller(self.link, self._consumer(ADOPTED), self.requests.requirement)]

    def _consumer(self, one: streams.ConsumerDefinition) -> streams.ConsumerDefinition:
        wait = self.settings.config.orchestrator.ack_wait
        return one if wait is None else replace(one, ack_wait=wait)

    # --- leading ------------------------------------------------------------------------------------------------------
    async def _lead(self) -> None:
        leading = self.desk.leading
        while True:
            await leading.changed.wait()
            leading.changed.clear()
            if not leading.leads:
                continue
            LOG.info("%s leads", leading.me)
            try:
                async with self._answering():
                    self._careful_until = time.monotonic() + _CAREFUL
                    await self._recover()
                    await self.cadence.lead()
            except AgogError as error:
                LOG.warning("leading was interrupted: %s", error)
                leading.changed.set()

    @contextlib.asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        control = Control(self.link, self.cadence)
        await control.open()
        try:
            yield
        finally:
            await control.close()

    async def _look_after_the_dead(self) -> None:
        """What an instance had in hand when it died, or what its last pull requests still take along.

        They live for three seconds, and take messages with them as long as anybody listens to everything.
        """
        now = time.monotonic()
        if self.desk.leading.buried():
            self._careful_until = now + _CAREFUL
        if self._recovered + _AGAIN <= now < self._careful_until:
            await self._recover()

    async def _recover(self) -> None:
        self._recovered = time.monotonic()
        await recover(self.desk, self.incoming)
        await reread(self.desk, self.requests)

    async def _before(self, now: datetime) -> None:
        if self.roadmap is not None:
            await self.roadmap.read()

    async def _after(self, now: datetime) -> None:
        await self._look_after_the_dead()
        for identity in judge_left(self.desk):
            self._start(self.incoming.judge(identity))
        if self.roadmap is not None:
            await self.roadmap.write(self.desk.books.records)
        await self.reporting.report(now, self.situation)
        if self.remembering is not None:
            await self.remembering.pass_by(self.desk.books.records, now)

    async def _sign_of_life(self, message: Msg) -> None:
        """A deliverable of a requirement shows that its agent lives. [O15]"""
        identity = message.subject.rpartition(".")[2]
        if identity in self.desk.books.records:
            self.desk.signs[identity] = self.desk.clock.now()

    # --- what it tells ------------------------------------------------------------------------------------------------
    def situation(self) -> Situation:
        """What the board is made of."""
        from pytest_agog.reference.orchestrator.board.situation import Situation

        now = self.desk.clock.now()
        unread = self.roadmap.unreadable if self.roadmap is not None else ()
        return Situation(
            self.desk.books.records, now, self.desk.config.mode, self.cadence.next_turn, self.desk.budget,
            self.passes.conservation, self._resting(now), dict(self._lags),
            tuple(f"unreadable: {one}" for one in unread),
        )  # fmt: skip

    def _resting(self, now: datetime) -> dict[str, Literal["open", "half-open"]]:
        positions = self.desk.breakers.positions(now)
        return {agent: position for agent, position in positions.items() if position != "closed"}

    async def _watch_lags(self) -> None:
        """What waits at the consumers, asked for now and then. [O15]"""
        from pytest_agog.reference.orchestrator.board.following import consumer_lags

        while True:
            with contextlib.suppress(AgogError):
                self._lags = await consumer_lags(self.link)
            await asyncio.sleep(_LAGS_EVERY)

    def state(self) -> dict[str, Any]:
        """What `/readyz` says."""
        return {"instance": self.desk.me, "leads": self.desk.leading.leads, "connected": self.link.nc.is_connected}


def _gate(settings: OrchestratorSettings, link: Link) -> Judge:
    from pytest_agog.reference.orchestrator.running.gating import Gate

    return Gate(settings.config.gate, settings.root, link, settings.file).judge


@contextlib.asynccontextmanager
async def _remembering(settings: OrchestratorSettings) -> AsyncIterator[Remembering]:
    """Memory, if there is a Postgres for it; one that is away keeps nobody from working. [O20]"""
    from pytest_agog.reference.orchestrator.memory.memory import Memory
    from pytest_agog.reference.orchestrator.memory.service import MemoryService
    from pytest_agog.reference.orchestrator.running.remembering import Remembering

    async with MemoryService(Memory(settings.postgres_dsn or "", settings.config.memory)) as service:
        yield Remembering(service)
