"""Streams read by sequence, without consumers: direct get in batches where a stream allows it, else STREAM.MSG.GET."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final, Protocol

from pytest_agog.ledger import jetstream
from pytest_agog.ledger.jetstream import StoredMessage
from pytest_agog.ledger.recording.cursor import Cursor
from pytest_agog.ledger.recording.line import Line, LineBroken

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_BATCH: Final = 2_000
_BATCH_BYTES: Final = 8_000_000
"""A batch ends after this many bytes: far below what makes the server drop a slow client (64 MB)."""
_WINDOW: Final = 64
"""Requests under way at once where there are no batches."""


class Unreadable(Exception):
    """The stream cannot be read now: it is gone, without a leader, or direct get is not answered."""


class Shelf(Protocol):
    """Where messages go as they are read. Both methods move the cursor."""

    def store(self, cursor: Cursor, message: StoredMessage) -> None:
        """The next message that is there."""
        ...

    def skip(self, cursor: Cursor, sequence: int) -> None:
        """What lies before `sequence` and was not read is gone."""
        ...


async def read(line: Line, cursor: Cursor, shelf: Shelf) -> None:
    """Read what is there, at least up to `cursor.target`, in order.

    Beyond the target it reads what it finds and takes silence for "not stored yet"; up to the target silence means that
    the messages are gone (deleted, purged, expired, consumed) and they are stepped over.

    Raises:
        LineBroken: the connection is gone.
        Unreadable: the stream cannot be read now.
    """
    while not cursor.gone:
        before = cursor.next
        if cursor.direct and line.batches:
            more = await _batch(line, cursor, shelf)
        else:
            more = await _window(line, cursor, shelf)
        if cursor.next == before and cursor.behind:
            # Nothing there, says one replica. Only the leader knows whether the rest is gone or merely late.
            message = await _next(line, cursor.name, cursor.next)
            if message is None:
                shelf.skip(cursor, cursor.target + 1)
            else:
                shelf.store(cursor, message)
        if not (more or cursor.behind):
            return


async def _batch(line: Line, cursor: Cursor, shelf: Shelf) -> bool:
    """One batch by direct get; whether there is more."""
    more = False

    def take(msg: Msg) -> bool:
        nonlocal more
        headers = msg.headers or {}
        if cursor.gone:
            return True
        if "Nats-Sequence" in headers:
            shelf.store(cursor, jetstream.from_direct(headers, msg.data))
            return False
        status = headers.get("Status")
        if status == "204":
            more = headers.get("Nats-Num-Pending", "0") != "0"
            return True
        if status == "404":
            return True
        raise Unreadable(f"direct get of {cursor.name} answered {status}")

    # A filter makes the server step over what is gone; a bare `seq` would answer 404 there.
    question = {"seq": cursor.next, "next_by_subj": ">", "batch": _BATCH, "max_bytes": _BATCH_BYTES}
    await line.collect(jetstream.direct_get(cursor.name), json.dumps(question).encode(), take)
    return more


async def _window(line: Line, cursor: Cursor, shelf: Shelf) -> bool:
    """Up to `_WINDOW` messages, one request each, under way together; whether there may be more."""
    first = await _next(line, cursor.name, cursor.next)
    if first is None or cursor.gone:
        return False
    shelf.store(cursor, first)
    sequences = range(first.sequence + 1, min(cursor.target, first.sequence + _WINDOW) + 1)
    found = await asyncio.gather(*(_get(line, cursor.name, {"seq": sequence}) for sequence in sequences))
    for message in found:
        if message is not None and not cursor.gone:
            shelf.store(cursor, message)
    return True


async def _next(line: Line, stream: str, sequence: int) -> StoredMessage | None:
    return await _get(line, stream, {"seq": sequence, "next_by_subj": ">"})


async def _get(line: Line, stream: str, question: dict[str, object]) -> StoredMessage | None:
    reply = await line.request(jetstream.message_get(stream), json.dumps(question).encode())
    if reply.headers and "Status" in reply.headers:
        raise LineBroken("JetStream does not answer")
    try:
        return jetstream.from_message_get(jetstream.parse(reply.data))
    except (ValueError, KeyError) as error:
        raise Unreadable(str(error)) from error


async def read_subject(line: Line, stream: str, subject: str) -> list[bytes]:
    """The payloads of all messages on `subject` in `stream`, in order; used for the chunks of an object.

    Raises:
        LineBroken: the connection is gone.
        Unreadable: the stream cannot be read.
    """
    found: list[bytes] = []
    sequence = 1
    while True:
        reply = await line.request(
            jetstream.message_get(stream), json.dumps({"seq": sequence, "next_by_subj": subject}).encode()
        )
        try:
            message = jetstream.from_message_get(jetstream.parse(reply.data))
        except (ValueError, KeyError) as error:
            raise Unreadable(str(error)) from error
        if message is None:
            return found
        found.append(message.data)
        sequence = message.sequence + 1
