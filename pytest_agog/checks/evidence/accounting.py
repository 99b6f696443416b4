"""Loss accounting: what was attempted, acknowledged, observed in a stream, committed; and what of it is missing.

Every stored message is the work of one attempt: first acknowledgements claim the sequences that they name, then
attempts without acknowledgement claim what is left with their subject and payload. What nobody claims is a duplicate
when its content was attempted, and unexpected otherwise. Copies with one `Nats-Msg-Id` within the duplicate window are
duplicates whoever claims them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from pytest_agog.checks.evidence.ends import End, ends_of
from pytest_agog.checks.evidence.feeding import comms_stream, rows_of
from pytest_agog.ledger.answers import ConsumerSeen, RowsSeen, StreamSeen
from pytest_agog.ledger.facts import MessageStored, PublishAcked, PublishAttempted
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.wire import streams, subjects
from pytest_agog.wire.deliverables import MSG_ID_HEADER

Part = Literal["prefix", "middle", "suffix"]
Position = tuple[str, int]
"""Stream and sequence."""
_INTERNAL: Final = "$"


@dataclass(frozen=True)
class Attempt:
    """A publish, and its acknowledgement if one came."""

    index: int
    fact: PublishAttempted
    ack: PublishAcked | None = None
    acked_at: int = -1
    """Index of the acknowledgement."""


@dataclass(frozen=True)
class Lost:
    """An acknowledged message that is not there."""

    attempt: Attempt
    why: str
    part: Part = "suffix"
    """Before the first acknowledged message of its stream that is there, between two, or after the last (or none)."""


@dataclass(frozen=True)
class Accounting:
    """What became of every publish."""

    attempted: int = 0
    acked: tuple[Attempt, ...] = ()
    observed: int = 0
    """Acknowledged messages that the streams hold at the end."""
    committed: int = 0
    """Acknowledged messages that left a row, or that a consumer of a work queue has acked."""
    lost: tuple[Lost, ...] = ()
    duplicated: tuple[Message, ...] = ()
    unexpected: tuple[Message, ...] = ()
    """Stored, but attempted by nobody whom the ledger watches: agents with a client of their own, or worse."""
    unknown: tuple[Attempt, ...] = ()
    """Attempted without acknowledgement: legal either way."""
    unknown_observed: int = 0
    """How many of the unknown ones are there."""
    suppressed: int = 0
    """Acknowledged as a duplicate of a stored message."""
    core: int = 0
    """Published without asking for an acknowledgement."""
    streams: tuple[str, ...] = ()
    """Streams that acknowledged."""


@dataclass
class _Held:
    """What the streams hold at the end, by position."""

    at: dict[Position, Message] = field(default_factory=dict)
    ends: dict[str, End] = field(default_factory=dict)
    committed: set[Position] = field(default_factory=set)
    floors: dict[str, int] = field(default_factory=dict)
    windows: dict[str, float] = field(default_factory=dict)

    def holds(self, message: Message) -> bool:
        """Whether the stream still holds a message that it was seen to hold."""
        end = self.ends.get(message.stream or "")
        return end is None or not end.excludes(message.sequence or 0, message.index)


def account_for(ledger: Ledger, patterns: Sequence[str] | None = None) -> Accounting:
    """The account of all publishes on subjects that fit one of `patterns`; of all without them."""
    chosen = tuple(patterns) if patterns else None
    return ledger.derived(("loss", chosen), lambda: _account(ledger, chosen))


def _account(ledger: Ledger, patterns: tuple[str, ...] | None) -> Accounting:
    attempts = _attempts(ledger, patterns)
    held = _held(ledger)
    acked = [attempt for attempt in attempts if attempt.ack is not None]
    losses, claimed = _claims(ledger, acked, held)
    silent = [attempt for attempt in attempts if attempt.ack is None]
    free = [
        message
        for position, message in held.at.items()
        if position not in claimed and _concerns(patterns, message) and held.holds(message)
    ]
    found, left = _claim_unacknowledged(silent, free)
    contents = {_content(attempt.fact) for attempt in attempts}
    copies = {message.index: message for message in _copies(held, patterns)}
    copies |= {message.index: message for message in left if _stored_content(message) in contents}
    committed = sum(_committed(held, attempt) for attempt in acked)
    return Accounting(
        attempted=len(attempts),
        acked=tuple(acked),
        observed=len(acked) - len(losses),
        committed=committed,
        lost=_split(acked, {index: loss for index, loss in losses.items() if loss is not None}),
        duplicated=tuple(copies.values()),
        unexpected=tuple(message for message in left if message.index not in copies),
        unknown=tuple(attempt for attempt in silent if not attempt.fact.core),
        unknown_observed=sum(not attempt.fact.core for attempt in found),
        suppressed=sum(attempt.ack is not None and attempt.ack.duplicate for attempt in acked),
        core=sum(attempt.fact.core for attempt in silent),
        streams=tuple(sorted({attempt.ack.stream for attempt in acked if attempt.ack is not None})),
    )


def _attempts(ledger: Ledger, patterns: tuple[str, ...] | None) -> list[Attempt]:
    acks = {item.fact.attempt: item for item in ledger.of(PublishAcked)}
    fits: dict[str, bool] = {}
    found = []
    for item in ledger.of(PublishAttempted):
        if _fits(fits, patterns, item.fact.subject):
            ack = acks.get(item.index)
            found.append(Attempt(item.index, item.fact, ack.fact if ack else None, ack.index if ack else -1))
    return found


def _fits(known: dict[str, bool], patterns: tuple[str, ...] | None, subject: str) -> bool:
    """Whether `subject` fits one of `patterns`; what was found out is kept in `known`."""
    if patterns is None:
        return True
    if subject not in known:
        names = {subject, stored_as(subject)}
        known[subject] = any(subjects.matches(pattern, name) for pattern in patterns for name in names)
    return known[subject]


def _concerns(patterns: tuple[str, ...] | None, message: Message) -> bool:
    if message.subject.startswith(_INTERNAL):
        return False
    return patterns is None or any(subjects.matches(stored_as(pattern), message.subject) for pattern in patterns)


def stored_as(subject: str) -> str:
    """The subject under which the contract's streams store `subject` (`work.requirements.>` is routed). [F33]"""
    for stream in streams.STREAMS:
        if stream.transform is not None:
            head, goal = stream.transform.source.removesuffix(">"), stream.transform.destination.removesuffix(">")
            if subject.startswith(head):
                return goal + subject.removeprefix(head)
    return subject


