"""The host listener: takes `stage.started` from the stream and has agents run. Several may run side by side. [O10]"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any, Final, Self

from pytest_agog.errors import BadInput
from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.observing.beats import beating
from pytest_agog.reference.orchestrator.listener.attempts import Attempts
from pytest_agog.reference.orchestrator.listener.claims import Claims
from pytest_agog.reference.orchestrator.listener.deliveries import Delivery, Source
from pytest_agog.reference.orchestrator.listener.identity import Identity
from pytest_agog.reference.orchestrator.listener.reports import Reports
from pytest_agog.reference.orchestrator.listener.requests import Requests
from pytest_agog.reference.orchestrator.listener.running import prune
from pytest_agog.reference.orchestrator.listener.settings import ListenerSettings

_PRUNES_EVERY: Final = 3600.0
_CAREFUL: Final = 5.0
"""Seconds for which a new listener looks again and again after what a dead one left."""
_AGAIN: Final = 0.5
_AT_MOST: Final = 20.0
"""Seconds for which killed agents, and what is to be told of them, are waited for when the listener stops."""


class Listener:
    """One listener: ready when the context is entered, at work while `run` is.

    Raises (on entering):
        NatsUnreachable, CredentialsRefused, JetStreamRefused: NATS cannot be used.
        BadInput: the data folder cannot be used.
    """

    def __init__(self, settings: ListenerSettings) -> None:
        self.settings = settings
        self._stack = contextlib.AsyncExitStack()
        self._stop = asyncio.Event()
        self.link: Link
        self.attempts: Attempts
        self._source: Source

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _open(self) -> None:
        settings = self.settings
        me = await asyncio.to_thread(_settle, settings)
        self.link = await connect(settings.nats_url, creds=settings.nats_creds)
        engine = DeliverableEngine(self.link)
        self._stack.push_async_callback(engine.close)
        self._source = Source(self.link, ack_wait=settings.rules.ack_wait, replicas=settings.replicas)
        await self._source.ensure()
        claims = Claims(self.link)
        await claims.open(replicas=settings.replicas)
        self.attempts = Attempts(settings, self.link, self._source, claims, Reports(engine), me)
        requests = Requests(self.link, self.attempts, claims, me)
        await requests.open()
        self._stack.push_async_callback(requests.close)
        await self._stack.enter_async_context(beating(self.link, "listener", me.name, me.place, self._figures))

    def _figures(self) -> dict[str, Any]:
        attempts = self.attempts
        running = sum(one.keeper is not None for one in attempts.hands.values())
        return {"running": running, "started": attempts.tally.started, "ended": dict(attempts.tally.ended)}

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def stop(self) -> None:
        """Take nothing more; `run` returns when no agent is left."""
        self._stop.set()

    async def run(self) -> None:
        """Until `stop`. Agents that run then have the grace, and are killed; another listener runs them again.

        Cancelling kills them at once.
        """
        slots = [
            asyncio.ensure_future(self._source.slot(self.attempts.take, self._stop))
            for _ in range(self.settings.rules.concurrency)
        ]
        others = [asyncio.ensure_future(self._clean()), asyncio.ensure_future(self._look_after_the_dead())]
        try:
            await _any(slots, self._stop)
            await self._end(slots)
        finally:
            for each in (*slots, *others):
                each.cancel()
            await asyncio.gather(*slots, *others, return_exceptions=True)

    async def _look_after_the_dead(self) -> None:
        """What a killed listener had in hand, and what its last pull requests still take along. [O16]

        They live for a second, and take messages with them as long as anybody listens to everything.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + _CAREFUL
        room = asyncio.Semaphore(self.settings.rules.concurrency)
        seen: set[int] = set()

        async def take(delivery: Delivery) -> None:
            async with room:
                if not self._stop.is_set():
                    await self.attempts.take(delivery)

        async with asyncio.TaskGroup() as group:
            while loop.time() < until and not self._stop.is_set():
                for one in await self._source.left():
                    if one.sequence not in seen:
                        seen.add(one.sequence)
                        group.create_task(take(one))
                await asyncio.sleep(_AGAIN)

    async def _end(self, slots: list[asyncio.Task[None]]) -> None:
        self._stop.set()
        if (grace := self.settings.rules.grace) > 0:
            await asyncio.wait(slots, timeout=grace)
        self.attempts.stopping.set()
        for hand in self.attempts.hands.values():
            hand.end("stop")
        await asyncio.wait(slots, timeout=_AT_MOST)
        for slot in slots:
            if slot.done() and not slot.cancelled() and (error := slot.exception()) is not None:
                raise error

    async def _clean(self) -> None:
        """Remove old outputs, now and once an hour."""
        while True:
            await asyncio.to_thread(prune, self.settings.data, self.settings.rules.keep)
            await asyncio.sleep(_PRUNES_EVERY)


async def _any(slots: list[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Wait until it shall stop, or a slot ends, which it should not before."""
    waits = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([waits, *slots], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waits.cancel()


def _settle(settings: ListenerSettings) -> Identity:
    """The data folder is there, for nobody but us."""
    try:
        for folder in (settings.data / "locks", settings.data / "attempts"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Identity.of(settings.data)
    except OSError as error:
        raise BadInput(
            f"the listener's data folder {settings.data} cannot be used ({error.strerror or error}); "
            "give another one with --data"
        ) from None
