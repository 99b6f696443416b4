"""What a command reads while it runs, seen on the wire: every message that JetStream hands out to an inbox. [D13]

Commands fetch with any client, so nobody tells the harness what was read. But replies to direct gets, `STREAM.MSG.GET`
and consumers all travel to inboxes in the same account, where a second connection can see them. The harness's own
inboxes are told by their prefix. Inboxes with a prefix other than `_INBOX` and that of the user `agents`, and what
a core subscription sees live, cannot be seen. The whole message counts, since it crossed the wire. A report that lies
in the object store counts once for each time that it is read: its chunks are put together to one text.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json

from pytest_agog.ledger.access import AGENTS
from pytest_agog.ledger.facts import AgentHanded
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording.line import OWN_INBOXES
from pytest_agog.play.context import PlayContext
from pytest_agog.wire import subjects
from pytest_agog.wire.streams import OBJECT_BUCKET

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_SUBJECT_HEADER: Final = "Nats-Subject"
_SEQUENCE_HEADER: Final = "Nats-Sequence"
_MESSAGE_GET: Final = b'{"type":"io.nats.jetstream.api.v1.stream_msg_get_response"'
_ACK: Final = "$JS.ACK."
_DELIVERABLES: Final = subjects.DELIVERABLES + "."
_OBJECTS: Final = "$O."
_SHORT_ACK: Final = 9
"""Tokens of an ack subject without domain and account."""


@dataclass(frozen=True)
class _Delivery:
    """A stored message that was handed out."""

    subject: str
    data: bytes
    reader: str
    """The consumer, or the inbox; what one reader got is one reading."""
    sequence: int


@asynccontextmanager
async def reads_of(context: PlayContext, chain: int, agent: str) -> AsyncIterator[None]:
    """While this is open, deliverables that are handed out to an inbox count as handed to `agent`."""
    reads = _Reads(context.ledger, chain, agent)
    inboxes = dict.fromkeys(("_INBOX", context.stage.given_access(AGENTS).inbox_prefix))
    listening = [
        await context.client.subscribe(f"{inbox}.>", cb=reads.on_message, pending_msgs_limit=0, pending_bytes_limit=0)
        for inbox in inboxes
    ]
    await context.client.flush()
    try:
        yield
    finally:
        # The server delivers in order: after a round trip everything that was sent before has arrived. It may be gone.
        with contextlib.suppress(Exception):
            await context.client.flush(1)
            for subscription in listening:
                await subscription.drain()  # type: ignore[no-untyped-call]
        reads.finish()


@dataclass
class _Reads:
    """What one spawn of a command reads."""

    ledger: Ledger
    chain: int
    agent: str
    references: dict[tuple[str, str], str] = field(default_factory=dict)
    """By bucket and object name: the URL of the deliverable that refers to it."""
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    """By bucket and nuid: the object's name."""
    chunks: dict[tuple[str, str, str], dict[int, bytes]] = field(default_factory=dict)
    """By bucket, nuid and reader: the chunks, by sequence; one that is delivered again counts once."""

    async def on_message(self, message: Msg) -> None:
        """File one message that went to an inbox."""
        if message.subject.startswith(OWN_INBOXES):
            return
        found = _delivery(message)
        if found is None or not found.data:
            return
        if found.subject.startswith(_DELIVERABLES):
            url = subjects.to_url(found.subject)
            self._refer(found.data, url)
            self._hand(url, found.data)
        elif found.subject.startswith(_OBJECTS):
            self._object(found)

    def _hand(self, url: str, data: bytes) -> None:
        self.ledger.append(AgentHanded(self.chain, self.agent, url, None, self.ledger.payloads.put(data)))

    def _refer(self, data: bytes, url: str) -> None:
        """Remember which object a deliverable refers to, if it does."""
        if b'"object"' not in data:
            return
        reference = _object_of(data).get("object")
        if isinstance(reference, dict):
            self.references[str(reference.get("bucket")), str(reference.get("name"))] = url

    def _object(self, found: _Delivery) -> None:
        """`$O.{bucket}.M.{name}` describes an object, `$O.{bucket}.C.{nuid}` is a piece of it."""
        parts = found.subject.split(".", 3)
        if len(parts) != 4 or not (
            parts[1] == OBJECT_BUCKET or any(bucket == parts[1] for bucket, _ in self.references)
        ):
            return
        bucket, what = parts[1], parts[2]
        if what == "M":
            told = _object_of(found.data)
            self.names[bucket, str(told.get("nuid"))] = str(told.get("name"))
        elif what == "C":
            self.chunks.setdefault((bucket, parts[3], found.reader), {})[found.sequence] = found.data

    def finish(self) -> None:
        """Count every object that was read, whole or in part."""
        for (bucket, nuid, _), pieces in self.chunks.items():
            url = self.references.get((bucket, self.names.get((bucket, nuid), "")))
            whole = b"".join(data for _, data in sorted(pieces.items(), key=lambda piece: piece[0]))
            self._hand(url or subjects.to_url(f"$O.{bucket}.C.{nuid}"), whole)


def _delivery(message: Msg) -> _Delivery | None:
    """The stored message that `message` hands out, if it does."""
    headers: Mapping[str, str] = message.headers or {}
    inbox = message.subject.rpartition(".")[0]
    try:
        if _SUBJECT_HEADER in headers:  # direct get
            return _Delivery(headers[_SUBJECT_HEADER], message.data, inbox, int(headers[_SEQUENCE_HEADER]))
        if message.reply.startswith(_ACK):  # a consumer
            parts = message.reply.split(".")
            first = 2 if len(parts) == _SHORT_ACK else 4
            return _Delivery(message.subject, message.data, parts[first + 1], int(parts[first + 3]))
        if message.data.startswith(_MESSAGE_GET):
            stored = from_json(message.data)["message"]
            data = base64.b64decode(stored.get("data", ""))
            return _Delivery(str(stored["subject"]), data, inbox, int(stored["seq"]))
    except (ValueError, LookupError, TypeError, AttributeError, binascii.Error):
        return None  # something that only looks like it
    return None


def _object_of(data: bytes) -> dict[str, Any]:
    try:
        value = from_json(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
