"""What the parts of comms hand to each other: stored messages, summaries of runs, and which of them somebody wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One row of `workflow_comms.agent_messages`."""

    id: str
    seq: int
    """The cursor: commit order is seq order."""
    workflow_uid: str | None
    workflow_name: str | None
    workflow_namespace: str | None
    run_id: str | None
    step_id: str | None
    agent_id: str | None
    channel: str | None
    stage: str | None
    role: str | None
    kind: str | None
    content: str
    timestamp: datetime
    attrs: dict[str, Any]
    stream_seq: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Selector:
    """Which messages: exactly one of `run_id`, `workflow_uid` and `general`."""

    run_id: str | None = None
    """Matches `run_id`, else `workflow_uid` where that is null."""
    workflow_uid: str | None = None
    workflow_namespace: str | None = None
    """Narrows `workflow_uid`."""
    general: bool = False
    """The global channel."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run, as the list of runs shows it."""

    run_id: str
    """`run_id` of its messages, else their `workflow_uid`."""
    workflow_uid: str | None
    workflow_name: str | None
    workflow_namespace: str | None
    agents: tuple[str, ...]
    messages: int
    tokens: int
    """As agents reported them (`attrs.usage`), else an estimate from the text's length."""
    tokens_reported: bool
    status: str
    """The last status that was told: `running` until one says otherwise."""
    exit_code: int | None
    first_at: datetime
    last_at: datetime
    last_seq: int
