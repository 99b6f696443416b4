"""A message as it stands in an artifact, and the row that it becomes: through the same function as a live one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_json

from pytest_agog.reference.comms.backfill.identity import Speaker
from pytest_agog.wire.comms import run_subject
from pytest_agog.wire.comms_rows import Rejection, Row, normalise
from pytest_agog.wire.times import format_time

NUL_SIGN: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for a NUL, which Postgres cannot store. Output of commands has some (`find -print0`); without its result such
a command would look as if it had crashed."""
_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class Draft:
    """One message of an artifact. `line`, `part` and `item` tell it from all others of the same file."""

    line: int
    """The line, from 1, that tells it; of an item that was never completed, the last one that does."""
    kind: str
    content: str
    role: str = "assistant"
    part: str = ""
    """Which of the messages that one line tells."""
    item: str = ""
    """The item's id, which starts anew with every thread."""
    at: datetime | None = None
    """The event's own time."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the payload: tool, status, exit_code …"""
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that tells nothing, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unstorable:
    """A message that cannot become a row, as it was put to the wire's rules."""

    subject: str
    raw: bytes
    rejection: Rejection


def message_id(run: str, source: str, draft: Draft) -> str:
    """The id that a message of an artifact has, whoever publishes it: from the run, the item and its position.

    `source` is the file's name. A live publisher that reads the same file and uses this id makes the same row.
    """
    digest = hashlib.sha256()
    for part in (run, source, draft.item, str(draft.line), draft.part):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data) + data)
    return f"codex-{digest.hexdigest()[:_ID_DIGITS]}"


def clean(draft: Draft) -> Draft:
    """`draft` without NULs; how many there were is told in its attributes."""
    found = [0]
    content = _clean(draft.content, found)
    fields = _clean(dict(draft.fields), found)
    attrs = _clean(dict(draft.attrs), found)
    if not found[0]:
        return draft
    return replace(draft, content=content, fields=fields, attrs={**attrs, "nul_replaced": found[0]})


def _clean(value: Any, found: list[int]) -> Any:
    """At most as deep as the JSON reader goes."""
    if isinstance(value, str):
        if "\0" in value:
            found[0] += value.count("\0")
            return value.replace("\0", NUL_SIGN)
        return value
    if isinstance(value, dict):
        return {_clean(key, found): _clean(item, found) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, found) for item in value]
    return value


def build(draft: Draft, speaker: Speaker, at: datetime, name: str) -> Row | Unstorable:
    """The row of `draft`, said by `speaker` at `at` under the message id `name`. [J22]"""
    subject = run_subject(speaker.namespace, speaker.workflow, speaker.uid, speaker.agent_id, draft.kind)
    payload = {
        "message_id": name,
        "run_id": speaker.run_id,
        "step_id": speaker.step_id,
        "stage": speaker.stage,
        "role": draft.role,
        "kind": draft.kind,
        "timestamp": format_time(at),
        "content": draft.content,
        **draft.fields,
        "attrs": {**draft.attrs, "backfilled": True},
    }
    # Python's own infinities become words that are no JSON, and are refused like anywhere else.
    raw = to_json(payload, inf_nan_mode="constants")
    row = normalise(subject, raw, stream_created="", stream_seq=0, stored_at=at.astimezone(UTC))
    if isinstance(row, Rejection):
        return Unstorable(subject, raw, row)
    return replace(row, stream_seq=None)
