"""Publishing to JetStream until it has the message: at least once, and once within the duplicate window."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from pytest_agog.errors import JetStreamRefused
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer

_PATIENCE: Final = 10.0
_AGAIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class Ack:
    """Where the message is; `duplicate` says that the stream had it already."""

    sequence: int
    duplicate: bool


async def publish(link: Link, subject: str, payload: bytes, *, msg_id: str, patience: float = _PATIENCE) -> Ack:
    """Publish, and return when the stream holds the message.

    Sent again while nothing answers: the message id keeps a second copy out.

    Raises:
        NatsUnreachable: the connection is lost and did not come back in time.
        JetStreamRefused: no stream takes the subject, or the stream refused it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    headers = {"Nats-Msg-Id": msg_id}
    while True:
        left = deadline - loop.time()
        try:
            message = await link.request(subject, payload, headers, within=max(0.05, min(left, _AGAIN)))
        except NoAnswer:
            if deadline > loop.time():
                continue
            raise _refused(link, subject, f"no answer within {patience:g} s") from None
        if message.headers and message.headers.get("Status") == jetstream.NO_RESPONDERS:
            if deadline - loop.time() > patience - 1:  # a server that has just come back has no streams for a moment
                await asyncio.sleep(jetstream.RETRY)
                continue
            raise _refused(link, subject, "no stream takes this subject; `agog init-streams` creates all of them")
        answer = json.loads(message.data)
        if not (error := answer.get("error")):
            return Ack(int(answer["seq"]), bool(answer.get("duplicate")))
        refusal = jetstream.Refusal.of(error)
        if refusal.err_code not in jetstream.UNAVAILABLE or deadline <= loop.time():
            raise refusal.as_error(f"publishing to {subject}", url=link.url)
        await asyncio.sleep(jetstream.RETRY)


def _refused(link: Link, subject: str, reason: str) -> JetStreamRefused:
    return JetStreamRefused(url=link.url, what=f"publishing to {subject}", reason=reason)
