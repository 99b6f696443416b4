"""Stored messages without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pytest_agog.reference.comms.models import StoredMessage

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def stored(seq: int, content: str = "", *, kind: str = "message", agent: str = "roy", **given: Any) -> StoredMessage:
    """A message; attributes that are no columns go to `attrs`."""
    columns = {name: given.pop(name) for name in list(given) if name in StoredMessage.__slots__}
    at = START + timedelta(seconds=seq)
    values: dict[str, Any] = {
        "id": str(UUID(int=seq)), "seq": seq, "workflow_uid": "uid-1", "workflow_name": "search",
        "workflow_namespace": "agents", "run_id": "run-1", "step_id": None, "agent_id": agent, "channel": None,
        "stage": None, "role": "assistant", "kind": kind, "content": content, "timestamp": at, "stream_seq": seq,
        "created_at": at,
    }  # fmt: skip
    return StoredMessage(**{**values, "attrs": given, **columns})
