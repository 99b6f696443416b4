"""What streams still hold: where they begin and end, and what was deleted in between, when they were last looked at."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pytest_agog.ledger.answers import StreamSeen
from pytest_agog.ledger.facts import Barrier
from pytest_agog.ledger.ledger import Ledger, Message

_ROLLUP: Final = "nats-rollup"
_TTL: Final = "nats-ttl"


@dataclass(frozen=True)
class End:
    """What a stream said of itself, and since when (index in the ledger)."""

    index: int
    last: int
    exists: bool = True
    first: int = 0
    deleted: frozenset[int] = frozenset()
    """Sequences between first and last that are there no longer."""
    seen_at: int = -1
    """Index at which `first` and `deleted` were seen; a barrier tells the last sequence only."""
    keeps: bool = True
    """Whether messages stay until they are deleted or limits drop them (not so when consumers take them out)."""
    per_subject: int = 0
    """How many messages of one subject stay; 0 is all."""
    superseded: frozenset[int] = field(default=frozenset(), compare=False)
    """Sequences that made room for later ones, or expired, as their stream or their publisher wants it."""

    def excludes(self, sequence: int, known_at: int) -> bool:
        """Whether a message that was there at index `known_at` of the ledger is there no longer."""
        return self.why(sequence, known_at) is not None

    def why(self, sequence: int, known_at: int) -> str | None:
        """Why it is there no longer, `{}` standing for its place; None when it is there, or was taken out as meant."""
        if self.index > known_at and not self.exists:
            return "{} is gone with its stream"
        if self.index > known_at and self.last < sequence:
            return f"{{}} is past the end of the stream, #{self.last}"
        if self.seen_at > known_at and self.keeps and sequence not in self.superseded:
            if sequence < self.first:
                return f"{{}} was purged, deleted or dropped at a limit: the stream begins at #{self.first}"
            if sequence in self.deleted:
                return "{} was deleted from the stream"
        return None


def ends_of(ledger: Ledger) -> dict[str, End]:
    """The latest word on every stream, from barriers and looks at the stream."""
    return ledger.derived("ends", lambda: _collect(ledger))


def _collect(ledger: Ledger) -> dict[str, End]:
    said = [
        (stream, End(item.index, last)) for item in ledger.of(Barrier) for stream, last in item.fact.sequences.items()
    ]
    for seen in ledger.of(StreamSeen):
        last = seen.fact.state.get("last_seq")
        if not seen.fact.reason and (not seen.fact.exists or isinstance(last, int)):
            said.append((seen.fact.stream, _looked_at(seen.index, seen.fact)))
    found: dict[str, End] = {}
    for stream, end in sorted(said, key=lambda item: item[1].index):
        before = found.get(stream)
        if end.seen_at < 0 and before is not None and end.exists == before.exists:
            end = replace(before, index=end.index, last=end.last)
        found[stream] = end
    return {stream: _with_superseded(ledger, stream, end) for stream, end in found.items()}


def _looked_at(index: int, seen: StreamSeen) -> End:
    state, config = seen.state, seen.config
    first = state.get("first_seq")
    per_subject = config.get("max_msgs_per_subject")
    return End(
        index,
        state.get("last_seq") or 0,
        seen.exists,
        first=first if isinstance(first, int) else 0,
        deleted=frozenset(state.get("deleted") or ()),
        seen_at=index,
        keeps=config.get("retention") in (None, "limits"),
        per_subject=per_subject if isinstance(per_subject, int) and per_subject > 0 else 0,
    )


def _with_superseded(ledger: Ledger, stream: str, end: End) -> End:
    if not end.keeps or (end.first <= 1 and not end.deleted):
        return end
    gone = [m for m in ledger.in_stream(stream) if (m.sequence or 0) < end.first or m.sequence in end.deleted]
    if not gone:
        return end
    later: defaultdict[str, int] = defaultdict(int)
    rolled: set[str] = set()
    everything = False
    superseded = set()
    wanted = {message.sequence for message in gone}
    for message in reversed(ledger.in_stream(stream)):
        if message.sequence in wanted and (
            everything
            or message.subject in rolled
            or 0 < end.per_subject <= later[message.subject]
            or _header(message, _TTL) is not None
        ):
            superseded.add(message.sequence or 0)
        later[message.subject] += 1
        rollup = _header(message, _ROLLUP)
        everything = everything or rollup == "all"
        if rollup is not None:
            rolled.add(message.subject)
    return replace(end, superseded=frozenset(superseded))


def _header(message: Message, name: str) -> Any:
    if not message.headers:
        return None
    return next((value for key, value in message.headers.items() if key.casefold() == name), None)


def still_held(ledger: Ledger, message: Message) -> bool:
    """Whether the stream still holds a stored message, or gave it up as meant."""
    end = ends_of(ledger).get(message.stream or "")
    return end is None or not end.excludes(message.sequence or 0, message.index)
