"""Messages of a durable consumer that were handed out and never acked, read from the stream itself.

Whoever had them may have been killed. The consumer hands them out again after its ack wait, which may be long; who
starts anew looks at once. They are dealt with twice then, so dealing with them twice must change nothing.
"""

from __future__ import annotations

from typing import Final

from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.stored import Stored
from pytest_agog.reference.deliverables.tailing import Start, Tail
from pytest_agog.wire.streams import ConsumerDefinition

MOST: Final = 1000
"""Messages that are looked at; the rest comes when it comes."""


async def unacked(link: Link, consumer: ConsumerDefinition) -> list[Stored]:
    """What lies between the consumer's ack floor and what it handed out last; some of it may be acked.

    Raises:
        JetStreamRefused, NatsUnreachable: the stream cannot be read.
    """
    try:
        info = await jetstream.call(link, f"CONSUMER.INFO.{consumer.stream}.{consumer.name}")
    except jetstream.Refusal as refusal:
        if refusal.err_code in jetstream.NOT_FOUND:
            return []
        raise refusal.as_error(f"looking at consumer {consumer.name}", url=link.url, stream=consumer.stream) from None
    last = int(info["delivered"]["stream_seq"])
    if not info.get("num_ack_pending"):
        return []
    pattern = consumer.filter_subject or ">"
    tail = await Tail(link, consumer.stream, pattern, Start(int(info["ack_floor"]["stream_seq"]) + 1)).open()
    found: list[Stored] = []
    try:
        while tail.waiting and len(found) < MOST:
            message = await tail.next()
            if message.sequence > last:
                break
            found.append(message)
    finally:
        await tail.close()
    return found
