"""What a message tells about a tool: its name, its arguments, how it ended; and which result belongs to which call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_agog.reference.comms.models import StoredMessage

CALL: Final = "tool_call"
RESULT: Final = "tool_result"
_IDS: Final = ("tool_call_id", "toolCallId", "tool_use_id", "toolUseId", "call_id", "callId")
_NAMES: Final = ("name", "tool_name", "toolName", "tool", "type")
_ARGUMENTS: Final = ("arguments", "args", "input", "parameters", "command", "query", "changes")
_BAD: Final = frozenset({
    "failed", "failure", "error", "errored", "cancelled", "canceled", "timeout", "timed_out", "timed-out", "blocked",
    "rejected", "aborted", "crashed", "killed", "denied", "declined",
})  # fmt: skip
_GOOD: Final = frozenset({"completed", "complete", "succeeded", "success", "ok", "passed", "done", "approved"})
_BUSY: Final = frozenset({"running", "started", "in_progress", "in-progress", "pending", "queued"})


@dataclass(frozen=True, slots=True)
class Tool:
    """What one message says about the tool it is of."""

    name: str
    call_id: str | None
    arguments: str
    """As text: a command as it stands, anything else as indented JSON; empty when it tells none."""


def tool_of(message: StoredMessage) -> Tool:
    """The tool of a call or a result. Publishers differ in the keys they use; none of them is required."""
    given = message.attrs.get("tool")
    inner: Mapping[str, Any] = given if isinstance(given, dict) else {}
    name = _text(given) or _first(inner, _NAMES) or _first(message.attrs, ("tool_name",)) or ""
    server = _text(inner.get("server"))
    arguments = next((inner[key] for key in _ARGUMENTS if inner.get(key) not in (None, "", [], {})), None)
    return Tool(
        f"{server}.{name}" if server and name else name,
        _first(inner, (*_IDS, "id")) or _first(message.attrs, _IDS),
        arguments if isinstance(arguments, str) else "" if arguments is None else pretty(arguments),
    )


def exit_code(message: StoredMessage) -> int | None:
    """The exit code that it tells, 0 too. [J07]"""
    tool = message.attrs.get("tool")
    for holder in (message.attrs, tool if isinstance(tool, dict) else {}):
        for key in ("exit_code", "exitCode"):
            value = holder.get(key)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 12:
                return int(value)
    return None


def status(message: StoredMessage) -> str | None:
    """The status that it tells."""
    tool = message.attrs.get("tool")
    return _first(message.attrs, ("status",)) or (_first(tool, ("status",)) if isinstance(tool, dict) else None)


def tone(text: str | None, code: int | None = None) -> str:
    """How a status looks: `good`, `bad`, `busy` or `plain`. An exit code has the last word."""
    word = (text or "").strip().lower()
    if code is not None and code != 0:
        return "bad"
    if word in _BAD:
        return "bad"
    if word in _BUSY:
        return "busy"
    return "good" if word in _GOOD or code == 0 else "plain"


def paired(messages: Iterable[StoredMessage]) -> dict[int, int]:
    """The `seq` of each result to the `seq` of its call, for messages in `seq` order.

    A result that names a call belongs to it. One that names none belongs to the last call of that agent that has no
    result yet and is, where both say so, of the same tool.
    """
    found: dict[int, int] = {}
    named: dict[tuple[object, ...], int] = {}
    waiting: dict[tuple[object, ...], list[tuple[int, Tool]]] = {}
    for message in messages:
        if message.kind not in (CALL, RESULT):
            continue
        speaker = (message.run_id or message.workflow_uid, message.agent_id)
        tool = tool_of(message)
        open_calls = waiting.setdefault(speaker, [])
        if message.kind == CALL:
            open_calls.append((message.seq, tool))
            if tool.call_id is not None:
                named[*speaker, tool.call_id] = message.seq
            continue
        call = _call_of(tool, speaker, named, open_calls)
        if call is not None:
            found[message.seq] = call
            open_calls[:] = [item for item in open_calls if item[0] != call]
    return found


def _call_of(
    tool: Tool, speaker: tuple[object, ...], named: dict[tuple[object, ...], int], waiting: list[tuple[int, Tool]]
) -> int | None:  # fmt: skip
    if tool.call_id is not None and (call := named.get((*speaker, tool.call_id))) is not None:
        return call
    for seq, other in reversed(waiting):
        if None not in (tool.call_id, other.call_id):  # both name calls, and not the same one
            continue
        if not tool.name or not other.name or tool.name == other.name:
            return seq
    return None


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _first(holder: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    return next((text for key in keys if (text := _text(holder.get(key)))), None)


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
