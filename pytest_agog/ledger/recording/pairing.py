"""Which core message is the arrival of which stored message.

A publish is seen twice: by the core subscription, and in the stream that took it. The PubAck crosses the wire too and
names stream and sequence, so a publish that asked for one is paired exactly, and one that the server called a
duplicate or refused is paired with nothing. Without a PubAck the first waiting arrival with the same subject, payload
and headers is taken. Streams with a subject transform store under another subject; there the stream stands for it.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field

from pytest_agog.ledger.jetstream import DIRECT_HEADERS
from pytest_agog.ledger.payloads import Headers, PayloadId

Key = tuple[str, PayloadId, frozenset[tuple[str, str]]]
_NO_HEADERS: frozenset[tuple[str, str]] = frozenset()


def key(place: str, payload: PayloadId, headers: Headers) -> Key:
    """What arrival and stored message have in common. `place` is the subject, or a stream with a subject transform."""
    if not headers:
        return place, payload, _NO_HEADERS
    # A message that was republished from a stream already carries these; direct get overwrites them.
    return place, payload, frozenset(item for item in headers.items() if item[0] not in DIRECT_HEADERS)


@dataclass(frozen=True, slots=True)
class Ack:
    """A PubAck that crossed the wire: arrival `seen` is message `sequence` of `stream`."""

    stream: str
    sequence: int
    seen: int


@dataclass(slots=True)
class Pairing:
    """Arrivals that wait for their stored message."""

    _waiting: dict[Key, deque[int]] = field(default_factory=dict)
    _replies: dict[str, tuple[int, Key]] = field(default_factory=dict)
    _acked: dict[tuple[str, int], tuple[int, Key]] = field(default_factory=dict)

    def arrived(self, index: int, place: Key, reply: str) -> None:
        """A message that some stream takes was seen; `reply` is where its PubAck will go, if it asked for one."""
        queue = self._waiting.get(place)
        if queue is None:
            self._waiting[place] = deque((index,))
        else:
            queue.append(index)
        if reply:
            self._replies[reply] = (index, place)

    def expects(self, subject: str) -> bool:
        """Whether a message on `subject` is the PubAck of something that arrived."""
        return subject in self._replies

    def acknowledged(self, subject: str, data: bytes) -> Ack | None:
        """The PubAck came. None when the message was not stored: a duplicate, refused, or not JetStream's answer."""
        index, place = self._replies.pop(subject)
        try:
            reply = json.loads(data)
            stream, sequence = reply["stream"], int(reply["seq"])
            stored = not reply.get("duplicate") and "error" not in reply
        except (ValueError, TypeError, KeyError, AttributeError):
            # Refused (`error` without a sequence), or a service that answers on a stream's subject: the message may
            # be stored all the same, so only a refusal takes it off the list.
            if b'"error"' in data:
                self._forget(index, place)
            return None
        if not stored:
            self._forget(index, place)
            return None
        self._acked[stream, sequence] = (index, place)
        return Ack(stream, sequence, index)

    def stored(self, stream: str, sequence: int, *places: Key) -> int | None:
        """The arrival of the message that `stream` holds at `sequence`; it waits no longer."""
        if (exact := self._acked.pop((stream, sequence), None)) is not None:
            self._forget(*exact)
            return exact[0]
        for place in places:
            queue = self._waiting.get(place)
            if queue:
                index = queue.popleft()
                if not queue:
                    del self._waiting[place]
                return index
        return None

    def gone(self, stream: str, sequence: int) -> int | None:
        """The arrival of a message that was acknowledged but is no longer in the stream."""
        exact = self._acked.pop((stream, sequence), None)
        if exact is None:
            return None
        self._forget(*exact)
        return exact[0]

    def acked_between(self, stream: str, first: int, end: int) -> list[int]:
        """Sequences from `first` up to but not including `end` that were acknowledged and not yet stored or gone."""
        if end - first <= len(self._acked):
            return [sequence for sequence in range(first, end) if (stream, sequence) in self._acked]
        return sorted(sequence for name, sequence in self._acked if name == stream and first <= sequence < end)

    def _forget(self, index: int, place: Key) -> None:
        queue = self._waiting.get(place)
        if queue is None:
            return
        # Nearly always the first; a FIFO guess may have taken it already.
        if queue[0] == index:
            queue.popleft()
        elif index in queue:
            queue.remove(index)
        if not queue:
            del self._waiting[place]
