"""The step `publish`: any message on any subject, accounted for in the ledger."""

from __future__ import annotations

import base64
import binascii

from pydantic_core import to_json

from pytest_agog.ledger.facts import PublishAttempted
from pytest_agog.play.acks import ACK_TIMEOUT, ELECTION_TIMEOUT, NO_STREAM, AckedPublisher, Refused
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.play.leading import await_leader
from pytest_agog.scenario.model import Publish
from pytest_agog.scenario.scenario import Step
from pytest_agog.wire.deliverables import encoded_size

_TOLD_EVERY = 10_000
_MESSAGE_ID = "Nats-Msg-Id"


async def play_publish(context: PlayContext, step: Step, publish: Publish) -> None:
    """Publish the message as often as the step says. With JetStream the first refusal ends it.

    A subject under `argo.workflow.` goes out under the target's own prefix (`wire.prefix` of a target file), so that a
    scenario that was written for the contract reaches a system that listens elsewhere. No other subject is rewritten,
    and the ledger, and with it every check, has the subject that crossed the wire.

    Raises:
        StepFailed: the message cannot be sent, or was not acknowledged.
    """
    publish = publish.model_copy(update={"subject": context.target.names.subject(publish.subject)})
    data = _payload(context, publish)
    size, limit = encoded_size(data, publish.headers), context.client.max_payload
    if size > limit:
        raise StepFailed(
            f"{publish.subject}: {size} bytes with headers, the server takes {limit}; raise services.nats.max_payload"
        )
    await await_leader(context, publish.subject)
    if publish.core:
        await _publish_core(context, step, publish, data)
    else:
        await _publish_acked(context, step, publish, data)


async def _publish_core(context: PlayContext, step: Step, publish: Publish, data: bytes) -> None:
    payload = context.ledger.payloads.put(data)
    try:
        publisher = await _publisher(context)
        for number in range(publish.times):
            _tell(context, publish, number)
            _attempt(context, step, publish, payload)
            await context.client.publish(publish.subject, data, headers=dict(publish.headers) or None)
        await publisher.echo()
    except Exception as error:
        raise StepFailed(f"{publish.subject} could not be published: {_reason(error)}") from None


async def _publish_acked(context: PlayContext, step: Step, publish: Publish, data: bytes) -> None:
    payload = context.ledger.payloads.put(data)
    try:
        publisher = await _publisher(context)
        for number in range(publish.times):
            _tell(context, publish, number)
            if number and _MESSAGE_ID in publish.headers:
                # While a cluster's replicas agree on a message it refuses another with the same id.
                await publisher.settle()
            attempt = _attempt(context, step, publish, payload)
            await publisher.send(publish.subject, data, dict(publish.headers) or None, attempt)
        await publisher.settle()
    except Refused as refusal:
        hint = "; `core: true` publishes without a stream" if str(refusal) == NO_STREAM else ""
        raise StepFailed(f"{publish.subject} was not acknowledged: {refusal}{hint}") from None
    except Exception as error:
        raise StepFailed(f"{publish.subject} could not be published: {_reason(error)}") from None


async def _publisher(context: PlayContext) -> AckedPublisher:
    if context.publisher is None:
        patience = ACK_TIMEOUT if context.servers == 1 else ELECTION_TIMEOUT
        context.publisher = await AckedPublisher(context.client, context.ledger, patience).open()
    return context.publisher


def _attempt(context: PlayContext, step: Step, publish: Publish, payload: str) -> int:
    by = f"step {step.number}"
    return context.ledger.append(
        PublishAttempted(publish.subject, payload, by, dict(publish.headers), core=publish.core)
    )


def _tell(context: PlayContext, publish: Publish, number: int) -> None:
    if number and number % _TOLD_EVERY == 0:
        context.progress(f"publishing on {publish.subject}: {number:,} of {publish.times:,}")


def _payload(context: PlayContext, publish: Publish) -> bytes:
    if publish.file is not None:
        try:
            return context.file(publish.file).read_bytes()
        except OSError as error:
            raise StepFailed(f"{publish.file} cannot be read: {error.strerror}") from None
    if publish.text is not None:
        return publish.text.encode("utf-8", "surrogatepass")
    if publish.base64 is not None:
        try:
            return base64.b64decode("".join(publish.base64.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise StepFailed(f"{publish.subject}: the base64 text cannot be decoded: {error}") from None
    # `json: null` is a payload of four bytes; without any of the four there is none.
    return to_json(publish.json_) if "json_" in publish.model_fields_set else b""


def _reason(error: BaseException) -> str:
    """A client's error in one line, without its library's prefix."""
    return " ".join(str(error).removeprefix("nats: ").split()) or type(error).__name__
