"""What all parts of one orchestrator instance share, and what they may start by themselves."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pydantic_core import to_json

from pytest_agog import tokens
from pytest_agog.errors import AgogError
from pytest_agog.reference.orchestrator.engine import ending, messages, working
from pytest_agog.reference.orchestrator.engine.config import OrchestratorConfig
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.engine.working import Cost
from pytest_agog.reference.orchestrator.messaging.sending import publish
from pytest_agog.reference.orchestrator.running import turns
from pytest_agog.reference.orchestrator.running.spending import usage
from pytest_agog.reference.orchestrator.state.record import Effect, Record

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.planning.budget import Usage
    from pytest_agog.reference.orchestrator.planning.config import BudgetConfig
    from pytest_agog.reference.orchestrator.running.books import Books
    from pytest_agog.reference.orchestrator.running.breakers import Breakers
    from pytest_agog.reference.orchestrator.running.clock import Clock
    from pytest_agog.reference.orchestrator.running.leading import Leading

LOG: Final = logging.getLogger(__name__)
_HEAD: Final = 200_000
"""Characters of output that an estimate counts; the rest in proportion."""
DEFAULT_ACK_WAIT: Final = 30.0


@dataclass(slots=True)
class Desk:
    """One instance's books, clock and rules."""

    books: Books
    clock: Clock
    config: OrchestratorConfig
    budget: BudgetConfig
    leading: Leading
    breakers: Breakers
    judge: Callable[[Record], Awaitable[Judged]]
    """Runs the gate over the work that waits for it."""
    turn: dict[str, frozenset[str]] = field(default_factory=dict)
    """Turn-based: what each agent found to do when its turn came."""
    signs: dict[str, datetime] = field(default_factory=dict)
    """Signs of life that this instance saw and that are in no record."""
    _used: tuple[tuple[int, date], Usage] | None = None

    @property
    def me(self) -> str:
        """This instance."""
        return self.leading.me

    @property
    def ack_wait(self) -> float:
        """Seconds after which a message that nobody acks is delivered again."""
        return self.config.ack_wait or DEFAULT_ACK_WAIT

    def onward(self, record: Record, now: datetime) -> Record:
        """The record with its next stage started, if its work goes on and nothing holds it up.

        A first stage is never started here: what begins, and beside what, is decided over all requirements.
        """
        if not self.goes_on(record) or record.due is not None:
            return self._settled(record)
        found = working.upcoming(working.prepared(record, now))
        return record if found is not None and not self.may_start(found[1], record, now) else self.proceed(record, now)

    def proceed(self, record: Record, now: datetime, *, model: str | None = None) -> Record:
        """The record with its next stage started, or complete; one that has cost too much goes to a human. [O7]"""
        record = working.prepared(record, now)
        if record.state not in ("READY", "REJECTED"):
            return self._settled(record)
        cost, limit = sum(record.tokens.values()), self.task_limit
        if cost > limit:
            reason = f"it has cost {cost:,} tokens, the limit of a task is {limit:,}"
            return ending.escalated(record, reason, now, tokens=cost, limit=limit)
        return working.started(record, now, self.config, model=model)

    @property
    def task_limit(self) -> int:
        """Tokens that one requirement may cost."""
        return self.config.task_limit or self.budget.task_limit

    def capped(self, cost: Cost) -> Cost:
        """A cost as it is booked. An estimate is at most what a task may cost: a gigabyte of output is no day."""
        return cost if cost.reported else Cost(min(cost.tokens, self.task_limit), reported=False)

    def _settled(self, record: Record) -> Record:
        """Without reviews, nobody is asked for one."""
        if self.config.review or record.state != "COMPLETE" or record.review != "pending":
            return record
        kept = tuple(effect for effect in record.outbox if not effect.subject.startswith("requirements.review."))
        return replace(record, review="none", outbox=kept)

    def stuck_at(self, record: Record) -> datetime | None:
        """When the agent of a record counts as stuck, unless it gives a sign of life; None when none works. [O15]"""
        if record.state not in ("ASSIGNED", "IN_PROGRESS") or record.active_at is None:
            return None
        seen = max(record.active_at, self.signs.get(record.id, record.active_at))
        return seen + timedelta(seconds=self.config.stuck_after)

    @staticmethod
    def goes_on(record: Record) -> bool:
        """Whether work on it has begun and its next stage is to start."""
        return record.started_at is not None and not record.stopped and record.state in ("READY", "REJECTED")

    def is_worked_at(self, record: Record) -> bool:
        """Whether it occupies its agent and its files. What waits for a human, or for other work, does not."""
        return record.running or self.goes_on(record)

    def may_start(self, agent: str, record: Record, now: datetime) -> bool:
        """Whether nothing keeps this agent from starting: its turn, its breaker, the day's budget."""
        if self.config.mode == "turns" and agent in turns.AGENTS and record.id not in self.turn.get(agent, ()):
            return False
        position = self.breakers.position(agent, now)
        if position == "open" or (position == "half-open" and self._works(agent)):
            return False
        return self.used(now).total < self.budget.daily

    def used(self, now: datetime) -> Usage:
        """What today has cost so far."""
        key = (self.books.version, now.date())
        if self._used is None or self._used[0] != key:
            self._used = key, usage(self.books.records.values(), now)
        return self._used[1]

    def _works(self, agent: str) -> bool:
        return any(record.running and record.stage_agent == agent for record in self.books.records.values())

    async def outcome(self, agent: str, attempt: str, *, well: bool) -> None:
        """Tell the agent's breaker how an attempt ended; a human hears when it opens.

        Raises:
            AgogError: the state cannot be written.
        """
        now = self.clock.now()
        if await self.breakers.tell(agent, attempt, well=well, now=now):
            LOG.warning("the breaker of %s opened: most of its last attempts failed", agent)
            name = "".join(letter if letter.isalnum() else "-" for letter in agent).upper()
            identity = f"REQ-BREAKER-{name}-{now:%Y%m%d%H%M%S}"
            reason = f"most of the last {self.config.breaker.window} attempts of {agent} failed; it rests"
            await self.send(messages.alert(identity, reason, now, {"agent": agent, "rest_s": self.config.breaker.rest}))

    async def send(self, effect: Effect) -> None:
        """Send a message that belongs to no record.

        Raises:
            AgogError: it cannot be sent.
        """
        await publish(self.books.link, effect.subject, to_json(effect.payload), msg_id=effect.msg_id)

    @staticmethod
    def estimate(text: str) -> int:
        """Tokens of a text, for what no agent reported."""
        head = text[:_HEAD]
        return 0 if not head else tokens.count(head) * len(text) // len(head)


async def patiently(work: Awaitable[object], what: str) -> None:
    """Wait for it; a failure of the services is logged, and the next pass tries again."""
    try:
        await work
    except AgogError as error:
        LOG.warning("%s: %s", what, error)
