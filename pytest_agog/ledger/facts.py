"""What a ledger can hold: one small frozen class per kind of fact.

Payloads are not in the facts; they are stored once by SHA-256 (`payload` fields hold its hex form). Times are seconds
since the epoch, sizes bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pytest_agog.ledger.answers import (
    AuthSeen,
    ConsumerSeen,
    FileSeen,
    HttpSeen,
    MetricsSeen,
    PageSeen,
    RowsSeen,
    StreamSeen,
    TableSeen,
)
from pytest_agog.ledger.payloads import Headers, PayloadId


# --- what the harness did -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class StepStarted:
    number: int
    verb: str
    label: str
    kind: Literal["step.started"] = "step.started"


@dataclass(frozen=True, slots=True)
class StepEnded:
    number: int
    verb: str
    outcome: Literal["passed", "failed"]
    detail: str = ""
    kind: Literal["step.ended"] = "step.ended"


@dataclass(frozen=True, slots=True)
class PublishAttempted:
    """Harness or scripted agent is about to publish; written before the bytes leave."""

    subject: str
    payload: PayloadId
    by: str
    """Who published: `step 3`, or an agent's name."""
    headers: Headers = field(default_factory=dict)
    core: bool = False
    """Core NATS: no acknowledgement is expected."""
    kind: Literal["publish.attempted"] = "publish.attempted"


@dataclass(frozen=True, slots=True)
class PublishAcked:
    attempt: int
    """Index of the PublishAttempted."""
    stream: str
    sequence: int
    duplicate: bool = False
    kind: Literal["publish.acked"] = "publish.acked"


@dataclass(frozen=True, slots=True)
class PublishRefused:
    """No PubAck: refused, timed out or unreachable. Whether the message was stored is unknown."""

    attempt: int
    reason: str
    kind: Literal["publish.refused"] = "publish.refused"


@dataclass(frozen=True, slots=True)
class ComponentActed:
    """The harness started, killed or restarted a service or component, or cut a link and healed it."""

    component: str
    """Its name, or the link's."""
    action: Literal["started", "killed", "stopped", "restarted", "cut", "healed"]
    detail: str = ""
    kind: Literal["component.acted"] = "component.acted"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The last sequence of a stream when the play began; what came before does not count. [X4]"""

    stream: str
    last_sequence: int
    kind: Literal["baseline"] = "baseline"


@dataclass(frozen=True, slots=True)
class WireNamed:
    """The target's agent comms has another stream than the contract's; stored messages have the name that is there."""

    stream: str
    kind: Literal["wire.named"] = "wire.named"


@dataclass(frozen=True, slots=True)
class Barrier:
    """The recorder has seen every stream up to these sequences; the steps are over."""

    sequences: dict[str, int]
    kind: Literal["barrier"] = "barrier"


# --- what crossed the wire ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class MessageSeen:
    """A message as the core subscription saw it: this gives the order across streams."""

    subject: str
    payload: PayloadId
    size: int
    headers: Headers = field(default_factory=dict)
    kind: Literal["message.seen"] = "message.seen"


@dataclass(frozen=True, slots=True)
class MessageStored:
    """A message as a stream holds it."""

    stream: str
    sequence: int
    time: float
    """The server's time."""
    subject: str
    payload: PayloadId
    size: int
    headers: Headers = field(default_factory=dict)
    seen: int | None = None
    """Index of the MessageSeen that is this message's arrival, if the core subscription saw it."""
    kind: Literal["message.stored"] = "message.stored"


@dataclass(frozen=True, slots=True)
class ObjectSeen:
    """The content of a report that is too large for a message, read from the object store. [D10]"""

    bucket: str
    name: str
    payload: PayloadId | None
    """None when the object cannot be read."""
    reason: str = ""
    kind: Literal["object.seen"] = "object.seen"


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """What a nats-server says of itself in `/varz`, as far as claims depend on it."""

    url: str
    version: str
    max_payload: int
    sync_always: bool
    servers: int = 1
    kind: Literal["server.seen"] = "server.seen"


