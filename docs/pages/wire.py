"""The page `reference/wire.md`: streams, consumers, messages with an example each, tables, users."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from pytest_agog.scenario.describing.meanings import WithMeanings
from pytest_agog.values import format_duration
from pytest_agog.wire import comms, examples, notices, streams, tables, users

_UNITS = (("GiB", 2**30), ("GB", 10**9), ("MB", 10**6))
_HEADINGS = {
    "deliverables": "Deliverables",
    "events": "Events of the orchestrator",
    "spawning": "Spawning",
    "requirements": "Requirements",
    "results": "Results and errors",
    "integration": "Agent to agent",
    "strategic": "Decisions, escalations, state",
    "comms": "Agent comms",
}

_INTRODUCTION = (
    "Every name, shape and limit that crosses the wire. Timestamps are RFC 3339 UTC. Unknown JSON fields are kept. "
    "kB, MB and GB are powers of ten, KiB, MiB and GiB powers of two.\n\n"
    "Subject tokens made from outside data have 1 to 128 bytes and no dots, spaces, `*`, `>` or control characters."
)
_NOTICES = (
    f"What an agent prints instead of its report: one JSON object of at most {notices.MAX_TOKENS} tokens "
    "(o200k_base), in one of two shapes. Statuses and agents compare without regard to case. The last complete object "
    "in the output that is a notice of this agent for this requirement counts."
)


def page() -> str:
    """The whole page."""
    return "\n\n".join((
        "# The wire",
        "<!-- Made by docs/generate.py from pytest_agog/wire. Do not edit. -->",
        _INTRODUCTION,
        _streams(), _consumers(), _notices(), _messages(), _tables(), _users(),
    ))  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _code(*words: str) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _size(size: int) -> str:
    for unit, factor in _UNITS:
        if size >= factor and size % factor == 0:
            return f"{size // factor:,} {unit}"
    return "" if size < 0 else f"{size:,} B"


def _streams() -> str:
    rows = []
    for stream in streams.STREAMS:
        routed = (
            f"; `{stream.transform.source}` is stored as `{stream.transform.destination}`" if stream.transform else ""
        )
        rows.append((
            _code(stream.name), _code(*stream.subjects) + routed, f"{stream.max_msgs:,}" if stream.max_msgs > 0 else "",
            _size(stream.max_bytes), format_duration(stream.max_age), _size(stream.max_msg_size),
        ))  # fmt: skip
    return (
        "## Streams\n\n"
        "All: file storage, limits retention, discard old, direct get allowed, duplicate window "
        f"{format_duration(streams.DUPLICATE_WINDOW)}, one replica (three in a cluster).\n\n"
        + _table(("stream", "subjects", "messages", "bytes", "age", "a message"), rows)
        + f"\n\nThe server's `max_payload` must be at least {_size(streams.MAX_MESSAGE)}, and headers count too. "
        f"Object store bucket: `{streams.OBJECT_BUCKET}` (chunks of {streams.OBJECT_CHUNK // 1024} KiB). "
        f"KV bucket: `{streams.STATE_BUCKET}`."
    )


def _consumers() -> str:
    rows = [
        (
            _code(consumer.stream), _code(consumer.name),
            _code(consumer.filter_subject) if consumer.filter_subject else "all",
            format_duration(consumer.ack_wait), f"{consumer.max_ack_pending:,}",
        )
        for consumer in streams.CONSUMERS
    ]  # fmt: skip
    head = ("stream", "consumer", "takes", "ack wait", "most pending acks")
    return "## Consumers\n\nAll: durable, pull, explicit acks, deliver all.\n\n" + _table(head, rows)


def _notices() -> str:
    return "\n\n".join((
        "## Completion notices",
        _NOTICES,
        "### Named by requirement", _fields(notices.RequirementNotice),
        "### Named by task", _fields(notices.TaskNotice),
    ))  # fmt: skip


def _messages() -> str:
    parts = ["## Messages"]
    shown: set[type[BaseModel]] = set()
    for family, heading in _HEADINGS.items():
        parts.append(f"### {heading}")
        if family == "comms":
            parts.append(_aliases())
        for example in (one for one in examples.load() if one.family == family):
            parts.append(f"#### `{example.subject}`" + (" (reply)" if example.transport == "reply" else ""))
            parts.append(example.about)
            if example.model not in shown and (fields := _fields(example.model)):
                parts.append(fields)
            shown.add(example.model)
            if example.headers:
                parts.append(_table(("header", "value"), [(_code(k), _code(v)) for k, v in example.headers.items()]))
            parts.append("```json\n" + json.dumps(example.payload, indent=2, ensure_ascii=False) + "\n```")
    return "\n\n".join(parts)


def _aliases() -> str:
    rows = [(_code(name), _code(*(alias for alias in names if alias != name))) for name, names in comms.ALIASES.items()]
    return (
        f"Kinds: {_code(*comms.KINDS)}; unknown ones are stored. Identity in the subject wins over the payload's.\n\n"
        + _table(("field", "also read from"), [row for row in rows if row[1]])
    )


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(by_alias=True, mode="serialization", schema_generator=WithMeanings)
    required = set(model.model_json_schema(by_alias=True, mode="validation").get("required", ()))
    rows = []
    for name, field in schema.get("properties", {}).items():
        about = " ".join(inspect.cleandoc(field.get("description", "")).split())
        rows.append((_code(name), _type(field), "yes" if name in required else "", about))
    return _table(("field", "type", "required", "meaning"), rows) if rows else ""


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(one) for one in field["anyOf"] if one.get("type") != "null"))
    if field.get("type") == "array":
        inner = _type(field.get("items", {}))
        return f"list of {inner}" if inner != "anything" else "list"
    if field.get("format") == "date-time":
        return "time"
    return str(field.get("type", "anything"))


def _tables() -> str:
    parts = ["## Tables"]
    for table in tables.TABLES:
        rows = [
            (_code(column.name), column.type, "" if column.nullable else "yes", column.default or "", column.about)
            for column in table.columns
        ]
        parts.append(f"### `{table.qualified}`")
        parts.append(_table(("column", "type", "not null", "default", "meaning"), rows))
        unique = "; ".join(_code(*columns) for columns in table.unique)
        parts.append(f"Unique: {unique}. Indexes: {'; '.join(_code(*columns) for columns in table.indexes)}.")
    return "\n\n".join(parts)


def _users() -> str:
    parts = ["## NATS users", "All in one account; what is not listed is denied."]
    for user in users.USERS:
        parts.append(f"### `{user.name}`")
        parts.append(f"{user.purpose} Inbox prefix: `{user.inbox_prefix}`.")
        allowed = [("publish", one) for one in user.publish] + [("subscribe", one) for one in user.subscribe]
        parts.append(_table(("may", "subject"), [(verb, _code(subject)) for verb, subject in allowed]))
    return "\n\n".join(parts)
