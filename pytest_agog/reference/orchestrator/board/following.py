"""The situation as the state bucket has it, for whoever is no orchestrator. It is only read."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.orchestrator.board.situation import Mode, Situation
from pytest_agog.reference.orchestrator.engine.config import BreakerConfig
from pytest_agog.reference.orchestrator.running import turns
from pytest_agog.reference.orchestrator.running.books import Books
from pytest_agog.reference.orchestrator.running.breakers import Breakers
from pytest_agog.reference.orchestrator.running.clock import Clock
from pytest_agog.reference.orchestrator.surroundings import Surroundings
from pytest_agog.wire import streams
from pytest_agog.wire.times import parse_time

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.connecting import Link
    from pytest_agog.reference.orchestrator.planning.config import BudgetConfig

_READERS: Final = ("orchestrator", "host-listener")
_CONSUMERS: Final = (
    *((one.stream, one.name) for one in streams.CONSUMERS if one.name in _READERS),
    ("REQUIREMENTS", "orchestrator"),
)
"""Those that orchestrators and listeners read; what agents of other systems leave unread is not theirs."""


class Following:
    """Open it, then ask for the `situation` whenever `changed` is set."""

    def __init__(self, link: Link, budget: BudgetConfig, *, breaker: BreakerConfig | None = None) -> None:
        self._link = link
        self._budget = budget
        self._clock = Clock()
        self._books = Books(link, self._clock)
        self._breakers = Breakers(self._books, breaker or BreakerConfig())
        self._turn: datetime | None = None
        self._lags: dict[str, int] = {}
        self._around = Surroundings(link)
        self._hearing = contextlib.AsyncExitStack()
        self._books.watch("clock", self._told_offset)
        self._books.watch("turn", self._told_turn)

    @property
    def changed(self) -> asyncio.Event:
        """Set when a record changed; whoever waits for it clears it."""
        return self._books.changed

    async def open(self) -> None:
        """Read all that is in the bucket.

        Raises:
            BadInput: there is no bucket: no orchestrator has run here.
            NatsUnreachable, JetStreamRefused: it cannot be read.
        """
        stream = self._books.bucket.stream
        try:
            await jetstream.call(self._link, f"STREAM.INFO.{stream}")
        except jetstream.Refusal as refusal:
            if refusal.err_code not in jetstream.NOT_FOUND:
                raise refusal.as_error("looking for the state", url=self._link.url, stream=stream) from None
            raise BadInput(
                f"NATS at {self._link.url} holds no state of an orchestrator. Start one with `agog orchestrate`, or "
                "give another --nats-url."
            ) from None
        await self._books.open()
        await self._hearing.enter_async_context(self._around.hearing())
        await self.look_at_consumers()

    async def follow(self) -> None:
        """Read on, for ever."""
        await self._books.follow()

    async def close(self) -> None:
        """Stop reading."""
        await self._hearing.aclose()
        await self._books.close()

    async def look_at_consumers(self) -> None:
        """Ask how far consumers are behind, and how the parts are; that changes without a word in the bucket."""
        await self._around.watch.look()
        self._lags = await consumer_lags(self._link)

    def situation(self) -> Situation:
        """This moment, by the orchestrator's clock."""
        from pytest_agog.reference.orchestrator.planning.conservation import conservation
        from pytest_agog.reference.orchestrator.running.spending import usage

        now, records = self._clock.now(), dict(self._books.records)
        mode = self._mode(now)
        return Situation(
            records=records, at=now, mode=mode, next_turn=turns.next_turn(now).at if mode == "turns" else None,
            budget=self._budget, conservation=conservation(usage(records.values(), now), self._budget, now),
            breakers={
                agent: place for agent, place in self._breakers.positions(now).items() if place != "closed"
            },
            lags=self._lags, health=self._around.health(),
        )  # fmt: skip

    def _mode(self, now: datetime) -> Mode:
        """Only whoever takes turns tells of them; one that was taken long ago was another orchestrator's."""
        return "turns" if self._turn is not None and now - self._turn <= turns.CYCLE else "continuous"

    def _told_offset(self, key: str, value: bytes | None, revision: int) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            self._clock.offset = timedelta(seconds=float(json.loads(value or b"")["offset"]))

    def _told_turn(self, key: str, value: bytes | None, revision: int) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            self._turn = parse_time(json.loads(value or b"")["at"])


async def consumer_lags(link: Link) -> dict[str, int]:
    """By consumer of orchestrators and listeners (`STREAM/name`): messages pending or waiting for an ack. [O15]

    A consumer that does not exist is left out: what nobody reads has no lag.

    Raises:
        NatsUnreachable, JetStreamRefused: the server does not say.
    """

    async def one(stream: str, consumer: str) -> tuple[str, int] | None:
        try:
            told = await jetstream.call(link, f"CONSUMER.INFO.{stream}.{consumer}")
        except jetstream.Refusal as refusal:
            if refusal.err_code in jetstream.NOT_FOUND:
                return None
            raise refusal.as_error(f"looking at consumer {consumer}", url=link.url, stream=stream) from None
        return f"{stream}/{consumer}", int(told["num_pending"]) + int(told["num_ack_pending"])

    found = await asyncio.gather(*(one(stream, consumer) for stream, consumer in _CONSUMERS))
    return dict(pair for pair in found if pair is not None)
