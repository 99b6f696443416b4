"""The queues: what is to be done, by priority, where each requirement is and what it waits for. [O18]"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, get_args

from pytest_agog.masking import mask
from pytest_agog.reference.orchestrator.board.model import Item, Passage, Step, moment
from pytest_agog.reference.orchestrator.board.situation import Situation
from pytest_agog.reference.orchestrator.engine import stages
from pytest_agog.reference.orchestrator.engine.working import upcoming
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire.orchestration import Priority, State

PRIORITIES: Final[tuple[Priority, ...]] = get_args(Priority)
_ORDER: Final[dict[State, int]] = {
    "IN_PROGRESS": 0, "ASSIGNED": 0, "GATING": 1, "REJECTED": 2, "READY": 3, "PENDING": 4, "BLOCKED": 5, "ESCALATED": 6,
}  # fmt: skip
_LONGEST: Final = 400
"""Characters of a note."""


def queues(situation: Situation) -> dict[Priority, tuple[Item, ...]]:
    """Everything that is not over; what runs comes first, then what can start, then what waits."""
    found: dict[Priority, list[Record]] = {priority: [] for priority in PRIORITIES}
    for record in situation.records.values():
        if not record.over:
            found[record.priority].append(record)
    return {
        priority: tuple(item(one, situation.records, situation.at) for one in sorted(records, key=_rank))
        for priority, records in found.items()
    }


def _rank(record: Record) -> tuple[int, datetime, str]:
    return _ORDER.get(record.state, 9), moment(record.submitted_at), record.id


def item(record: Record, records: Mapping[str, Record], now: datetime) -> Item:
    """One requirement as a queue shows it."""
    stage, agent = _place(record)
    since = record.stage_started_at if record.running else None
    return Item(
        id=record.id, title=title(record), agent=record.agent, priority=record.priority, complexity=record.complexity,
        state=record.state, estimated_tokens=record.estimated_tokens, tokens=sum(record.tokens.values()),
        blocked_by=blocked_by(record, records), stage=stage, stage_agent=agent,
        attempt=record.attempt if record.running else 0,
        elapsed=max((now - since).total_seconds(), 0.0) if since is not None else None,
        due=record.due if record.due is not None and record.due > now else None, rejections=record.rejections,
        stopped=record.stopped, held=is_held(record), note=note(record), steps=steps(record),
    )  # fmt: skip


def _place(record: Record) -> tuple[str | None, str | None]:
    if record.running:
        return record.stage, record.stage_agent
    found = upcoming(record)
    return found if found is not None else (None, None)


def title(record: Record) -> str:
    """What it is about, secrets masked."""
    return mask(record.stated.title[: 10 * _LONGEST])[:_LONGEST]


def note(record: Record) -> str:
    """Why it is where it is, secrets masked."""
    return mask(record.history[-1].why)[:_LONGEST] if record.history else ""


def blocked_by(record: Record, records: Mapping[str, Record]) -> tuple[str, ...]:
    """The requirements that it waits for: before it begins those it depends on, later those that its agent named."""
    needs = record.waits_for if record.started_at is not None else (*record.depends_on, *record.waits_for)
    open_ = (one for one in needs if (found := records.get(one)) is None or found.state != "COMPLETE")
    return tuple(dict.fromkeys(open_)) if not record.over else ()


def is_held(record: Record) -> bool:
    """Whether only a human can say how it goes on."""
    if record.state == "ESCALATED" or record.stopped:
        return True
    return record.state == "BLOCKED" and not (record.held_by == "agent" and record.waits_for)


def steps(record: Record) -> tuple[Step, ...]:
    """The stages of its chain, each with how far it is."""
    done = {one.stage for one in record.done}
    following = stages.next_stage(record)

    def passage(stage: str) -> Passage:
        if stage in done:
            return "done"
        if stage in record.skipped:
            return "skipped"
        if stage == record.stage and record.running:
            return "running"
        if stage == following and record.state in ("REJECTED", "BLOCKED", "ESCALATED", "FAILED"):
            return "failed"
        return "next" if stage == following else "ahead"

    return tuple(Step(stage, stages.agent_of(stage, record), passage(stage)) for stage in record.chain)
