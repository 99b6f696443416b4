"""A pass of the leader over all requirements: what is routed, released, resumed, started, reviewed, signalled."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pytest_agog.reference.orchestrator.engine import ending, judging, messages, stages, taking, waiting, working
from pytest_agog.reference.orchestrator.intake.stated import Taken
from pytest_agog.reference.orchestrator.planning.conservation import Conservation, conservation
from pytest_agog.reference.orchestrator.planning.lessons import Lessons
from pytest_agog.reference.orchestrator.planning.plan import Plan, Planned, make_plan
from pytest_agog.reference.orchestrator.planning.selecting import Capacity, select
from pytest_agog.reference.orchestrator.running import turns
from pytest_agog.reference.orchestrator.running.books import Books
from pytest_agog.reference.orchestrator.running.desk import Desk, patiently
from pytest_agog.reference.orchestrator.state.record import REVIEW, Record
from pytest_agog.wire.orchestration import Priority

LOG: Final = logging.getLogger(__name__)
_ORDER: Final[dict[Priority, int]] = {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 2, "LOW": 3}
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
Kill = Callable[[Record], Awaitable[None]]


class Pass:
    """Decides over all requirements. It keeps nothing but a plan that it would make again from the same records."""

    def __init__(self, desk: Desk, kill: Kill) -> None:
        self._desk = desk
        self._kill = kill
        self._plan: Plan | None = None
        self._planned_from: object = None
        self.lessons: Callable[[], Lessons] = Lessons
        """What memory has to teach now."""
        self.conservation: Conservation | None = None
        self._looked_at: object = None
        self.held: dict[str, str] = {}
        """Why what is ready does not start."""

    @property
    def _books(self) -> Books:
        return self._desk.books

    @property
    def plan(self) -> Plan:
        """Of all requirements; made anew when there are others, or one is stated anew."""
        lessons = self.lessons()
        made_from = self._books.stated_version, lessons
        if self._plan is None or self._planned_from != made_from:
            stated = tuple(record.stated for record in self._books.records.values())
            self._plan = make_plan(Taken(stated), lessons=lessons)
            self._planned_from = made_from
        return self._plan

    async def run(self, now: datetime, *, routes: bool = True, begins: bool = True) -> None:
        """One pass. What fails because a service is away is tried again at the next.

        Args:
            now: the orchestrator's time.
            routes: whether new requirements are routed; in turns, only when it is the orchestrator's.
            begins: whether work may begin that nobody has begun.
        """
        await self._finish_sending()
        if routes:
            await self._route(now)
        await self._release(now)
        await self._watch(now)
        await self._go_on(now)
        if begins:
            await self._begin(now)
        await self._review(now)
        await self._signal(now)

    # --- what was left ---------------------------------------------------------------------------------------------
    async def _finish_sending(self) -> None:
        for record in list(self._books.records.values()):
            if record.outbox:
                await patiently(self._books.flush(record.id), record.id)

    # --- routing and dependencies ----------------------------------------------------------------------------------
    async def _route(self, now: datetime) -> None:
        plan = self.plan
        lacking: dict[str, list[str]] = {}
        for one in plan.missing:
            lacking.setdefault(one.id, []).append(one.needs)
        cycles = {identity: cycle for cycle in plan.cycles for identity in cycle}
        for record in list(self._books.records.values()):
            if record.held_by in ("missing", "cycle") and record.id not in lacking and record.id not in cycles:
                await self._apply(record, lambda found: taking.freed(found, now) if found.held_by else None)
            if record.state == "PENDING" and record.lane is None and (planned := plan.items.get(record.id)):
                await self._apply(record, _routed(planned, now))
            if record.state not in ("PENDING", "READY") or record.started_at is not None:
                continue
            if record.lane is not None and (planned := plan.items.get(record.id)) and planned.lane == record.lane:
                await self._apply(record, _replanned(planned, now))
            if record.id in cycles:
                await self._apply(record, _held_by_cycle(cycles[record.id], now))
            elif record.id in lacking:
                await self._apply(record, _held_by_missing(lacking[record.id], now))

    async def _release(self, now: datetime) -> None:
        """What waited for others and need not any more. [F39]"""
        records = self._books.records
        for record in list(records.values()):
            waits = record.state == "BLOCKED" and record.held_by in ("agent", "human") and bool(record.waits_for)
            pending = record.state == "PENDING" and record.lane is not None
            if not (waits or pending):
                continue
            if record.held_by != "human" and (why := waiting.in_vain(record, records)) is not None:
                await self._apply(record, _in_vain(why, records, now))
            elif pending and waiting.complete(records, record.depends_on):
                await self._apply(record, lambda found: taking.released(found, now) if found.lane else None)
            elif waits and waiting.complete(records, record.waits_for):
                await self._apply(record, lambda found: working.resumed(found, now))

    # --- what runs ---------------------------------------------------------------------------------------------------
    async def _watch(self, now: datetime) -> None:
        """Agents without a sign of life are killed and their stage started anew. [O15]"""
        for record in list(self._books.records.values()):
            moment = self._desk.stuck_at(record)
            if moment is not None and now >= moment:
                LOG.warning("%s: %s is stuck at %s", record.id, record.stage_agent, record.stage)
                await self._kill(record)
                await self._apply(record, self._stuck(record, now))
                agent = record.stage_agent or ""
                attempt = f"{record.id}:{record.stage}:{record.attempt}"
                await patiently(self._desk.outcome(agent, attempt, well=False), record.id)

    def _stuck(self, seen: Record, now: datetime) -> Callable[[Record], Record | None]:
        def step(record: Record) -> Record | None:
            if (record.stage, record.attempt, record.state) != (seen.stage, seen.attempt, seen.state):
                return None
            return self._desk.onward(working.stuck(record, now, self._desk.config), now)

        return step

    async def _go_on(self, now: datetime) -> None:
        """The next stage of what has begun, when its back-off is over and nothing holds it up."""
        desk = self._desk

        def step(record: Record) -> Record | None:
            if not desk.goes_on(record) or (record.due is not None and record.due > now):
                return None
            found = working.upcoming(record)
            if found is not None and not desk.may_start(found[1], record, now):
                return None
            return desk.proceed(record, now)

        for record in sorted(self._books.records.values(), key=_rank):
            if desk.goes_on(record):
                await self._apply(record, step)

    # --- what begins -------------------------------------------------------------------------------------------------
    async def _begin(self, now: datetime) -> None:
        """Choose what may start beside what runs. [O6] [O7] [O8] [O9]"""
        desk, records = self._desk, self._books.records
        used = desk.used(now)
        await self._conserve(conservation(used, desk.budget, now), now)
        items = self.plan.items
        ready = [
            record for record in records.values()
            if record.state == "READY" and record.started_at is None and record.id in items
            and (record.due is None or record.due <= now)
        ]  # fmt: skip
        candidates = [record for record in ready if self._may_begin(record, now)]
        # What is used only grows within a day: what could not start beside the same others cannot now.
        looked_at = (
            frozenset(one.id for one in candidates), self.conservation is None, now.date(), self._planned_from,
            frozenset(one.id for one in records.values() if desk.is_worked_at(one)),
        )  # fmt: skip
        if not candidates or looked_at == self._looked_at:
            self.held = self.held if candidates else {}
            return
        running = [items[one.id] for one in records.values() if desk.is_worked_at(one) and one.id in items]
        capacity = Capacity(
            budget=desk.budget, used=used, conservation=self.conservation, queue_depths=_depths(ready),
            max_instances=desk.config.max_instances,
        )  # fmt: skip
        chosen = select([items[one.id] for one in candidates], running, capacity)
        self.held = dict(chosen.held)
        for start in chosen.start:
            await self._apply(records[start.id], self._begun(start.model, now))
        for identity, why in chosen.held:
            if items[identity].estimated_tokens > min(desk.budget.task_limit, desk.budget.share(items[identity].agent)):
                await self._apply(records[identity], _too_big(why, now))
        self._looked_at = looked_at if not chosen.start else None

    def _begun(self, model: str | None, now: datetime) -> Callable[[Record], Record | None]:
        def step(record: Record) -> Record | None:
            if record.state != "READY" or record.started_at is not None:
                return None
            return self._desk.proceed(record, now, model=model)

        return step

    def _may_begin(self, record: Record, now: datetime) -> bool:
        found = working.upcoming(record)
        if found is None:
            return True
        if self._desk.config.mode == "turns" and len(record.chain) > 1:
            return record.id in self._desk.turn.get(turns.ORCHESTRATOR, ())
        return self._desk.may_start(found[1], record, now)

    async def _conserve(self, state: Conservation | None, now: datetime) -> None:
        """[O9] A human is told when the mode begins."""
        before, self.conservation = self.conservation, state
        if state is not None and before is None:
            reasons = list(state.reasons)
            LOG.warning("conservation mode: %s", "; ".join(reasons))
            told = messages.alert(
                f"REQ-BUDGET-{now:%Y%m%d}", "conservation mode: " + "; ".join(reasons), now,
                {"reasons": reasons, "used": self._desk.used(now).total},
            )  # fmt: skip
            await patiently(self._desk.send(told), "budget alert")

    # --- after completion ------------------------------------------------------------------------------------------
    async def _review(self, now: datetime) -> None:
        """One review at a time, critical work first. [O13]"""
        if not self._desk.config.review:
            return
        waiting = [one for one in self._books.records.values() if one.state == "COMPLETE" and one.review == "pending"]
        busy = any(one.review == "running" for one in self._books.records.values())
        for record in sorted(waiting, key=_rank):
            if busy or not self._desk.may_start(stages.AGENTS[REVIEW], record, now):
                return
            await self._apply(record, self._reviewing(now))
            busy = True

    def _reviewing(self, now: datetime) -> Callable[[Record], Record | None]:
        def step(record: Record) -> Record | None:
            if record.review != "pending" or record.state != "COMPLETE":
                return None
            return judging.review_started(record, now, self._desk.config)

        return step

    async def _signal(self, now: datetime) -> None:
        """Tell the release manager what can be merged, dependencies first, and several at once as a batch. [O13]"""
        from pytest_agog.reference.orchestrator.running.releasing import mergeable, signalled

        ready = mergeable(self._books.records, reviewed=self._desk.config.review)
        waiting = sum(1 for one in self._books.records.values() if one.state == "COMPLETE" and not one.released)
        for place, record in enumerate(ready):
            await self._apply(record, signalled(ready, place, queue=waiting))

    async def _apply(self, record: Record, step: Callable[[Record], Record | None]) -> None:
        await patiently(self._books.apply(record.id, step), record.id)


def _routed(planned: Planned, now: datetime) -> Callable[[Record], Record | None]:
    return lambda record: taking.routed(record, planned, now) if record.lane is None else None


def _in_vain(why: str, records: Mapping[str, Record], now: datetime) -> Callable[[Record], Record | None]:
    def step(record: Record) -> Record | None:
        waits = record.state == "PENDING" or (record.state == "BLOCKED" and record.held_by == "agent")
        return waiting.handed_over(record, why, records, now) if waits else None

    return step


def _too_big(why: str, now: datetime) -> Callable[[Record], Record | None]:
    """No day's budget will ever pay for it: a human has to split it, or to allow more. [O7]"""
    return lambda record: ending.escalated(record, why, now) if record.state == "READY" else None


def _replanned(planned: Planned, now: datetime) -> Callable[[Record], Record | None]:
    return lambda record: taking.replanned(record, planned, now) if record.state in ("PENDING", "READY") else None


def _held_by_cycle(cycle: Sequence[str], now: datetime) -> Callable[[Record], Record | None]:
    return lambda record: taking.cyclic(record, cycle, now) if record.held_by is None else None


def _held_by_missing(needs: Sequence[str], now: datetime) -> Callable[[Record], Record | None]:
    return lambda record: taking.missing(record, needs, now) if record.held_by is None else None


def _rank(record: Record) -> tuple[int, datetime, str]:
    return _ORDER[record.priority], record.submitted_at or _NEVER, record.id


def _depths(ready: Iterable[Record]) -> dict[str, int]:
    return dict(Counter(record.agent for record in ready if record.agent is not None))
