"""Stage attempts: how one starts, and what its end means for the requirement. [O10] [O11] [O14]"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pytest_agog.reference.orchestrator.engine import messages, stages
from pytest_agog.reference.orchestrator.engine.config import OrchestratorConfig
from pytest_agog.reference.orchestrator.engine.ending import completed, escalated, stopped
from pytest_agog.reference.orchestrator.engine.rework import refused
from pytest_agog.reference.orchestrator.state.record import Done, Feedback, Record, Spent
from pytest_agog.wire.notices import Notice
from pytest_agog.wire.orchestration import Failure

UNBLOCK: Final = "unblock"
"""The stage in which another agent removes a blocker."""
_UNBLOCKS: Final = 2
_ID: Final = re.compile(r"(?<![\w-])REQ-[A-Za-z0-9-]*[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens of one attempt; an agent's own word counts before an estimate. [O7]"""

    tokens: int
    reported: bool


# --- starting ---------------------------------------------------------------------------------------------------------
def prepared(record: Record, at: datetime) -> Record:
    """The record with conditional stages that nobody asked for passed over, and complete when nothing is left."""
    while (stage := stages.skippable(record)) is not None:
        reason = f"no notice asked for it ({stages.CONDITIONAL[stage]})"
        record = replace(record, skipped=(*record.skipped, stage)).telling(
            messages.not_run(record, "stage.skipped", stage, at, reason)
        )
    return record if record.helper or stages.next_stage(record) is not None else completed(record, at)


def upcoming(record: Record) -> tuple[str, str] | None:
    """The stage that starts next and its agent; None when none is left."""
    if record.helper is not None:
        return UNBLOCK, record.helper
    stage = stages.next_stage(record)
    return None if stage is None else (stage, stages.agent_of(stage, record))


def started(record: Record, at: datetime, config: OrchestratorConfig, *, model: str | None = None) -> Record:
    """The next attempt at the next stage. Its number is part of the record before anything is spawned. [F29]"""
    found = upcoming(record)
    if found is None:
        return completed(record, at)
    stage, agent = found
    number = record.stage_attempts.get(stage, 0) + 1
    begun = record.now(
        at, "ASSIGNED", f"{agent} starts {stage}", stage=stage, stage_agent=agent, attempt=number,
        stage_attempts={**record.stage_attempts, stage: number}, attempts=record.attempts + 1, model=model,
        stage_started_at=at, active_at=at, started_at=record.started_at or at, due=None, notice=None,
    )  # fmt: skip
    effects = [messages.started(begun, at, config.stage_timeout)]
    if record.started_at is None:
        effects.insert(0, messages.workflow(begun, "workflow.started", at))
    return begun.telling(*effects)


def dispatched(record: Record, at: datetime) -> Record:
    """The event that starts the agent is on the stream."""
    return record.now(at, "IN_PROGRESS", "spawn requested") if record.state == "ASSIGNED" else record


def concerns(record: Record, stage: str | None, attempt: int | None, agent: str) -> bool:
    """Whether the end of an attempt is that of the one that runs; a late or repeated one is not. [F46]"""
    if record.state not in ("ASSIGNED", "IN_PROGRESS"):
        return False
    if stage is None and attempt is None:
        return agent == record.stage_agent
    return stage in (None, record.stage) and attempt in (None, record.attempt) and agent == record.stage_agent


def spent(record: Record, cost: Cost, at: datetime) -> Record:
    """The record with the cost of the attempt that ended."""
    kind = "reported" if cost.reported else "estimated"
    entry = Spent(at, record.stage_agent or "", record.stage or "", record.attempt, cost.tokens, kind)  # type: ignore[arg-type]
    tokens = {**record.tokens, kind: record.tokens.get(kind, 0) + cost.tokens}
    return replace(record, spent=(*record.spent, entry), tokens=tokens)


# --- a result ---------------------------------------------------------------------------------------------------------
def ended(record: Record, notice: Notice, at: datetime, config: OrchestratorConfig) -> Record:
    """What the notice of the attempt that ran means. Work of a gated stage goes before the gate first. [O12]"""
    record = replace(record, notice=notice.raw, active_at=at, wanted=_wanted(record, notice))
    stage = record.stage or ""
    if stage == UNBLOCK:
        return _unblocked(record, notice, at)
    if stage == stages.CRITIQUE:
        return _criticised(record, notice, at, config)
    if stage in (stages.QA, *stages.CONDITIONAL) and not _approves(notice):
        return refused(record, _feedback(stage, notice), at, config, named=notice.next_agents)
    if notice.status == "FAILED":
        return escalated(record, f"{notice.agent} failed: {notice.summary}", at, blockers=list(notice.blockers))
    if notice.status == "BLOCKED" or notice.blockers:
        return _blocked(record, notice, at)
    if stage in stages.GATED or stage == record.lane:
        return record.now(at, "GATING", f"{notice.agent} says it is done")
    return passed(record, at)


def passed(record: Record, at: datetime) -> Record:
    """The stage is over and its work counts; the next one may start."""
    notice = record.notice or {}
    url = str(notice.get("deliverable") or notice.get("nats_channel") or "")
    entry = Done(
        record.stage or "", record.stage_agent or "", url if url.startswith("nats://") else f"nats://{url}",
        str(notice.get("summary", ""))[:500],
    )  # fmt: skip
    others = tuple(one for one in record.done if one.stage != entry.stage)
    mine = stages.GATED & {entry.stage}
    over = record.now(
        at, "READY", f"{entry.stage} done", done=(*others, entry), retries=0, due=None, notice=None,
        feedback=() if mine else record.feedback,
    )  # fmt: skip
    return prepared(over, at)


