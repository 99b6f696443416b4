"""What a command reads while it runs, seen on the wire: every message that JetStream hands out to an inbox. [D13]

Commands fetch with any client, so nobody tells the harness what was read. But replies to direct gets, `STREAM.MSG.GET`
and consumers all travel to inboxes in the same account, where a second connection can see them. Inboxes with a prefix
other than `_INBOX` (accounts with private inboxes) cannot be seen; the whole message counts, since it crossed the wire.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pytest_agog.ledger.facts import AgentHanded
from pytest_agog.ledger.line import OWN_INBOXES
from pytest_agog.play.context import PlayContext
from pytest_agog.wire import subjects

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_SUBJECT_HEADER = "Nats-Subject"


@asynccontextmanager
async def reads_of(context: PlayContext, chain: int, agent: str) -> AsyncIterator[None]:
    """While this is open, deliverables that are handed out to an inbox count as handed to `agent`."""

    async def on_message(message: Msg) -> None:
        if message.subject.startswith(OWN_INBOXES):
            return  # the recorder reads every message, also while an agent runs
        found = _deliverable(message)
        if found is not None:
            subject, data = found
            payload = context.ledger.payloads.put(data)
            context.ledger.append(AgentHanded(chain, agent, subjects.to_url(subject), None, payload))

    listening = await context.client.subscribe("_INBOX.>", cb=on_message)
    await context.client.flush()
    try:
        yield
    finally:
        # The server delivers in order: after a round trip everything that was sent before has arrived.
        await context.client.flush()
        await listening.drain()  # type: ignore[no-untyped-call]


def _deliverable(message: Msg) -> tuple[str, bytes] | None:
    """Subject and payload of the deliverable that `message` hands out, if it is one."""
    headers = message.headers or {}
    if _SUBJECT_HEADER in headers:  # direct get
        return _if_deliverable(headers[_SUBJECT_HEADER], message.data)
    if message.subject.startswith(subjects.DELIVERABLES) or message.reply.startswith("$JS.ACK."):  # a consumer
        return _if_deliverable(message.subject, message.data)
    if message.data.startswith(b'{"type":"io.nats.jetstream.api.v1.stream_msg_get_response"'):
        try:
            stored = json.loads(message.data)["message"]
            return _if_deliverable(stored["subject"], base64.b64decode(stored.get("data", "")))
        except (ValueError, KeyError, TypeError, binascii.Error):
            return None
    return None


def _if_deliverable(subject: str, data: bytes) -> tuple[str, bytes] | None:
    return (subject, data) if data and subjects.matches(f"{subjects.DELIVERABLES}.>", subject) else None
