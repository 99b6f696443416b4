"""What the gate's verdict and the review mean. Nothing is complete without a gate that ran. [O12] [O13]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pytest_agog.reference.orchestrator.engine import messages, stages
from pytest_agog.reference.orchestrator.engine.config import OrchestratorConfig
from pytest_agog.reference.orchestrator.engine.ending import escalated
from pytest_agog.reference.orchestrator.engine.rework import refused
from pytest_agog.reference.orchestrator.engine.working import Cost, passed
from pytest_agog.reference.orchestrator.state.record import REVIEW, Effect, Feedback, Record, Spent
from pytest_agog.wire.notices import Notice
from pytest_agog.wire.orchestration import CommandRun, Failure


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate found."""

    accepted: bool
    commands: tuple[CommandRun, ...]
    missing: tuple[str, ...]
    feedback: str
    """Exact output, and what is missing; for the author."""
    reason: str = ""
    """The verdict in one line."""
    unable: bool = False
    """The gate cannot judge here, whatever the author does: a program is missing, or others changed its files."""


def judged(record: Record, verdict: Judged, at: datetime, config: OrchestratorConfig) -> Record:
    """Accepted work passes; the rest goes back with the exact output, and to a human after too many times."""
    if record.state != "GATING":
        return record
    built = messages.built(record, passed=verdict.accepted, commands=verdict.commands, at=at)
    if verdict.accepted:
        told = record.telling(built, _gated(record, "accepted", verdict))
        return passed(told, at)
    if verdict.unable:
        told = record.telling(built, _gated(record, "escalated", verdict))
        reason = f"the gate cannot judge it: {verdict.reason}"
        return escalated(told, reason, at, output=verdict.feedback[-4000:])
    last = record.rejections + 1 >= config.rejections
    told = record.telling(built, _gated(record, "escalated" if last else "rejected", verdict))
    said = Feedback("gate", verdict.feedback)
    return refused(told, said, at, config, named=[record.stage_agent or ""], why=verdict.reason)


def _gated(record: Record, verdict: str, judged: Judged) -> Effect:
    commands: Sequence[CommandRun] = judged.commands
    return messages.gated(record, verdict, commands, judged.missing)


# --- review -----------------------------------------------------------------------------------------------------------
def review_started(record: Record, at: datetime, config: OrchestratorConfig) -> Record:
    """The reviewer is spawned; the requirement stays complete meanwhile."""
    number = record.review_attempts + 1
    begun = replace(record, review="running", review_attempts=number, active_at=at, due=None)
    agent = stages.AGENTS[REVIEW]
    return begun.telling(messages.spawn(begun, REVIEW, agent, number, at, config.stage_timeout))


def awaits_review(record: Record, stage: str | None, attempt: int | None) -> bool:
    """Whether a result of stage `review` is the one that it waits for."""
    return (
        record.state == "COMPLETE" and record.review == "running" and stage == REVIEW
        and attempt in (None, record.review_attempts)
    )  # fmt: skip


def reviewed(record: Record, notice: Notice, cost: Cost, at: datetime, config: OrchestratorConfig) -> Record:
    """Passed, or back to its author: complete work is open again then. [O13]"""
    kind = "reported" if cost.reported else "estimated"
    entry = Spent(at, notice.agent, REVIEW, record.review_attempts, cost.tokens, kind)  # type: ignore[arg-type]
    tokens = {**record.tokens, kind: record.tokens.get(kind, 0) + cost.tokens}
    record = replace(record, spent=(*record.spent, entry), tokens=tokens)
    good = notice.status == "COMPLETE" and not notice.blockers and notice.critique_verdict != "REJECTED"
    if good and notice.ready_for_next_stage is not False:
        return record.now(at, "COMPLETE", f"review passed: {notice.summary}", review="passed")
    text = "\n".join([notice.summary, *(f"- {blocker}" for blocker in notice.blockers)])
    return refused(
        replace(record, review="failed"), Feedback(REVIEW, text, notice.deliverable), at, config,
        named=notice.next_agents,
    )  # fmt: skip


def review_failed(record: Record, failure: Failure, at: datetime, config: OrchestratorConfig) -> Record:
    """The reviewer came to nothing: tried again, and then a human is told; the work stays complete."""
    if failure.transient and record.review_attempts <= config.retry.most:
        return record.now(at, "COMPLETE", f"review came to nothing: {failure.error}", review="pending")
    held = record.now(
        at, "COMPLETE", f"not reviewed: {failure.error}", review="failed", escalations=record.escalations + 1
    )
    return held.telling(messages.escalation(held, f"nobody could review it: {failure.error}", at))
