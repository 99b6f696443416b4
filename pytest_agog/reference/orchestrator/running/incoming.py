"""What comes in on RESULTS and ERRORS: read, matched with the attempt that it is the end of, and applied. [O12] [O14]

Every message is acked when what it means is stored, so a killed instance's messages are dealt with by another. One that
comes twice, late, or about nothing that runs changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pytest_agog.errors import AgogError, BadInput
from pytest_agog.reference.orchestrator.engine import judging, working
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.engine.working import Cost
from pytest_agog.reference.orchestrator.messaging.pulling import Delivery
from pytest_agog.reference.orchestrator.state.record import REVIEW, Record
from pytest_agog.wire import notices
from pytest_agog.wire.notices import Notice
from pytest_agog.wire.orchestration import Failure, Result, requirement_id

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.running.desk import Desk

LOG: Final = logging.getLogger(__name__)
Judge = Callable[[Record], "asyncio.Future[Judged]"]
_SUBJECT_PARTS: Final = 3
_LATER: Final = 1.0
"""Seconds until a message is tried again that could not be dealt with."""


class Incoming:
    """Deals with results and errors. `desk` is what instances share: books, clock, breakers, gate."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._judging: set[str] = set()

    async def result(self, delivery: Delivery) -> None:
        """One message of RESULTS."""
        async with self._dealt_with(delivery) as said:
            if said is None or "gate" in said[2]:
                return
            agent, identity, value = said
            notice = notices.parse(value)
            try:
                told = Result.model_validate(value)
            except ValidationError as error:
                raise BadInput(f"its {error.errors()[0]['loc']} cannot be read") from None
            cost = cost_of(told)
            await self.ended(identity, agent, _text(value.get("stage")), told.attempt, notice, cost, delivery)

    async def error(self, delivery: Delivery) -> None:
        """One message of ERRORS."""
        async with self._dealt_with(delivery) as said:
            if said is None:
                return
            agent, identity, value = said
            try:
                failure = Failure.model_validate(value)
            except ValidationError as error:
                raise BadInput(f"its {error.errors()[0]['loc']} cannot be read") from None
            await self.broke(identity, agent, _text(value.get("stage")), failure)

    # --- what they mean -------------------------------------------------------------------------------------------
    async def ended(
        self, identity: str, agent: str, stage: str | None, attempt: int | None, notice: Notice, cost: Cost,
        delivery: Delivery | None = None,
    ) -> None:  # fmt: skip
        """An attempt ended with a notice."""
        desk, now = self._desk, self._desk.clock.now()
        cost = desk.capped(cost)
        mine = False

        def step(record: Record) -> Record | None:
            nonlocal mine
            mine = False
            if judging.awaits_review(record, stage, attempt) and agent == "review":
                return desk.onward(judging.reviewed(record, notice, cost, now, desk.config), now)
            if not working.concerns(record, stage, attempt, agent):
                return None
            mine = True
            over = working.ended(working.spent(record, cost, now), notice, now, desk.config)
            if over.state == "GATING":
                over = replace(over, judge=desk.me)
            return desk.onward(over, now)

        record = await desk.books.apply(identity, step)
        if record is None:
            LOG.info("%s: a result for something that nobody asked for", identity)
            return
        if mine:
            well = notice.status != "FAILED"
            await desk.outcome(agent, f"{identity}:{stage or record.stage}:{attempt or record.attempt}", well=well)
        if record.state == "GATING" and (mine or _same_attempt(record, stage, attempt)):
            await self.judge(identity, delivery)

    async def broke(self, identity: str, agent: str, stage: str | None, failure: Failure) -> None:
        """An attempt ended without one."""
        desk, now = self._desk, self._desk.clock.now()
        mine = False

        def step(record: Record) -> Record | None:
            nonlocal mine
            mine = False
            if stage == REVIEW and judging.awaits_review(record, stage, failure.attempt):
                mine = True
                return judging.review_failed(record, failure, now, desk.config)
            if not working.concerns(record, stage, failure.attempt, agent):
                return None
            mine = True
            cost = desk.capped(Cost(desk.estimate(failure.output), reported=False))
            return desk.onward(working.broken(working.spent(record, cost, now), failure, now, desk.config), now)

        record = await desk.books.apply(identity, step)
        if record is not None and mine:
            await desk.outcome(agent, f"{identity}:{stage}:{failure.attempt}", well=False)

    async def judge(self, identity: str, delivery: Delivery | None = None) -> None:
        """Have the gate run over work that waits for it, unless another living instance does. [O12]"""
        desk = self._desk
        record = desk.books.records.get(identity)
        if record is None or record.state != "GATING" or identity in self._judging:
            return
        if record.judge != desk.me:
            if desk.leading.alive(record.judge):
                return
            taken = await desk.books.apply(identity, _judged_by(desk.me, record.judge))
            if taken is None or taken.judge != desk.me:
                return
        self._judging.add(identity)
        try:
            async with _kept_alive(delivery, desk.ack_wait / 3):
                verdict = await desk.judge(record)
            now = desk.clock.now()
            await desk.books.apply(
                identity, lambda found: desk.onward(judging.judged(found, verdict, now, desk.config), now)
            )
        finally:
            self._judging.discard(identity)

    @contextlib.asynccontextmanager
    async def _dealt_with(self, delivery: Delivery) -> AsyncIterator[tuple[str, str, dict[str, Any]] | None]:
        """Ack when the block is done; deliver again when the services failed; refuse what cannot be read."""
        try:
            said: tuple[str, str, dict[str, Any]] | None
            said = _said(delivery)
            yield said
        except BadInput as error:
            LOG.warning("%s (sequence %d): %s", delivery.subject, delivery.sequence, error)
            await delivery.refuse()
        except AgogError as error:
            LOG.warning("%s (sequence %d): %s", delivery.subject, delivery.sequence, error)
            await delivery.again(_LATER)
        else:
            await delivery.ack()


def _said(delivery: Delivery) -> tuple[str, str, dict[str, Any]]:
    """Agent, requirement and payload.

    Raises:
        BadInput: it is no message of the contract.
    """
    parts = delivery.subject.split(".")
    if len(parts) != _SUBJECT_PARTS:
        raise BadInput("the subject is not {results|errors}.{agent}.{id}")
    try:
        value = json.loads(delivery.data)
    except (ValueError, RecursionError):
        raise BadInput("it is no JSON") from None
    if not isinstance(value, dict):
        raise BadInput("it is no JSON object")
    return parts[1], requirement_id(parts[2]), value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def cost_of(result: Result) -> Cost:
    """What a result says that it cost; nothing when it does not say."""
    tokens = result.tokens
    if tokens is not None and tokens.reported is not None:
        return Cost(tokens.reported, reported=True)
    return Cost((tokens.estimated if tokens is not None else None) or 0, reported=False)


def _same_attempt(record: Record, stage: str | None, attempt: int | None) -> bool:
    return stage in (None, record.stage) and attempt in (None, record.attempt)


def _judged_by(me: str, before: str | None) -> Callable[[Record], Record | None]:
    return lambda record: replace(record, judge=me) if record.state == "GATING" and record.judge == before else None


@contextlib.asynccontextmanager
async def _kept_alive(delivery: Delivery | None, every: float) -> AsyncIterator[None]:
    """Tell the server now and then that the message is being dealt with. [F45]"""
    if delivery is None:
        yield
        return

    async def beat() -> None:
        while True:
            await asyncio.sleep(every)
            await delivery.working()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