def _content(fact: PublishAttempted) -> Hashable:
    return stored_as(fact.subject), fact.payload


def _stored_content(message: Message) -> Hashable:
    return message.subject, message.payload


def _held(ledger: Ledger) -> _Held:
    return ledger.derived("held", lambda: _collect_held(ledger))


def _collect_held(ledger: Ledger) -> _Held:
    held = _Held(ends=ends_of(ledger))
    for item in ledger.of(MessageStored):
        fact = item.fact
        # A sequence that is stored a second time was rolled back in between: the later message stands there now.
        held.at[fact.stream, fact.sequence] = Message(
            item.index, fact.time, fact.subject, fact.payload, fact.size, fact.headers, fact.stream, fact.sequence
        )
    queues = set()
    for seen in ledger.of(StreamSeen):
        window = seen.fact.config.get("duplicate_window")
        if isinstance(window, (int, float)) and window > 0:
            held.windows[seen.fact.stream] = window
        if seen.fact.config.get("retention") in ("workqueue", "interest"):
            queues.add(seen.fact.stream)
    for consumer in ledger.of(ConsumerSeen):
        if consumer.fact.stream in queues:
            floor = (consumer.fact.state.get("ack_floor") or {}).get("stream_seq", 0)
            held.floors[consumer.fact.stream] = max(held.floors.get(consumer.fact.stream, 0), floor)
    held.committed.update(_with_rows(ledger))
    return held


