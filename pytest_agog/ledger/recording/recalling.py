"""Messages from before the baseline that this run published again: nothing was stored, a duplicate was acknowledged.

On a server of somebody else a second run publishes what the first has left there. Its reports are on their streams, as
it was acknowledged; so they are recorded, although they are older than the run. [X4]
"""

from __future__ import annotations

import json

from pytest_agog.ledger import jetstream
from pytest_agog.ledger.facts import Baseline, MessageStored, PublishAcked
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording.line import Line
from pytest_agog.ledger.recording.objects import Objects


class Recalling:
    """Reads such messages, each once."""

    def __init__(self, ledger: Ledger, line: Line, objects: Objects) -> None:
        self._ledger = ledger
        self._line = line
        self._objects = objects
        self._done: set[tuple[str, int]] = set()
        self._looked_at = 0

    async def read(self) -> None:
        """Record those that are not recorded yet.

        Raises:
            LineBroken: JetStream does not answer.
        """
        before = {item.fact.stream: item.fact.last_sequence for item in self._ledger.of(Baseline)}
        acks = self._ledger.of(PublishAcked)
        for item in acks[self._looked_at :] if before else ():
            place = (item.fact.stream, item.fact.sequence)
            if (
                item.fact.duplicate
                and item.fact.sequence <= before.get(item.fact.stream, 0)
                and place not in self._done
            ):
                await self._record(*place)
                self._done.add(place)
        self._looked_at = len(acks)

    async def _record(self, stream: str, sequence: int) -> None:
        reply = await self._line.request(jetstream.message_get(stream), json.dumps({"seq": sequence}).encode())
        try:
            message = jetstream.from_message_get(jetstream.parse(reply.data))
        except (ValueError, KeyError):
            return  # it cannot be read: then it was not observed
        if message is not None:
            payload = self._ledger.payloads.put(message.data)
            self._ledger.append(
                MessageStored(
                    stream, sequence, message.time, message.subject, payload, len(message.data), message.headers
                )
            )
            self._objects.look(message.subject, message.data)
