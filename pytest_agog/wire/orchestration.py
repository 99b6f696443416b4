"""What orchestrator, host listener and agents tell each other. Keys are camelCase; unknown ones are kept."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from pytest_agog.errors import BadInput
from pytest_agog.wire import notices, subjects
from pytest_agog.wire.times import UtcTime

_REQUIREMENT_ID: Final = re.compile(r"REQ-[A-Za-z0-9-]+")

Priority = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]
Lane = Literal["backend", "frontend", "database", "documentation", "review"]
"""The lanes that have a subject and a consumer."""
State = Literal[
    "PENDING", "READY", "ASSIGNED", "IN_PROGRESS", "GATING", "REJECTED", "BLOCKED", "ESCALATED", "COMPLETE", "FAILED"
]
STATE_KEY: Final = "requirement"
INTEGRATION: Final = "integration"


def requirement_id(value: str) -> str:
    """`value`, if it is the id of a requirement: `REQ-` followed by letters, digits and dashes, at most 128 bytes.

    Raises:
        BadInput: it is none.
    """
    if not _REQUIREMENT_ID.fullmatch(value) or len(value) > subjects.MAX_TOKEN_BYTES:
        raise BadInput(f"{value[:140]!r} is no requirement id; expected REQ- and then letters, digits and dashes")
    return value


def _valid_id(value: str) -> str:
    try:
        return requirement_id(value)
    except BadInput as error:
        raise ValueError(str(error)) from None


RequirementId = Annotated[str, AfterValidator(_valid_id)]


class Message(BaseModel):
    """Base of every message here: camelCase on the wire, snake_case in Python, unknown fields kept."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel, populate_by_name=True, defer_build=True)

    def payload(self) -> bytes:
        """The message as it goes over the wire; fields that nobody set and that are null are left out."""
        fields = type(self).model_fields
        silent = {name for name in fields if name not in self.model_fields_set and getattr(self, name) is None}
        return to_json(self.model_dump(mode="json", by_alias=True, exclude=silent))


# --- events: agog.orchestration.events.{event} ----------------------------------------------------------------------
class WorkflowEvent(Message):
    """`workflow.started|completed|failed|resumed`."""

    req_number: RequirementId
    title: str | None = None
    error: str | None = None
    timestamp: UtcTime


class PreviousStage(Message):
    """An earlier stage of the same requirement: where its deliverable is, never what it says."""

    stage: str
    agent: str
    deliverable_url: str


class StageContext(Message):
    """What the agent of a stage is told."""

    req_number: RequirementId
    title: str
    previous_stages: list[PreviousStage]


class StageStarted(Message):
    """`stage.started`: the host listener spawns the agent from this, and from nothing else. [O10]"""

    event_type: str = "stage.started"
    req_number: RequirementId
    stage: str
    agent_id: str
    attempt: int = Field(ge=1)
    context_data: StageContext
    timeout: float = Field(gt=0)
    """Seconds that the agent may take."""
    timestamp: UtcTime


class StageEnded(Message):
    """`stage.completed|failed|blocked`."""

    req_number: RequirementId
    stage: str
    agent_id: str
    attempt: int = Field(ge=1)
    status: notices.Status
    summary: str
    deliverable: str | None = None
    """URL of the deliverable."""
    error: str | None = None
    timestamp: UtcTime


class StageNotRun(Message):
    """`stage.skipped|timeout`: why a stage has no outcome of its own."""

    req_number: RequirementId
    stage: str
    agent_id: str | None = None
    attempt: int | None = Field(default=None, ge=1)
    reason: str | None = None
    timestamp: UtcTime


class CommandRun(BaseModel):
    """A command that a gate ran."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    command: str | list[str]
    exit: int
    """Exit status, or minus the signal's number."""
    seconds: float
    output_tail: str
    """The end of its output, exactly."""


class BuildEvent(Message):
    """`build.passed|failed`."""

    req_number: RequirementId
    stage: str
    agent_id: str
    attempt: int = Field(ge=1)
    commands: list[CommandRun]
    timestamp: UtcTime


EVENTS: Final[dict[str, type[Message]]] = {
    **dict.fromkeys(("workflow.started", "workflow.completed", "workflow.failed", "workflow.resumed"), WorkflowEvent),
    "stage.started": StageStarted,
    **dict.fromkeys(("stage.completed", "stage.blocked", "stage.failed"), StageEnded),
    **dict.fromkeys(("stage.skipped", "stage.timeout"), StageNotRun),
    **dict.fromkeys(("build.passed", "build.failed"), BuildEvent),
}
"""Every event of the contract and its model."""


# --- spawning, core request and reply: agog.spawn.request -----------------------------------------------------------
class SpawnRequest(Message):
    """Asks the host listener to put a stage on the stream."""

    agent_id: str
    req_number: RequirementId
    priority: Priority
    description: str
    context_data: dict[str, Any]