def _with_rows(ledger: Ledger) -> Iterator[Position]:
    """Messages of which a table that was read has a row."""
    for rows in {item.fact.probe: item.fact for item in ledger.of(RowsSeen)}.values():
        for row in rows_of(ledger, rows.payload) if rows.payload is not None else ():
            if isinstance(row.get("stream_seq"), int):
                yield row.get("stream") or comms_stream(ledger), row["stream_seq"]


def _committed(held: _Held, attempt: Attempt) -> bool:
    if attempt.ack is None:
        return False
    stream, sequence = attempt.ack.stream, attempt.ack.sequence
    return (stream, sequence) in held.committed or held.floors.get(stream, 0) >= sequence


def _claims(ledger: Ledger, acked: Sequence[Attempt], held: _Held) -> tuple[dict[int, Lost | None], set[Position]]:
    """Acknowledged attempts that streams do not hold (None: committed all the same), and the positions of the rest."""
    claimed: set[Position] = set()
    owned: set[Position] = set()  # by the attempt that stored it; its retries may be acknowledged before it
    missing: dict[int, Lost | None] = {}
    # The last acknowledgement of a sequence is the one that counts: an earlier one was rolled back.
    for attempt in sorted(acked, key=lambda attempt: -attempt.acked_at):
        ack = attempt.ack
        assert ack is not None
        position = (ack.stream, ack.sequence)
        why = _why_missing(attempt, held, taken=position in owned and not ack.duplicate)
        if why is None:
            claimed.add(position)
            if not ack.duplicate:
                owned.add(position)
        else:
            missing[attempt.index] = None if _committed(held, attempt) else Lost(attempt, why)
    return missing, claimed


def _why_missing(attempt: Attempt, held: _Held, *, taken: bool) -> str | None:
    ack = attempt.ack
    assert ack is not None
    message, end = held.at.get((ack.stream, ack.sequence)), held.ends.get(ack.stream)
    gone = end.why(ack.sequence, attempt.acked_at) if end is not None else None
    if gone is not None:
        why = gone
    elif message is None:
        why = "{} was never seen in the stream"
    elif taken or (message.payload != attempt.fact.payload and not ack.duplicate):
        why = "another message stands at {}"
    else:
        return None
    return why.format(f"{ack.stream} #{ack.sequence}")


def _claim_unacknowledged(silent: Sequence[Attempt], free: Sequence[Message]) -> tuple[list[Attempt], list[Message]]:
    """Attempts without acknowledgement that are there nevertheless, and the messages that nobody claims."""
    waiting: defaultdict[Hashable, list[Message]] = defaultdict(list)
    for message in free:
        waiting[_stored_content(message)].append(message)
    found = []
    for attempt in silent:
        candidates = waiting.get(_content(attempt.fact))
        if candidates:
            candidates.pop()
            found.append(attempt)
    return found, [message for messages in waiting.values() for message in messages]


def _copies(held: _Held, patterns: tuple[str, ...] | None) -> list[Message]:
    """Messages whose id the same stream has seen within its duplicate window."""
    last: dict[tuple[str, str], float] = {}
    found = []
    for (stream, _), message in sorted(held.at.items()):
        name = message.headers.get(MSG_ID_HEADER)
        if name is None or not _concerns(patterns, message):
            continue
        before = last.get((stream, name))
        if before is not None and message.at - before <= held.windows.get(stream, streams.DUPLICATE_WINDOW):
            found.append(message)
        last[stream, name] = message.at
    return found


def _split(acked: Iterable[Attempt], losses: dict[int, Lost]) -> tuple[Lost, ...]:
    """The losses with the part of their stream in which they fall."""
    kept: defaultdict[str, list[int]] = defaultdict(list)
    for attempt in acked:
        if attempt.ack is not None and attempt.index not in losses:
            kept[attempt.ack.stream].append(attempt.ack.sequence)
    told = []
    for loss in losses.values():
        ack = loss.attempt.ack
        assert ack is not None
        there = kept.get(ack.stream)
        part: Part = "middle"
        if not there or ack.sequence > max(there):
            part = "suffix"
        elif ack.sequence < min(there):
            part = "prefix"
        told.append(Lost(loss.attempt, loss.why, part))
    return tuple(sorted(told, key=lambda loss: loss.attempt.index))
