"""Which messages feed a table, and which row belongs to which of them.

A row names its message by the columns that it has:

- `stream` and `stream_seq`: the streams that the rows name feed the table.
- `stream_seq` alone: `agent-comms` feeds it when that stream holds messages (always for the table of the contract),
  otherwise the only stream that does.
- `message_id` alone: the streams that hold at least one of the rows' ids (in the JSON payload, else in `Nats-Msg-Id`).

Messages that carry the same `message_id`, kind, channel and content on one subject are one message, however often they
were stored: such a copy belongs to the row of the first. A row without `stream_seq` (a backfill) belongs to the message
with its `message_id` (a column, or in `attrs`) and content.

In the contract's own table a message that could not be stored counts by its row among the rejected ones.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pytest_agog.ledger.facts import Baseline, WireNamed
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.ledger.payloads import PayloadId
from pytest_agog.values import ABSENT, look_up
from pytest_agog.wire import comms_rows
from pytest_agog.wire.deliverables import MSG_ID_HEADER

MESSAGES_TABLE: Final = "workflow_comms.agent_messages"
REJECTED_TABLE: Final = "workflow_comms.rejected_messages"
"""Holds what could not become a row: such a message has a row there, and nowhere else."""
COMMS_STREAM: Final = "agent-comms"
Row = dict[str, Any]
_SOME_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the server's time, which tells no message from another."""


@dataclass(frozen=True)
class Matched:
    """Messages against rows."""

    messages: int = 0
    """Different messages that should each have one row."""
    missing: tuple[Message, ...] = ()
    """Messages without a row."""
    duplicated: tuple[tuple[Message, int], ...] = ()
    """Messages with several rows, and how many."""
    strange: tuple[Row, ...] = ()
    """Rows that name a message which no stream held."""
    loose: int = 0
    """Rows that name no message at all."""
    how: str = ""
    """Which stream was compared, and by what."""
    problem: str = ""
    """Why rows and messages cannot be compared."""


@dataclass
class _Group:
    first: Message
    rows: int = 0


def comms_stream(ledger: Ledger) -> str:
    """The stream of agent comms as it is called where this ledger was written."""
    named = ledger.of(WireNamed)
    return named[-1].fact.stream if named else COMMS_STREAM


def rows_of(ledger: Ledger, payload: PayloadId) -> list[Row]:
    """The rows in a payload of `RowsSeen`."""

    def parse() -> list[Row]:
        return [json.loads(line) for line in ledger.payloads.text(payload).split("\n") if line.strip()]

    return ledger.derived(("rows", payload), parse)


def match(ledger: Ledger, table: str, rows: Sequence[Row], rejected: Sequence[Row] = ()) -> Matched:
    """Every message that feeds `table` against its rows, and those that were `rejected`."""
    held = _by_stream(ledger)
    if any(row.get("stream") is not None and row.get("stream_seq") is not None for row in rows):
        streams = sorted({str(row["stream"]) for row in rows if row.get("stream") is not None})
        return _by_sequence(ledger, held, streams, rows)
    if rows and not any("stream_seq" in row for row in rows) and table != MESSAGES_TABLE:
        if any("message_id" in row for row in rows):
            return _by_id(ledger, held, rows)
        return Matched(problem="its rows have neither stream_seq nor message_id, so no row names its message")
    comms = comms_stream(ledger)
    if table == MESSAGES_TABLE or comms in held:
        return _by_sequence(ledger, held, [comms], rows, rejected)
    own = [stream for stream in held if not stream.startswith(("KV_", "OBJ_"))]
    if len(own) > 1:
        return Matched(
            problem=f"several streams could feed it ({', '.join(sorted(own)[:5])}); rows need a column stream"
        )
    return _by_sequence(ledger, held, own, rows)


def _by_stream(ledger: Ledger) -> dict[str, list[Message]]:
    def collect() -> dict[str, list[Message]]:
        found: defaultdict[str, list[Message]] = defaultdict(list)
        for message in ledger.stored(">"):
            found[message.stream or ""].append(message)
        return dict(found)

    return ledger.derived("stored by stream", collect)


