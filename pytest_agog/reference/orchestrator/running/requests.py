"""What comes in on `integration.orchestrator.>` and `requirements.>`: work that is asked for, and answers. [O1]"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, get_args

from pytest_agog.errors import AgogError, BadInput
from pytest_agog.reference.orchestrator.engine import messages, stages, taking
from pytest_agog.reference.orchestrator.engine.ending import Answer, decided
from pytest_agog.reference.orchestrator.intake.requests import read_request
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.messaging.pulling import Delivery
from pytest_agog.reference.orchestrator.running.desk import Desk
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire.orchestration import requirement_id

LOG: Final = logging.getLogger(__name__)
DECISION, PROGRESS = "decision", "progress"
"""Topics that are no request: a human's answer to an escalation, and an agent's sign of life."""
_LATER: Final = 1.0


@dataclass(frozen=True, slots=True)
class Said:
    """A message, however it came."""

    subject: str
    data: bytes
    at: datetime
    """When the stream stored it."""
    sequence: int


class Requests:
    """Takes requirements in, once each, however often they are delivered. [F13] [F40]"""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def integration(self, delivery: Delivery) -> None:
        """One message of `integration.orchestrator.>`."""
        await self._dealt_with(delivery, self.asked)

    async def requirement(self, delivery: Delivery) -> None:
        """One message of `requirements.>`: our own are known already; anybody else's is taken in for its lane. [F33]"""
        await self._dealt_with(delivery, self.published)

    async def asked(self, message: Said) -> None:
        """What a message to the orchestrator asks for: work, a decision, or that nobody counts as stuck.

        Raises:
            AgogError: the state cannot be written.
        """
        topic = message.subject.rpartition(".")[2]
        try:
            if topic == DECISION:
                await self._answer(message.data)
            elif topic == PROGRESS:
                await self._alive(message.data)
            else:
                await self.take(_read(message))
        except BadInput as error:
            await self._unreadable(message, str(error))

    async def published(self, message: Said) -> None:
        """A requirement on the subject of a lane.

        Raises:
            AgogError: the state cannot be written.
        """
        try:
            lane, _, named = message.subject.removeprefix("requirements.").partition(".")
            if requirement_id(named) in self._desk.books.records:
                return
            stated = _read(message)
            if stated.id != named:
                raise BadInput(f"{message.subject}: it holds {stated.id}; subject and payload must agree")  # noqa: TRY301
            await self.take(replace(stated, agent=stated.agent or stages.AGENTS.get(lane)))
        except BadInput as error:
            await self._unreadable(message, str(error))

    async def _dealt_with(self, delivery: Delivery, deal: Callable[[Said], Awaitable[None]]) -> None:
        try:
            await deal(Said(delivery.subject, delivery.data, delivery.timestamp, delivery.sequence))
        except AgogError as error:
            LOG.warning("%s (sequence %d): %s", delivery.subject, delivery.sequence, error)
            await delivery.again(_LATER)
        else:
            await delivery.ack()

    async def take(self, stated: Stated) -> bool:
        """Open a record, or state one anew that nobody has begun to work at; False when there is nothing to do.

        Raises:
            AgogError: the state cannot be written.
        """
        now = self._desk.clock.now()
        known = self._desk.books.records.get(stated.id)
        if stated.state == "COMPLETE":
            return known is None and await self._desk.books.create(taking.settled(stated, now))
        stated = replace(stated, state="PENDING")
        if known is None:
            return await self._desk.books.create(taking.taken(stated, now))
        if known.assigned:
            stated = replace(stated, agent=known.stated.agent)
        if taking.says_the_same(stated, known.stated):
            return False
        before = len(known.history)
        changed = await self._desk.books.apply(known.id, lambda found: taking.restated(found, stated, now))
        return changed is not None and len(changed.history) > before

    async def _unreadable(self, message: Said, why: str) -> None:
        LOG.warning("sequence %d: %s", message.sequence, why)
        told = {"subject": message.subject, "sequence": message.sequence, "why": why[:500]}
        msg_id = f"unreadable:{message.subject}:{message.sequence}"
        await self._desk.send(messages.integration("broadcast", "unreadable", told, msg_id))

    async def _answer(self, data: bytes) -> None:
        value = _object(data)
        identity = requirement_id(str(value.get("reqId") or value.get("id") or ""))
        action, agent = str(value.get("action", "")).lower(), value.get("agent")
        if action not in get_args(Answer) or (action == "assign" and not isinstance(agent, str)):
            raise BadInput(f"{identity}: the answer {action[:40]!r} is none of retry, abandon, assign (with agent)")
        by, now = str(value.get("by") or "a human")[:60], self._desk.clock.now()

        def step(record: Record) -> Record | None:
            if record.state not in ("ESCALATED", "BLOCKED", "REJECTED", "FAILED"):
                return None
            return decided(record, action, agent, by, now)  # type: ignore[arg-type]

        if await self._desk.books.apply(identity, step) is None:
            raise BadInput(f"{identity}: nobody has stated it, so there is nothing to decide")

    async def _alive(self, data: bytes) -> None:
        """An agent's sign of life moves the moment at which it counts as stuck. [O15]"""
        value, now = _object(data), self._desk.clock.now()
        identity = requirement_id(str(value.get("reqId") or value.get("id") or ""))
        await self._desk.books.apply(identity, lambda one: replace(one, active_at=now) if one.running else None)


def _read(message: Said) -> Stated:
    return read_request(message.subject, message.data, stored_at=message.at, sequence=message.sequence)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise BadInput("the message is no JSON") from None
    if not isinstance(value, dict):
        raise BadInput("the message is no JSON object")
    return value
