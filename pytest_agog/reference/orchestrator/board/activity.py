"""What each agent does: works, waits, or has nothing to do; what it spent, and what comes next. [O18]"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean

from pytest_agog.reference.orchestrator.board.attempts import Attempt
from pytest_agog.reference.orchestrator.board.measures import AgentMeasures, Metrics
from pytest_agog.reference.orchestrator.board.model import Activity, AgentActivity, moment
from pytest_agog.reference.orchestrator.board.queues import PRIORITIES, blocked_by
from pytest_agog.reference.orchestrator.board.situation import Situation
from pytest_agog.reference.orchestrator.engine import stages
from pytest_agog.reference.orchestrator.engine.working import upcoming
from pytest_agog.reference.orchestrator.state.record import REVIEW, Record

_NOT_MEASURED = AgentMeasures("", None, None, 0, 0, None)
_REVIEWER = stages.AGENTS[REVIEW]
ORCHESTRATOR = "orchestrator"


@dataclass(slots=True)
class _Hands:
    """What one agent has to do with."""

    working: list[Record] = field(default_factory=list)
    gated: list[Record] = field(default_factory=list)
    queue: list[Record] = field(default_factory=list)


def spent_today(records: Iterable[Record], now: datetime) -> dict[str, int]:
    """Tokens of the UTC day by agent. [O7]"""
    found: dict[str, int] = defaultdict(int)
    for record in records:
        for one in record.spent:
            if one.at.date() == now.date():
                found[one.agent] += one.tokens
    return dict(found)


def activities(
    situation: Situation, shares: Mapping[str, int], tries: Sequence[Attempt], metrics: Metrics
) -> tuple[AgentActivity, ...]:
    """Every agent with a share of the budget, then all others that have or had something to do."""
    hands = _hands(situation.records.values())
    used = spent_today(situation.records.values(), situation.at)
    measures = {one.agent: one for one in metrics.agents}
    further = sorted({*hands, *used, *measures, *situation.breakers} - {*shares, ORCHESTRATOR})
    usual = usual_seconds(tries)
    return tuple(
        _activity(
            agent, hands.get(agent, _Hands()), situation, usual, used.get(agent, 0), shares.get(agent),
            measures.get(agent, _NOT_MEASURED),
        )
        for agent in (*(one for one in shares if one != ORCHESTRATOR), *further)
    )  # fmt: skip


def _hands(records: Iterable[Record]) -> dict[str, _Hands]:
    found: dict[str, _Hands] = defaultdict(_Hands)
    for record in records:
        if record.state in ("ASSIGNED", "IN_PROGRESS"):
            found[_worker(record)].working.append(record)
        elif record.state == "GATING":
            found[_worker(record)].gated.append(record)
        elif record.state == "COMPLETE" and record.review == "running":
            found[_REVIEWER].working.append(record)
        elif (agent := waits_at(record)) is not None:
            found[agent].queue.append(record)
    return found


def _worker(record: Record) -> str:
    return record.stage_agent or record.agent or "nobody"


def waits_at(record: Record) -> str | None:
    """In whose queue it is; None when it runs, is over, or is a human's."""
    if record.state == "COMPLETE":
        return _REVIEWER if record.review == "pending" else None
    if record.running or record.over or record.stopped or record.state == "ESCALATED":
        return None
    if record.started_at is None:
        return record.agent
    found = upcoming(record)
    return found[1] if found is not None else None


def _activity(
    agent: str, hands: _Hands, situation: Situation, usual: Mapping[tuple[str, ...], float], used: int,
    share: int | None, measures: AgentMeasures,
) -> AgentActivity:  # fmt: skip
    records, now = situation.records, situation.at
    ranked = sorted(hands.queue, key=lambda one: _rank(one, records, now))
    following = ranked[0] if ranked else None
    blocks = blocked_by(following, records) if following is not None else ()
    return AgentActivity(
        agent=agent, status=_status(hands, following, records, now),
        working_on=tuple(one.id for one in hands.working), before_gate=tuple(one.id for one in hands.gated),
        tokens=used, share=share,
        estimated_completion=_until_done(hands.working, usual, now), next_task=following.id if following else None,
        next_priority=following.priority if following else None, next_blocked_by=blocks,
        next_ready=following is not None and _ready(following, records, now), queue_depth=len(hands.queue),
        breaker=situation.breakers.get(agent), utilisation=measures.utilisation, idle=measures.idle,
    )  # fmt: skip


def _status(hands: _Hands, following: Record | None, records: Mapping[str, Record], now: datetime) -> Activity:
    if hands.working:
        return "ACTIVE"
    if hands.gated or (following is not None and not _ready(following, records, now)):
        return "WAITING"
    return "IDLE"


def _ready(record: Record, records: Mapping[str, Record], now: datetime) -> bool:
    if record.state == "BLOCKED" or blocked_by(record, records):
        return False
    return record.due is None or record.due <= now


def _rank(record: Record, records: Mapping[str, Record], now: datetime) -> tuple[bool, int, datetime, str]:
    ready = _ready(record, records, now)
    return not ready, PRIORITIES.index(record.priority), moment(record.submitted_at), record.id


# --- how long it will take --------------------------------------------------------------------------------------------
def usual_seconds(tries: Iterable[Attempt]) -> dict[tuple[str, ...], float]:
    """How long attempts took that came to something: by agent and stage, and by stage alone."""
    found: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for one in tries:
        if one.outcome in ("done", "rejected", "judged"):
            found[one.agent, one.stage].append(one.seconds)
            found[(one.stage,)].append(one.seconds)
    return {key: fmean(values) for key, values in found.items()}


def _until_done(working: Sequence[Record], usual: Mapping[tuple[str, ...], float], now: datetime) -> float | None:
    """Until the first of them is done."""
    left = []
    for record in working:
        stage, since = (
            (REVIEW, record.active_at) if record.state == "COMPLETE" else (record.stage or "", record.stage_started_at)
        )
        takes = usual.get((record.stage_agent or "", stage), usual.get((stage,)))
        if takes is not None and since is not None:
            left.append(max(takes - (now - since).total_seconds(), 0.0))
    return min(left, default=None)
