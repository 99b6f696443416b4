"""How a requirement ends, for now or for good: complete, stopped, or before a human. [O13] [O15]"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pytest_agog.reference.orchestrator.engine import messages, stages
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire.notices import Notice


def completed(record: Record, at: datetime) -> Record:
    """All stages are done and what needed a gate has passed it; a review follows. [O13]"""
    reviewed = record.lane not in stages.UNREVIEWED
    over = record.now(
        at, "COMPLETE", "all stages done", completed_at=at, review="pending" if reviewed else "none", due=None,
        notice=None, feedback=(), blockers=(),
    )  # fmt: skip
    effects = [messages.workflow(over, "workflow.completed", at)]
    if reviewed:
        effects.append(messages.requirement(over, "review"))
    return over.telling(*effects)


def escalated(record: Record, reason: str, at: datetime, **context: Any) -> Record:
    """It stops and waits for a human. [O15]"""
    held = record.now(at, "ESCALATED", reason, escalations=record.escalations + 1, due=None, helper=None)
    return held.telling(
        messages.workflow(held, "workflow.failed", at, reason), messages.escalation(held, reason, at, **context)
    )


def stopped(record: Record, notice: Notice, at: datetime) -> Record:
    """The critic rejected it: no implementer starts. [F24]"""
    reason = f"rejected by {notice.agent}: {notice.summary}"
    over = record.now(
        at, "REJECTED", reason, blockers=notice.blockers, rejections=record.rejections + 1,
        escalations=record.escalations + 1, stopped=True,
    )  # fmt: skip
    return over.telling(
        messages.workflow(over, "workflow.failed", at, reason),
        messages.escalation(over, reason, at, blockers=list(notice.blockers), critique=notice.deliverable),
    )


Answer = Literal["retry", "abandon", "assign"]


def decided(record: Record, answer: Answer, agent: str | None, by: str, at: datetime) -> Record:
    """What a human answered to an escalation."""
    if answer == "abandon":
        over = record.now(at, "FAILED", f"{by} gave it up")
        return over.telling(messages.workflow(over, "workflow.failed", at, f"{by} gave it up"))
    changes: dict[str, Any] = {
        "retries": 0, "rejections": 0, "blockers": (), "waits_for": (), "held_by": None, "due": None, "helper": None,
        "stopped": False,
    }  # fmt: skip
    if answer == "assign" and agent is not None:
        lane = stages.STAGE_OF.get(agent, agent)
        changes |= {
            "agent": agent, "lane": lane, "chain": (lane,), "reasons": (f"{by} assigned {agent}",), "assigned": True,
            "stated": replace(record.stated, agent=agent),
        }  # fmt: skip
    again = record.now(at, "READY", f"{by} says: {answer}{f' {agent}' if agent else ''}", **changes)
    effects = [messages.workflow(again, "workflow.resumed", at)]
    if answer == "assign":
        effects.append(messages.decision(again, at))
        if again.lane in stages.ADDRESSES:
            effects.append(messages.requirement(again, again.lane))
    return again.telling(*effects)