class SpawnReply(Message):
    """The answer: where the `stage.started` stands that the request became, or why there is none."""

    sequence: int | None = None
    """Sequence on `agog_orchestration_events`."""
    error: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> SpawnReply:
        if self.sequence is None and self.error is None:
            raise ValueError("give sequence or error")
        return self


# --- requirements, results, errors ----------------------------------------------------------------------------------
class RequirementMetadata(Message):
    """Where a requirement comes from."""

    phase: str | int | None = None
    requested_by: str | None = None
    deadline: str | None = None


class Requirement(Message):
    """`requirements.{lane}.{id}`: a piece of work."""

    id: RequirementId
    priority: Priority
    title: str
    assigned_agent: str | None = None
    status: State = "PENDING"
    estimated_tokens: int | None = Field(default=None, ge=0)
    dependencies: list[RequirementId] = Field(default_factory=list)
    """Requirements that must be complete first."""
    acceptance_criteria: list[str] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)
    """Files that the work will touch."""
    metadata: RequirementMetadata = Field(default_factory=RequirementMetadata)


class TokenUsage(Message):
    """What a piece of work cost: `reported` by the agent, or `estimated`."""

    reported: int | None = Field(default=None, ge=0)
    estimated: int | None = Field(default=None, ge=0)


class GateResult(Message):
    """What the gate found. [O12]"""

    verdict: Literal["accepted", "rejected", "escalated"]
    commands: list[CommandRun] = Field(default_factory=list)


class Result(Message):
    """`results.{agent}.{id}`: the notice in either shape, and what the gate added to it."""

    attempt: int | None = Field(default=None, ge=1)
    tokens: TokenUsage | None = None
    gate: GateResult | None = None

    @model_validator(mode="after")
    def _is_a_notice(self) -> Result:
        try:
            self.notice()
        except BadInput as error:
            raise ValueError(str(error)) from None
        return self

    def notice(self) -> notices.Notice:
        """The completion notice in this result."""
        return notices.parse(dict(self.model_extra or {}))


class Failure(Message):
    """`errors.{agent}.{id}`: a piece of work that has no result."""

    req_id: RequirementId
    agent: str
    attempt: int = Field(ge=1)
    error: str
    transient: bool
    """Whether trying again may help. [O14]"""
    output: str
    """The end of the agent's output."""
    timestamp: UtcTime


# --- agent to agent, routing, state ---------------------------------------------------------------------------------
class Integration(Message):
    """`integration.{agent}.{topic}` and `integration.broadcast.{topic}`: free in form."""


class Escalation(Message):
    """`agog.strategic.escalations.{id}`: a human has to decide."""

    req_id: RequirementId
    reason: str
    context: dict[str, Any] | str
    priority: Priority
    timestamp: UtcTime


class Decision(Message):
    """`agog.strategic.decisions.{id}`: who does the work, and why. [O4]"""

    req_id: RequirementId
    lane: str | None
    """None when it goes to a human."""
    agent: str | None
    priority: Priority
    reasons: list[str]
    timestamp: UtcTime


class StateValue(Message):
    """The value of key `requirement.{id}` in KV bucket `agog_state`. [O21]"""

    id: RequirementId
    state: State
    lane: str | None
    agent: str | None
    stage: str | None
    attempts: int | dict[str, int]
    """All together, or by stage."""
    tokens: int | dict[str, Any]
    history: list[dict[str, Any]]


# --- subjects -------------------------------------------------------------------------------------------------------
def requirement_subject(lane: str, identity: str) -> str:
    """`requirements.{lane}.{id}`."""
    return f"requirements.{subjects.token(lane, 'lane')}.{requirement_id(identity)}"


def result_subject(agent: str, identity: str) -> str:
    """`results.{agent}.{id}`."""
    return f"results.{subjects.token(agent, 'agent')}.{requirement_id(identity)}"


def error_subject(agent: str, identity: str) -> str:
    """`errors.{agent}.{id}`."""
    return f"errors.{subjects.token(agent, 'agent')}.{requirement_id(identity)}"


def integration_subject(topic: str, agent: str = "broadcast") -> str:
    """`integration.{agent}.{topic}`, or `integration.broadcast.{topic}`."""
    return f"{INTEGRATION}.{subjects.token(agent, 'agent')}.{subjects.token(topic, 'topic')}"


def escalation_subject(identity: str) -> str:
    """`agog.strategic.escalations.{id}`."""
    return f"{subjects.ESCALATIONS}.{requirement_id(identity)}"


def decision_subject(identity: str) -> str:
    """`agog.strategic.decisions.{id}`."""
    return f"{subjects.DECISIONS}.{requirement_id(identity)}"


def state_key(identity: str) -> str:
    """The key of a requirement's state: `requirement.{id}`."""
    return f"{STATE_KEY}.{requirement_id(identity)}"
