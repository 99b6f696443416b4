"""Events of a coding agent, one JSON object a line, and the messages that they tell. [C9]

| event | messages |
|---|---|
| `thread.started`, `turn.started`, `turn.completed` | status; `usage` of a turn stays in `attrs` |
| `turn.failed`, `error`, item `error` | error |
| item `agent_message`, `reasoning` | message, when complete |
| items `command_execution`, `file_change`, `mcp_tool_call`, `web_search` | tool_call at start, tool_result at the end |
| item `todo_list` | log, whenever it changes |
| anything else | log, with its JSON |

What was started and never completed is told at the end: a call has no result then, text has status `in_progress`, and
what a command had printed so far is a log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic_core import from_json, to_json

from pytest_agog.reference.comms.backfill.drafts import BadLine, Draft
from pytest_agog.reference.comms.backfill.files import MAX_LINE_BYTES, Line
from pytest_agog.reference.comms.backfill.items import (
    NO_OUTPUT,
    TEXTS,
    TOOLS,
    call_of,
    error_text,
    plan_of,
    result_of,
    text_of,
)
from pytest_agog.wire.times import parse_time

MAX_OPEN: Final = 10_000
"""Items that are open at once; the oldest is told as it stands when there are more."""
_TIMES: Final = ("timestamp", "ts", "time", "created_at")
_STATUS: Final = {"thread.started": "running", "turn.started": "running", "turn.completed": "completed"}
_SAID: Final = {"thread.started": "Thread started", "turn.started": "Turn started", "turn.completed": "Turn completed"}


@dataclass(slots=True)
class _Open:
    """An item that was started."""

    started: int
    line: int
    item: dict[str, Any]
    at: datetime | None
    called: bool = False


def parse(lines: Iterable[Line]) -> Iterator[Draft | BadLine]:
    """The messages that `lines` tell, in order, and the lines that tell nothing. Holds one line at a time."""
    translator = Translator()
    for line in lines:
        event = _event(line)
        if isinstance(event, BadLine):
            yield event
        elif event is not None:
            yield from translator.feed(line.number, event)
    yield from translator.close()


def _event(line: Line) -> dict[str, Any] | BadLine | None:
    if line.data is None:
        return BadLine(line.number, f"it has {line.size} bytes, at most {MAX_LINE_BYTES} are read")
    if not line.data.strip():
        return None
    try:
        event = from_json(line.data, allow_inf_nan=False)
    except ValueError as error:
        torn = "" if line.ended else "; it is cut off"
        return BadLine(line.number, f"it is no JSON ({str(error)[:120]}{torn})")
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return BadLine(line.number, "it is no event: it has no type")
    return event


class Translator:
    """Events to messages. It remembers what is open, since a crash completes nothing."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._plan: tuple[str, str] | None = None

    def feed(self, line: int, event: dict[str, Any]) -> Iterator[Draft]:
        """The messages that the event on `line` tells."""
        name: str = event["type"]
        at = _time(event)
        if name in ("item.started", "item.updated", "item.completed") and isinstance(item := event.get("item"), dict):
            yield from self._item(line, name, item, at or _time(item))
            return
        # Items are numbered anew in each thread, and a failed turn completes none of its own.
        if name in ("thread.started", "turn.failed"):
            yield from self.close()
        attrs = {"event": name, **{key: value for key, value in event.items() if key != "type"}}
        if name in _STATUS:
            yield Draft(line, "status", _SAID[name], "system", at=at, fields={"status": _STATUS[name]}, attrs=attrs)
        elif name in ("turn.failed", "error"):
            said = event.get("error") if name == "turn.failed" else event.get("message")
            fields = {"status": "failed"} if name == "turn.failed" else {}
            yield Draft(line, "error", error_text(said), "system", at=at, fields=fields, attrs=attrs)
        else:
            yield Draft(line, "log", _json(event), "system", at=at, attrs={"event": name})

    def close(self) -> Iterator[Draft]:
        """What was started and not completed."""
        while self._open:
            yield from self._forget(next(iter(self._open)))
        self._plan = None

    def _item(self, line: int, event: str, item: dict[str, Any], at: datetime | None) -> Iterator[Draft]:
        name, kind = text_of(item.get("id")), _type(item)
        if kind == "todo_list":
            yield from self._todo(line, name, item, at)
            return
        known = self._open.get(name)
        if known is not None and (event == "item.started" or _type(known.item) != kind):
            yield from self._forget(name)
            known = None
        if event == "item.completed":
            self._open.pop(name, None)
            yield from self._completed(line, name, item, at, known)
            return
        if known is None:
            known = self._open[name] = _Open(line, line, item, at)
        else:
            known.line, known.item, known.at = line, item, at or known.at
        if kind in TOOLS and not known.called and call_of(item)[0]:
            known.called = True
            yield _call(known.started, name, item, at)
        if len(self._open) > MAX_OPEN:
            yield from self._forget(next(iter(self._open)))

    def _completed(
        self, line: int, name: str, item: dict[str, Any], at: datetime | None, known: _Open | None
    ) -> Iterator[Draft]:
        kind = _type(item)
        attrs = _attrs(kind, name)
        if kind in TOOLS:
            if known is None or not known.called:
                yield _call(line if known is None else known.started, name, item, at)
            content, fields, more = result_of(item)
            yield Draft(line, "tool_result", content, "tool", "result", name, at, fields, {**attrs, **more})
        elif kind in TEXTS:
            yield Draft(line, "message", text_of(item.get("text")), "assistant", "", name, at, {}, attrs)
        elif kind == "error":
            yield Draft(line, "error", error_text(item.get("message")), "system", "", name, at, {}, attrs)
        else:
            yield Draft(line, "log", _json(item), "system", "", name, at, {}, attrs)

    def _todo(self, line: int, name: str, item: dict[str, Any], at: datetime | None) -> Iterator[Draft]:
        plan = plan_of(item)
        if self._plan != (name, plan):
            self._plan = (name, plan)
            yield Draft(line, "log", plan, "assistant", "", name, at, {}, _attrs("todo_list", name))

    def _forget(self, name: str) -> Iterator[Draft]:
        """Tell an item as far as it came."""
        known = self._open.pop(name)
        kind, item = _type(known.item), known.item
        attrs = {**_attrs(kind, name), "unfinished": True}
        fields = {"status": "in_progress"}
        if kind in TOOLS:
            if not known.called:
                yield _call(known.started, name, item, known.at)
            output = item.get("aggregated_output")
            if output not in NO_OUTPUT:
                yield Draft(known.line, "log", text_of(output), "tool", "output", name, known.at, fields, attrs)
        elif kind in TEXTS:
            if text := text_of(item.get("text")):
                yield Draft(known.line, "message", text, "assistant", "", name, known.at, fields, attrs)
        elif kind == "error":
            yield Draft(known.line, "error", error_text(item.get("message")), "system", "", name, known.at, {}, attrs)
        else:
            yield Draft(known.line, "log", _json(item), "system", "", name, known.at, {}, attrs)


def _call(line: int, name: str, item: dict[str, Any], at: datetime | None) -> Draft:
    content, tool = call_of(item)
    attrs = _attrs(_type(item), name)
    return Draft(line, "tool_call", content, "assistant", "call", name, at, {"tool": tool}, attrs)


def _attrs(kind: str, name: str) -> dict[str, Any]:
    return {"item_type": kind, **({"item_id": name} if name else {})}


def _type(item: dict[str, Any]) -> str:
    """Older versions wrote `item_type`."""
    kind = item.get("type", item.get("item_type"))
    return kind if isinstance(kind, str) else ""


def _time(holder: dict[str, Any]) -> datetime | None:
    for key in _TIMES:
        if isinstance(value := holder.get(key), str):
            try:
                return parse_time(value)
            except ValueError:
                continue
    return None


def _json(value: object) -> str:
    return to_json(value, inf_nan_mode="constants").decode()