@dataclass(frozen=True, slots=True)
class WatchInterrupted:
    """The recorder's core subscription was away until now: core messages may be missing, stored ones are not."""

    seconds: float
    """How long, from the moment when it was noticed."""
    reason: str = ""
    kind: Literal["watch.interrupted"] = "watch.interrupted"


# --- agents ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Earlier:
    """A hand-over that a spawn could have carried inline: the report, and the notice that stands for it."""

    agent: str
    url: str
    report: PayloadId | None
    """The report's content; None when it was never published."""
    notice: PayloadId


@dataclass(frozen=True, slots=True)
class AgentSpawned:
    """An agent was started by a chain. `prompt` is the JSON on its stdin."""

    chain: int
    """Number of the step that holds the chain."""
    agent: str
    task: str
    feature: str
    attempt: int
    prompt: PayloadId
    earlier: tuple[Earlier, ...] = ()
    kind: Literal["agent.spawned"] = "agent.spawned"


@dataclass(frozen=True, slots=True)
class AgentHanded:
    """Text that an agent was given on demand: a section for scripted agents, a whole message for commands. [D13]"""

    chain: int
    agent: str
    url: str
    section: str | None
    payload: PayloadId
    kind: Literal["agent.handed"] = "agent.handed"


@dataclass(frozen=True, slots=True)
class NoticeSeen:
    """What an agent returned, parsed out of its output: the notice's own text, or why there is none."""

    agent: str
    requirement: str
    attempt: int
    payload: PayloadId | None
    reason: str = ""
    kind: Literal["notice.seen"] = "notice.seen"


# --- processes ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ProcessStarted:
    name: str
    command: tuple[str, ...]
    """Masked."""
    pid: int
    kind: Literal["process.started"] = "process.started"


@dataclass(frozen=True, slots=True)
class ProcessOutput:
    name: str
    stream: Literal["stdout", "stderr"]
    payload: PayloadId
    kind: Literal["process.output"] = "process.output"


@dataclass(frozen=True, slots=True)
class ProcessExited:
    name: str
    exit: int
    """Exit status, or minus the signal's number."""
    seconds: float
    timed_out: bool = False
    kind: Literal["process.exited"] = "process.exited"


# --- readers of events and pages ------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ReaderConnected:
    """A reader of server-sent events got an answer to its request, or none."""

    reader: str
    url: str
    """Masked."""
    status: int | None
    """None when there was no answer."""
    resumes: str | None = None
    """The `Last-Event-ID` that it sent."""
    reason: str = ""
    kind: Literal["reader.connected"] = "reader.connected"


@dataclass(frozen=True, slots=True)
class ReaderLost:
    """Its connection ended."""

    reader: str
    reason: str
    kind: Literal["reader.lost"] = "reader.lost"


@dataclass(frozen=True, slots=True)
class EventSeen:
    """A server-sent event, as a browser would dispatch it."""

    reader: str
    payload: PayloadId
    """Its data."""
    id: str | None = None
    """The id that it carried itself."""
    event: str = "message"
    kind: Literal["event.seen"] = "event.seen"


Fact = (
    StepStarted | StepEnded | PublishAttempted | PublishAcked | PublishRefused | ComponentActed | Baseline | WireNamed
    | Barrier
    | MessageSeen | MessageStored | ObjectSeen | ServerSeen | WatchInterrupted
    | AgentSpawned | AgentHanded | NoticeSeen
    | ProcessStarted | ProcessOutput | ProcessExited
    | ReaderConnected | ReaderLost | EventSeen
    | StreamSeen | ConsumerSeen | TableSeen | RowsSeen | FileSeen | HttpSeen | PageSeen | AuthSeen | MetricsSeen
)  # fmt: skip
ProbeResult = StreamSeen | ConsumerSeen | TableSeen | RowsSeen | FileSeen | HttpSeen | PageSeen | AuthSeen | MetricsSeen
"""Facts that answer a probe."""
