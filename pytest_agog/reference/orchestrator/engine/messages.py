"""The messages that steps send, as effects. Their ids are made of what they tell, so a message has one id for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pytest_agog.reference.orchestrator.state.record import Effect, Feedback, Record
from pytest_agog.wire import orchestration as wire
from pytest_agog.wire import subjects
from pytest_agog.wire.orchestration import CommandRun, Message

MERGE_AGENT = "release"
MANAGER = "project-manager"


def _effect(subject: str, message: Message | dict[str, Any], msg_id: str) -> Effect:
    payload = message if isinstance(message, dict) else _plain(message)
    return Effect(subject, payload, msg_id)


def _plain(message: Message) -> dict[str, Any]:
    fields = type(message).model_fields
    silent = {name for name in fields if name not in message.model_fields_set and getattr(message, name) is None}
    return message.model_dump(mode="json", by_alias=True, exclude=silent)


def decision(record: Record, at: datetime) -> Effect:
    """Who does the work, and why. [O4]"""
    said = wire.Decision(
        req_id=record.id, lane=record.lane, agent=record.agent, priority=record.priority,
        reasons=list(record.reasons), timestamp=at,
    )  # fmt: skip
    version = len(record.history)
    return _effect(wire.decision_subject(record.id), said, f"{record.id}:decision:{version}")


def requirement(record: Record, lane: str) -> Effect:
    """The requirement, to the agents of a lane. [O1]"""
    stated = record.stated
    review = lane == "review" and record.lane != "review"
    said = wire.Requirement(
        id=record.id, priority=record.priority, title=stated.title,
        assigned_agent="review" if review else record.agent, status="PENDING",
        estimated_tokens=record.estimated_tokens, dependencies=list(record.depends_on),
        acceptance_criteria=list(stated.acceptance), files=list(stated.files),
        metadata=wire.RequirementMetadata(
            phase=stated.phase, requested_by=stated.requested_by, deadline=stated.deadline
        ),
    )  # fmt: skip
    kind = f"review:{record.attempts}" if review else f"requirement:{len(record.history)}"
    payload = _plain(said)
    if review:
        payload["deliverable"] = record.done[-1].deliverable_url if record.done else None
        payload["author"] = record.agent
    return Effect(wire.requirement_subject(lane, record.id), payload, f"{record.id}:{kind}")


def started(record: Record, at: datetime, timeout: float) -> Effect:
    """`stage.started`: the one message that an agent is spawned from. URLs of earlier work, never its content. [F47]"""
    assert record.stage is not None
    assert record.stage_agent is not None
    return spawn(record, record.stage, record.stage_agent, record.attempt, at, timeout)


def spawn(record: Record, stage: str, agent: str, attempt: int, at: datetime, timeout: float) -> Effect:
    """`stage.started` of any stage, reviews too."""
    stated = record.stated
    further: dict[str, Any] = {
        "description": stated.text, "acceptanceCriteria": list(stated.acceptance), "files": list(stated.files),
        "priority": record.priority, "estimatedTokens": record.estimated_tokens,
    }  # fmt: skip
    if record.feedback and stage != "review":
        further["feedback"] = [_feedback(one) for one in record.feedback]
    if record.conditions:
        further["conditions"] = record.conditions
    if record.model:
        further["model"] = record.model
    context = wire.StageContext(
        req_number=record.id, title=stated.title,
        previous_stages=[
            wire.PreviousStage(stage=one.stage, agent=one.agent, deliverable_url=one.deliverable_url)
            for one in record.done
        ],
        **further,
    )  # fmt: skip
    said = wire.StageStarted(
        req_number=record.id, stage=stage, agent_id=agent, attempt=attempt, context_data=context, timeout=timeout,
        timestamp=at,
    )  # fmt: skip
    return _effect(f"{subjects.EVENTS}.stage.started", said, f"{record.id}:{stage}:{attempt}:started")


def _feedback(one: Feedback) -> dict[str, Any]:
    return {"by": one.by, "text": one.text, **({"deliverableUrl": one.deliverable_url} if one.deliverable_url else {})}


def not_run(record: Record, event: str, stage: str, at: datetime, reason: str, attempt: int | None = None) -> Effect:
    """`stage.skipped` and `stage.timeout`."""
    said = wire.StageNotRun(
        req_number=record.id, stage=stage, agent_id=record.stage_agent if attempt else None, attempt=attempt,
        reason=reason, timestamp=at,
    )  # fmt: skip
    # What the listener says of the end of an attempt has the same id: whoever is first has said it.
    msg_id = f"{record.id}:{stage}:{attempt}:ended" if attempt else f"{record.id}:{stage}:{event}"
    return _effect(f"{subjects.EVENTS}.{event}", said, msg_id)


def workflow(record: Record, event: str, at: datetime, error: str | None = None) -> Effect:
    """`workflow.started|completed|failed|resumed`."""
    said = wire.WorkflowEvent(req_number=record.id, title=record.stated.title, timestamp=at)
    if error is not None:
        said = said.model_copy(update={"error": error})
        said = wire.WorkflowEvent.model_validate(said.model_dump())
    version = "" if event == "workflow.started" else f":{len(record.history)}"
    return _effect(f"{subjects.EVENTS}.{event}", said, f"{record.id}:{event}{version}")


def built(record: Record, *, passed: bool, commands: Sequence[CommandRun], at: datetime) -> Effect:
    """`build.passed|failed`: what the gate ran. [O12]"""
    said = wire.BuildEvent(
        req_number=record.id, stage=record.stage or "", agent_id=record.stage_agent or "", attempt=record.attempt,
        commands=list(commands), timestamp=at,
    )  # fmt: skip
    event = "build.passed" if passed else "build.failed"
    return _effect(f"{subjects.EVENTS}.{event}", said, f"{record.id}:{record.stage}:{record.attempt}:{event}")


def gated(record: Record, verdict: str, commands: Sequence[CommandRun], missing: Sequence[str]) -> Effect:
    """The result once more, with what the gate found."""
    agent = record.stage_agent or record.agent or "nobody"
    payload = {
        **(record.notice or {}),
        "attempt": record.attempt,
        "stage": record.stage,
        "gate": {
            "verdict": verdict,
            "commands": [command.model_dump(mode="json") for command in commands],
            **({"missing": list(missing)} if missing else {}),
        },
    }
    return Effect(wire.result_subject(agent, record.id), payload, f"{record.id}:{record.stage}:{record.attempt}:gated")


def escalation(record: Record, reason: str, at: datetime, **context: Any) -> Effect:
    """A human has to decide. [O15]"""
    told = {
        "title": record.stated.title, "state": record.state, "lane": record.lane, "agent": record.agent,
        "stage": record.stage, "attempts": record.attempts, **context,
    }  # fmt: skip
    said = wire.Escalation(req_id=record.id, reason=reason, context=told, priority=record.priority, timestamp=at)
    return _effect(wire.escalation_subject(record.id), said, f"{record.id}:escalation:{len(record.history)}")


def alert(identity: str, reason: str, at: datetime, context: dict[str, Any]) -> Effect:
    """A human should know something that is about no single requirement; `identity` names it, as `REQ-BUDGET-…`."""
    said = wire.Escalation(req_id=identity, reason=reason, context=context, priority="HIGH", timestamp=at)
    return _effect(wire.escalation_subject(identity), said, f"{identity}:alert")


def integration(agent: str, topic: str, payload: dict[str, Any], msg_id: str) -> Effect:
    """Word to another agent, or to all (`broadcast`)."""
    return Effect(wire.integration_subject(topic, agent), payload, msg_id)