def _by_sequence(
    ledger: Ledger,
    held: dict[str, list[Message]],
    streams: Sequence[str],
    rows: Sequence[Row],
    rejected: Sequence[Row] = (),
) -> Matched:
    groups: dict[Hashable, _Group] = {}
    place: dict[tuple[str, int], _Group] = {}
    for stream in streams:
        for message in held.get(stream, ()):
            group = groups.setdefault(_identity(ledger, message), _Group(message))
            place[stream, message.sequence or 0] = group
    only = streams[0] if len(streams) == 1 else None
    before = {item.fact.stream: item.fact.last_sequence for item in ledger.of(Baseline)}
    unplaced = any(row.get("stream_seq") is None for row in rows)
    by_id = _groups_by_id(ledger, list(groups.values())) if unplaced else {}
    strange: list[Row] = []
    loose = 0
    for row in rows:
        sequence = row.get("stream_seq")
        stream = row.get("stream") or only or ""
        owner = by_id.get(_row_id(row)) if sequence is None else place.get((stream, sequence))
        if owner is not None:
            owner.rows += 1
        elif sequence is None:
            loose += 1
        elif not isinstance(sequence, int) or sequence > before.get(stream, 0):
            strange.append(row)
    for row in rejected:
        # Its copies do not count for it: what is rejected has no identity but its place.
        owner = place.get((str(row.get("stream")), row.get("stream_seq") or 0))
        if owner is not None:
            owner.rows += 1
    return _told(groups.values(), strange, loose, f"stream {', '.join(streams) or '(none)'} by stream_seq")


def _by_id(ledger: Ledger, held: dict[str, list[Message]], rows: Sequence[Row]) -> Matched:
    counted = Counter(str(row["message_id"]) for row in rows if row.get("message_id") is not None)
    groups: dict[Hashable, _Group] = {}
    streams, known = [], set()
    for stream, messages in held.items():
        ids = [_message_id(ledger, message) for message in messages]
        if not any(name in counted for name in ids):
            continue
        streams.append(stream)
        for message, name in zip(messages, ids, strict=True):
            group = groups.setdefault(name if name is not None else (stream, message.sequence), _Group(message))
            group.rows = counted.get(name, 0) if name is not None else 0
            known.add(name)
    strange = [row for row in rows if row.get("message_id") is not None and str(row["message_id"]) not in known]
    loose = sum(row.get("message_id") is None for row in rows)
    return _told(groups.values(), strange, loose, f"stream {', '.join(sorted(streams)) or '(none)'} by message_id")


def _told(groups: Any, strange: list[Row], loose: int, how: str) -> Matched:
    every = list(groups)
    return Matched(
        messages=len(every),
        missing=tuple(group.first for group in every if group.rows == 0),
        duplicated=tuple((group.first, group.rows) for group in every if group.rows > 1),
        strange=tuple(strange),
        loose=loose,
        how=how,
    )


def _identity(ledger: Ledger, message: Message) -> Hashable:
    """What makes a message the same as another: its id with subject, kind, channel and content; else its own place."""
    if message.stream == comms_stream(ledger):
        told = _told_comms(ledger, message)
        return (message.stream, message.sequence if told is None else told.dedupe_key)
    document = ledger.payloads.json(message.payload)
    if not isinstance(document, dict) or document.get("message_id") in (None, ""):
        return (message.stream, message.sequence)
    said = (document.get(key) for key in ("message_id", "channel", "kind", "content"))
    return (message.stream, message.subject, *(_hashable(value) for value in said))


def _told_comms(ledger: Ledger, message: Message) -> comms_rows.Row | None:
    """What the contract makes of a message of agent comms; None when it must be rejected."""
    row = comms_rows.normalise(
        message.subject,
        ledger.payloads[message.payload],
        stream_created="",
        stream_seq=message.sequence or 0,
        stored_at=_SOME_TIME,
    )
    return row if isinstance(row, comms_rows.Row) else None


def _hashable(value: Any) -> Hashable:
    return value if value is None or isinstance(value, str) else (json.dumps(value, sort_keys=True),)


def _groups_by_id(ledger: Ledger, groups: Sequence[_Group]) -> dict[Hashable, _Group]:
    found: dict[Hashable, _Group] = {}
    for group in groups:
        if group.first.stream == comms_stream(ledger):
            told = _told_comms(ledger, group.first)
            if told is not None and told.attrs.get("message_id"):
                found[str(told.attrs["message_id"]), told.content] = group
            continue
        document = ledger.payloads.json(group.first.payload)
        if isinstance(document, dict) and document.get("message_id") not in (None, ""):
            found[str(document["message_id"]), _text(document.get("content"))] = group
    return found


def _row_id(row: Row) -> Hashable:
    name = row.get("message_id") or look_up(row, "attrs.message_id")
    return None if name is ABSENT or name is None else (str(name), _text(row.get("content")))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _message_id(ledger: Ledger, message: Message) -> str | None:
    document = ledger.payloads.json(message.payload)
    name = document.get("message_id") if isinstance(document, dict) else None
    name = name if name is not None else message.headers.get(MSG_ID_HEADER)
    return str(name) if name is not None else None