def _wanted(record: Record, notice: Notice) -> tuple[str, ...]:
    asked = {"performance": notice.needs_todd, "security": notice.needs_vic}
    return tuple(dict.fromkeys((*record.wanted, *(stage for stage, wants in asked.items() if wants))))


def _approves(notice: Notice) -> bool:
    """A verdict that is given counts; without one, a complete notice without blockers that is not `not ready`. [F23]"""
    if notice.status != "COMPLETE" or notice.blockers or notice.critique_verdict == "REJECTED":
        return False
    return notice.ready_for_next_stage is not False


def _feedback(by: str, notice: Notice) -> Feedback:
    text = "\n".join([notice.summary, *(f"- {blocker}" for blocker in notice.blockers)])
    return Feedback(by, text, notice.deliverable)


def _criticised(record: Record, notice: Notice, at: datetime, config: OrchestratorConfig) -> Record:
    """[F24] A rejected critique stops the chain; [F25] one that gives no verdict is no approval."""
    if notice.status == "BLOCKED":
        return _blocked(record, notice, at)
    if notice.critique_verdict is None and notice.status == "COMPLETE" and notice.ready_for_next_stage is None:
        return failed(record, f"{notice.agent} gave no verdict", at, config, transient=True)
    if notice.critique_verdict == "REJECTED" or not _approves(notice):
        return stopped(record, notice, at)
    conditional = notice.critique_verdict == "APPROVED_WITH_CONDITIONS"
    return passed(replace(record, conditions=notice.summary if conditional else None), at)


# --- blocked ----------------------------------------------------------------------------------------------------------
def _blocked(record: Record, notice: Notice, at: datetime) -> Record:
    """To whoever can unblock it: the requirements that it names, the agent that it names, or a human. [O14]"""
    blockers = notice.blockers or (notice.summary,)
    ids = tuple(dict.fromkeys(one for text in blockers for one in _ID.findall(text) if one != record.id))
    if ids:
        return record.now(
            at, "BLOCKED", f"waits for {', '.join(ids)}", held_by="agent", waits_for=ids, blockers=blockers, notice=None
        )
    helper = next((one for one in notice.next_agents if one in stages.STAGE_OF and one != record.stage_agent), None)
    if helper is not None and record.stage_attempts.get(UNBLOCK, 0) < _UNBLOCKS:
        told = messages.integration(
            helper, "blocker", {"reqId": record.id, "from": notice.agent, "blockers": list(blockers)},
            f"{record.id}:{record.stage}:{record.attempt}:blocker",
        )  # fmt: skip
        return record.now(
            at, "READY", f"{helper} is to unblock it", helper=helper, blockers=blockers, notice=None,
            feedback=(Feedback(notice.agent, "\n".join(blockers), notice.deliverable),),
        ).telling(told)  # fmt: skip
    held = record.now(
        at, "BLOCKED", "; ".join(blockers), held_by="agent", blockers=blockers, notice=None,
        escalations=record.escalations + 1,
    )  # fmt: skip
    return held.telling(messages.escalation(held, f"{notice.agent} is blocked", at, blockers=list(blockers)))


def _unblocked(record: Record, notice: Notice, at: datetime) -> Record:
    if notice.status != "COMPLETE" or notice.blockers:
        reason = f"{notice.agent} could not unblock it: {notice.summary}"
        return escalated(replace(record, helper=None), reason, at, blockers=list(notice.blockers))
    feedback = Feedback(notice.agent, notice.summary, notice.deliverable)
    return record.now(
        at, "READY", f"unblocked by {notice.agent}", helper=None, blockers=(), notice=None, feedback=(feedback,)
    )


def resumed(record: Record, at: datetime) -> Record:
    """What an agent waited for is complete: its stage goes on with a new attempt. [F39]"""
    names = ", ".join(record.waits_for)
    free = record.now(
        at, "READY", f"{names} complete" if names else "unblocked", held_by=None, waits_for=(), blockers=()
    )
    return free.telling(messages.workflow(free, "workflow.resumed", at))


# --- failed -----------------------------------------------------------------------------------------------------------
def broken(record: Record, failure: Failure, at: datetime, config: OrchestratorConfig) -> Record:
    """An attempt without a result."""
    if "CONFLICT (" in failure.output or "merge conflict" in failure.error.lower():
        record = replace(record, conflicted=True)
    return failed(record, failure.error, at, config, transient=failure.transient, output=failure.output[-2000:])


def failed(
    record: Record, error: str, at: datetime, config: OrchestratorConfig, *, transient: bool, output: str = ""
) -> Record:
    """Tried again after a back-off if that may help, and not too often; else a human is asked. [O14] [F29]"""
    if not transient:
        return escalated(record, error, at, output=output)
    if record.retries >= config.retry.most:
        return escalated(record, f"failed {record.retries + 1} times, last: {error}", at, output=output)
    pause = min(config.retry.backoff * 2**record.retries, config.retry.longest)
    return record.now(
        at, "READY", f"{error}; again in {pause:g} s", retries=record.retries + 1, due=at + timedelta(seconds=pause),
        notice=None,
    )  # fmt: skip


def stuck(record: Record, at: datetime, config: OrchestratorConfig) -> Record:
    """No sign of life for too long: the attempt counts as over, whatever comes of it later. [O15]"""
    told = messages.not_run(
        record, "stage.timeout", record.stage or "", at, "no sign of life", attempt=record.attempt
    )  # fmt: skip
    return failed(record, f"{record.stage_agent} was stuck", at, config, transient=True).telling(told)
