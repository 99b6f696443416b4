"""The step `publish`: any message on any subject, accounted for in the ledger."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING

from pydantic_core import to_json

from pytest_agog.ledger.facts import PublishAcked, PublishAttempted, PublishRefused
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.scenario.model import Publish
from pytest_agog.scenario.scenario import Step

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.api import PubAck

ACK_TIMEOUT = 5.0
"""Seconds until a missing PubAck counts as refused."""
WINDOW = 1000
"""Publishes that may wait for their PubAck at once."""


async def play_publish(context: PlayContext, step: Step, publish: Publish) -> None:
    """Publish the message as often as the step says.

    Raises:
        StepFailed: a publish was not acknowledged.
    """
    data = _payload(context, publish)
    limit = context.client.max_payload
    if len(data) > limit:
        raise StepFailed(
            f"{publish.subject}: {len(data)} bytes, the server takes {limit}; raise services.nats.max_payload"
        )
    payload = context.ledger.payloads.put(data)
    by = f"step {step.number}"
    headers = dict(publish.headers) or None
    if publish.core:
        for _ in range(publish.times):
            context.ledger.append(PublishAttempted(publish.subject, payload, by, dict(publish.headers), core=True))
            await context.client.publish(publish.subject, data, headers=headers)
        await context.client.flush()
        return
    await _publish_with_acks(context, publish, data, payload, by)


def _payload(context: PlayContext, publish: Publish) -> bytes:
    if publish.file is not None:
        return context.file(publish.file).read_bytes()
    if publish.text is not None:
        return publish.text.encode("utf-8", "surrogatepass")
    if publish.base64 is not None:
        try:
            return base64.b64decode(publish.base64, validate=True)
        except binascii.Error as error:
            raise StepFailed(f"{publish.subject}: the base64 text cannot be decoded: {error}") from None
    if "json_" in publish.model_fields_set:
        return to_json(publish.json_)
    return b""


async def _publish_with_acks(context: PlayContext, publish: Publish, data: bytes, payload: str, by: str) -> None:
    """Publish `times` times, up to a window of publishes under way; the first refusal ends it."""
    jetstream = context.client.jetstream(publish_async_max_pending=WINDOW)
    under_way: list[tuple[int, asyncio.Future[PubAck]]] = []
    for number in range(publish.times):
        attempt = context.ledger.append(PublishAttempted(publish.subject, payload, by, dict(publish.headers)))
        under_way.append((attempt, await _start(context, jetstream, publish, data, attempt)))
        if len(under_way) >= WINDOW or number == publish.times - 1:
            await _settle(context, publish.subject, under_way)
            under_way.clear()


async def _start(
    context: PlayContext, jetstream: JetStreamContext, publish: Publish, data: bytes, attempt: int
) -> asyncio.Future[PubAck]:
    try:
        return await jetstream.publish_async(
            publish.subject, data, wait_stall=ACK_TIMEOUT, headers=dict(publish.headers) or None
        )
    except Exception as error:
        context.ledger.append(PublishRefused(attempt, _reason(error)))
        raise StepFailed(f"{publish.subject} could not be published: {_reason(error)}") from None


async def _settle(context: PlayContext, subject: str, under_way: list[tuple[int, asyncio.Future[PubAck]]]) -> None:
    _, waiting = await asyncio.wait([future for _, future in under_way], timeout=ACK_TIMEOUT)
    refusal = ""
    for attempt, future in under_way:
        if future in waiting:
            future.cancel()
            reason = f"no PubAck within {ACK_TIMEOUT:g}s"
        elif (error := future.exception()) is not None:
            reason = _reason(error)
        else:
            ack = future.result()
            context.ledger.append(PublishAcked(attempt, ack.stream, ack.seq, bool(ack.duplicate)))
            continue
        context.ledger.append(PublishRefused(attempt, reason))
        refusal = refusal or reason
    if refusal:
        raise StepFailed(
            f"{subject} was not acknowledged: {refusal}; is a stream bound to this subject? `core: true` asks for no ack"
        )


def _reason(error: BaseException) -> str:
    """A client's error in one line, without its library's prefix."""
    if type(error).__name__ == "NoStreamResponseError":
        return "no stream takes this subject"
    return str(getattr(error, "description", None) or str(error) or type(error).__name__)
