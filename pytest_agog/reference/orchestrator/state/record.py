"""One requirement's record: the value of key `requirement.{id}` in bucket `agog_state`. [O21]

The contract's fields (`wire.orchestration.StateValue`) and those that the orchestrator needs to go on after a kill. A
record is never changed in place: transitions return a new one, with the messages that belong to the step in its
`outbox`. They are stored together, so a step that was decided is also told, by whoever reads the record next.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.wire.orchestration import Priority, State
from pytest_agog.wire.times import UtcTime

HISTORY: Final = 200
"""Entries that a record keeps; the oldest go first."""
OVER: Final = frozenset({"COMPLETE", "FAILED"})
"""States that nothing leaves by itself."""
RUNNING: Final = frozenset({"ASSIGNED", "IN_PROGRESS", "GATING"})
"""States in which an agent works, or its work is judged."""
TOLD_FIRST: Final = frozenset({"COMPLETE", "FAILED", "ESCALATED", "REJECTED", "BLOCKED"})
"""States that somebody waits for: others see them when their messages are on the streams, not before."""
REVIEW: Final = "review"
"""The stage that follows completion; it does not count among the attempts at the work itself."""

_CAMEL: Final = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


@dataclass(frozen=True, slots=True)
class Effect:
    """A message that a step sends. Its id makes sending it again harmless."""

    __pydantic_config__ = _CAMEL

    subject: str
    payload: dict[str, Any]
    msg_id: str


@dataclass(frozen=True, slots=True)
class Happened:
    """One entry of the history."""

    __pydantic_config__ = _CAMEL

    at: UtcTime
    state: State
    why: str = ""
    stage: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens that one stage attempt cost. [O7]"""

    __pydantic_config__ = _CAMEL

    at: UtcTime
    agent: str
    stage: str
    attempt: int
    tokens: int
    kind: Literal["reported", "estimated"]


@dataclass(frozen=True, slots=True)
class Done:
    """A stage that is over, and where its deliverable is."""

    __pydantic_config__ = _CAMEL

    stage: str
    agent: str
    deliverable_url: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Why work came back to its author. [O12]"""

    __pydantic_config__ = _CAMEL

    by: str
    """`gate`, `qa`, `review`, or the agent that said so."""
    text: str
    """Exact output, or the summary and blockers of who refused it."""
    deliverable_url: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is known about one requirement."""

    __pydantic_config__ = _CAMEL

    id: str
    state: State
    stated: Stated
    """As its source states it."""
    lane: str | None = None
    agent: str | None = None
    """Whose requirement it is: the agent of its lane."""
    stage: str | None = None
    """The stage that runs, or ran last."""
    attempts: int = 0
    """Stage attempts all together, reviews not counted."""
    tokens: dict[str, int] = field(default_factory=dict)
    """What they cost: `reported` and `estimated`."""
    history: tuple[Happened, ...] = ()
    # --- what was decided about it
    priority: Priority = "MEDIUM"
    complexity: Literal["S", "M", "L", "XL"] = "M"
    estimated_tokens: int = 0
    depends_on: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    """All stages it takes, in order."""
    assigned: bool = False
    """Whether a human said who does it; then its source cannot say otherwise."""
    # --- where it is
    stage_agent: str | None = None
    """Who works at the stage."""
    attempt: int = 0
    """Of the stage that runs, or ran last, counted from 1."""
    stage_attempts: dict[str, int] = field(default_factory=dict)
    done: tuple[Done, ...] = ()
    skipped: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    """Conditional stages that a notice asked for."""
    rejections: int = 0
    """How often gate, QA or review refused the work."""
    retries: int = 0
    """How often the present stage was tried again after a failure."""
    feedback: tuple[Feedback, ...] = ()
    """What the author has to put right in the next attempt."""
    conditions: str | None = None
    """What the critic approved it with."""
    blockers: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    """Requirements that must be complete before a blocked one goes on."""
    notice: dict[str, Any] | None = None
    """Of the attempt that is being judged."""
    model: str | None = None
    """A cheaper model for simple work in conservation mode. [O9]"""
    stopped: bool = False
    """REJECTED for good: the critic refused it. Without this a REJECTED record is on its way back to its author."""
    held_by: Literal["agent", "missing", "cycle", "human"] | None = None
    """What a BLOCKED record waits for: an agent's blocker, a requirement that nobody stated, a way out of a cycle, or
    somebody who sees that it would wait in vain."""
    judge: str | None = None
    """The orchestrator instance that has its gate run."""
    helper: str | None = None
    """The agent that is to unblock it. [O14]"""
    review: Literal["none", "pending", "running", "passed", "failed"] = "none"
    review_attempts: int = 0
    released: bool = False
    """The release manager was told. [O13]"""
    spent: tuple[Spent, ...] = ()
    conflicted: bool = False
    """It met a merge conflict. [O19]"""
    escalations: int = 0
    # --- when
    submitted_at: UtcTime | None = None
    started_at: UtcTime | None = None
    """Its first stage attempt."""
    stage_started_at: UtcTime | None = None
    active_at: UtcTime | None = None
    """The last sign of life of the present stage."""
    completed_at: UtcTime | None = None
    due: UtcTime | None = None
    """Not before this moment: the back-off of a retry. [O14]"""
    # --- what is still to be sent
    outbox: tuple[Effect, ...] = ()
    shown: State = "PENDING"
    """The state that others see: `state`, but for one of `TOLD_FIRST` only when all of its messages are sent."""
    becomes: State | None = None
    """Only as stored, when `state` there is the one that is shown: what it really is."""

    @property
    def running(self) -> bool:
        """Whether an agent works on it, or its work is judged."""
        return self.state in RUNNING

    @property
    def over(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in OVER

    def now(self, at: datetime, state: State, why: str = "", **changes: Any) -> Record:
        """The record in `state` from `at` on, with an entry in its history."""
        stage, attempt = changes.get("stage", self.stage), changes.get("attempt", self.attempt)
        entry = Happened(at, state, why[:500], stage, attempt or None)
        return replace(self, state=state, history=(*self.history[1 - HISTORY :], entry), **changes)

    def telling(self, *effects: Effect) -> Record:
        """The record with further messages to send."""
        return replace(self, outbox=(*self.outbox, *effects))

    def told(self, sent: frozenset[str]) -> Record:
        """The record without the messages of these ids."""
        return replace(self, outbox=tuple(effect for effect in self.outbox if effect.msg_id not in sent))


_RECORD: Final[TypeAdapter[Record]] = TypeAdapter(Record)


def dump(record: Record) -> bytes:
    """The record as it is stored. Keys are camelCase; all of the contract's are there, null where there is none."""
    if record.shown != record.state:
        record = replace(record, state=record.shown, becomes=record.state)
    return _RECORD.dump_json(record, by_alias=True)


def showing(record: Record) -> Record:
    """The record as it is to be stored: with the state that others may see by then."""
    waits = record.outbox and record.state in TOLD_FIRST
    return record if waits or record.shown == record.state else replace(record, shown=record.state)


def load(data: bytes) -> Record:
    """The record in `data`.

    Raises:
        BadInput: it is none; one that somebody else wrote, or a newer version of this.
    """
    try:
        record = _RECORD.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "value"
        raise BadInput(f"the state of a requirement cannot be read: {where}: {first['msg']}") from None
    return record if record.becomes is None else replace(record, state=record.becomes, becomes=None)
