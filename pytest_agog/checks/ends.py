"""Where streams ended when they were last looked at: what was stored past that end is there no longer."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_agog.ledger.facts import Barrier, StreamSeen
from pytest_agog.ledger.ledger import Ledger, Message


@dataclass(frozen=True)
class End:
    """What a stream said of its end, and since when (index in the ledger)."""

    index: int
    last: int
    exists: bool = True

    def excludes(self, sequence: int, known_at: int) -> bool:
        """Whether a message that was there at index `known_at` of the ledger is there no longer."""
        return self.index > known_at and (not self.exists or self.last < sequence)


def ends_of(ledger: Ledger) -> dict[str, End]:
    """The latest word on every stream's end, from barriers and looks at the stream."""
    return ledger.derived("ends", lambda: _collect(ledger))


def _collect(ledger: Ledger) -> dict[str, End]:
    said = [
        (stream, End(item.index, last)) for item in ledger.of(Barrier) for stream, last in item.fact.sequences.items()
    ]
    for seen in ledger.of(StreamSeen):
        last = seen.fact.state.get("last_seq")
        if not seen.fact.reason and (not seen.fact.exists or isinstance(last, int)):
            said.append((seen.fact.stream, End(seen.index, last or 0, seen.fact.exists)))
    found: dict[str, End] = {}
    for stream, end in said:
        if stream not in found or found[stream].index < end.index:
            found[stream] = end
    return found


def still_held(ledger: Ledger, message: Message) -> bool:
    """Whether the stream's end still includes a stored message."""
    end = ends_of(ledger).get(message.stream or "")
    return end is None or not end.excludes(message.sequence or 0, message.index)
