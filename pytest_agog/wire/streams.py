"""Streams and durable consumers of the contract, as plain definitions.

Sizes are bytes, times seconds. The reference system creates them, checks compare with them, and `deploy/nack` says the
same in Kubernetes' words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

MB: Final = 10**6
GB: Final = 10**9
GiB: Final = 2**30
DAY: Final = 86_400.0

MAX_MESSAGE: Final = 10 * MB
"""The largest message on a deliverable stream; the server's max_payload must be at least this."""
SERVER_MAX_PAYLOAD: Final = 12 * MB
"""What embedded servers allow: the streams' 10 MB plus room for headers."""
DUPLICATE_WINDOW: Final = 120.0
OBJECT_BUCKET: Final = "agog_deliverables"
OBJECT_CHUNK: Final = 128 * 1024
STATE_BUCKET: Final = "agog_state"


@dataclass(frozen=True)
class SubjectTransform:
    """Subjects that fit `source` are stored under `destination`."""

    source: str
    destination: str


@dataclass(frozen=True)
class StreamDefinition:
    """One stream: file storage, limits retention, discard old, direct get allowed, duplicates seen for 2 minutes."""

    name: str
    subjects: tuple[str, ...]
    max_msgs: int = -1
    max_bytes: int = -1
    max_age: float = 0
    """Seconds; 0 is for ever."""
    max_msg_size: int = -1
    replicas: int = 1
    duplicate_window: float = DUPLICATE_WINDOW
    transform: SubjectTransform | None = None

    def replicated(self, replicas: int) -> StreamDefinition:
        """The same stream with `replicas` copies, for a cluster."""
        return replace(self, replicas=replicas)


@dataclass(frozen=True)
class ConsumerDefinition:
    """One durable pull consumer with explicit acks."""

    stream: str
    name: str
    filter_subject: str | None = None
    ack_wait: float = 30.0
    """Seconds."""
    max_ack_pending: int = 1000
    deliver: str = "all"


AGENT_TYPES: Final = {
    "cynthia": "research",
    "sylvia": "critique",
    "roy": "backend",
    "jen": "frontend",
    "billy": "qa",
    "priya": "statistics",
    "miki": "devops",
}
"""The seven agents and the type of deliverable that each one writes."""


def feature_stream(agent: str, task_type: str, *extra_subjects: str) -> StreamDefinition:
    """The stream that holds the deliverables of `agent`; configured agents get theirs the same way."""
    return StreamDefinition(
        f"agog_features_{task_type}",
        (f"agog.deliverables.{agent}.>", *extra_subjects),
        max_msgs=10_000,
        max_bytes=1 * GB,
        max_age=7 * DAY,
        max_msg_size=MAX_MESSAGE,
    )


DELIVERABLE_STREAMS: Final = tuple(
    feature_stream(agent, kind, *(("agog.features.devops.>",) if kind == "devops" else ()))
    for agent, kind in AGENT_TYPES.items()
)

STREAMS: Final = (
    *DELIVERABLE_STREAMS,
    StreamDefinition(
        "agog_orchestration_events", ("agog.orchestration.events.>",),
        max_msgs=10_000, max_bytes=100 * MB, max_age=7 * DAY,
    ),
    StreamDefinition(
        "agog_strategic_decisions", ("agog.strategic.decisions.>",),
        max_msgs=10_000, max_bytes=100 * MB, max_age=30 * DAY,
    ),
    StreamDefinition(
        "agog_strategic_escalations", ("agog.strategic.escalations.>",),
        max_msgs=5_000, max_bytes=50 * MB, max_age=90 * DAY,
    ),
    StreamDefinition(
        "REQUIREMENTS", ("requirements.>", "work.requirements.>"), max_age=30 * DAY,
        transform=SubjectTransform("work.requirements.>", "requirements.>"),
    ),
    StreamDefinition("INTEGRATION", ("integration.>",), max_age=30 * DAY),
    StreamDefinition("RESULTS", ("results.>",), max_age=90 * DAY),
    StreamDefinition("ERRORS", ("errors.>",), max_age=30 * DAY),
    StreamDefinition(
        "agent-comms", ("argo.workflow.>", "agentrun.>"), max_age=7 * DAY, max_bytes=10 * GiB,
    ),
)  # fmt: skip
"""All streams of the contract, with one replica; `replicated(3)` in a cluster."""

CONSUMERS: Final = (
    ConsumerDefinition("REQUIREMENTS", "roy-backend", "requirements.backend.>"),
    ConsumerDefinition("REQUIREMENTS", "jen-frontend", "requirements.frontend.>"),
    ConsumerDefinition("REQUIREMENTS", "database-agent", "requirements.database.>"),
    ConsumerDefinition("REQUIREMENTS", "documentation-agent", "requirements.documentation.>"),
    ConsumerDefinition("REQUIREMENTS", "senior-review", "requirements.review.>"),
    ConsumerDefinition("INTEGRATION", "orchestrator", "integration.orchestrator.>"),
    ConsumerDefinition("RESULTS", "orchestrator"),
    ConsumerDefinition("RESULTS", "release-manager"),
    ConsumerDefinition("ERRORS", "orchestrator"),
    ConsumerDefinition("agog_orchestration_events", "host-listener", "agog.orchestration.events.stage.started"),
    ConsumerDefinition("agent-comms", "jangar-agent-comms", ack_wait=30.0, max_ack_pending=20_000),
)
"""All durable consumers of the contract."""


def by_name(name: str) -> StreamDefinition | None:
    """The definition of stream `name`, or None."""
    return next((stream for stream in STREAMS if stream.name == name), None)
