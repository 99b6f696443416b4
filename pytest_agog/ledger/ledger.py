"""The ledger: append-only, indexed by kind of fact, by subject and by probe; payloads stored once by digest."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast, get_args

from pytest_agog import tokens
from pytest_agog.ledger.answers import StreamSeen
from pytest_agog.ledger.facts import Fact, MessageSeen, MessageStored, ProbeResult
from pytest_agog.ledger.index import SubjectIndex
from pytest_agog.ledger.payloads import PayloadId, Payloads
from pytest_agog.ledger.views import Message, View, by_sequence, by_time
from pytest_agog.wire import subjects

__all__ = ["Ledger", "Message", "Observation", "Payloads"]

F = TypeVar("F", covariant=True)
T = TypeVar("T")
_ANSWERS = frozenset(get_args(ProbeResult))


@dataclass(frozen=True, slots=True)
class Observation(Generic[F]):
    """One entry: its place in the ledger, when it was written (seconds since the epoch), and what was seen."""

    index: int
    at: float
    fact: F


class Ledger:
    """Everything that was done and seen in one play, in order."""

    def __init__(self, token_counter: Callable[[str], int] = tokens.count) -> None:
        self.payloads = Payloads()
        self._observations: list[Observation[Fact]] = []
        self._by_type: defaultdict[type, list[Observation[Fact]]] = defaultdict(list)
        self._by_probe: dict[str, Observation[Fact]] = {}
        self._stored: SubjectIndex[Message] = SubjectIndex()
        self._published: SubjectIndex[Message] = SubjectIndex()
        """What a stream stores under another subject than it was published on, by that."""
        self._stored_log: list[Message] = []
        self._by_stream: defaultdict[str, list[Message]] = defaultdict(list)
        self._core: SubjectIndex[Message] = SubjectIndex()
        self._log: list[Message] = []
        """Stored messages and core messages that no stream takes, in the order of the ledger."""
        self._views: dict[str, View] = {}
        self._stored_views: dict[str, View] = {}
        self._stream_subjects: dict[str, tuple[str, ...]] = {}
        self._covered: dict[str, bool] = {}
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._derived: dict[Hashable, object] = {}
        self._derived_at = 0
        self._token_counter = token_counter

    # --- writing ------------------------------------------------------------------------------------------------
    def append(self, fact: Fact, at: float | None = None) -> int:
        """Write `fact` and return its index. `at` is given only when a bundle is read back."""
        index = len(self._observations)
        observation = Observation(index, time.time() if at is None else at, fact)
        kind = type(fact)
        self._observations.append(observation)
        self._by_type[kind].append(observation)
        if isinstance(fact, MessageStored):
            self._index_stored(index, fact)
        elif isinstance(fact, MessageSeen):
            self._index_seen(index, observation.at, fact)
        elif kind in _ANSWERS:
            if isinstance(fact, StreamSeen):
                self._learn_stream(fact)
            self._by_probe[cast("ProbeResult", fact).probe] = observation
        for listener in self._listeners:
            listener()
        return index

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever the ledger grows; returns what ends that."""
        self._listeners = (*self._listeners, listener)

        def end() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

        return end

    def _index_stored(self, index: int, fact: MessageStored) -> None:
        arrival = None if fact.seen is None else self._observations[fact.seen]
        at, published_on = fact.time, None
        if arrival is not None:
            at = arrival.at
            if isinstance(arrival.fact, MessageSeen) and arrival.fact.subject != fact.subject:
                published_on = arrival.fact.subject
        message = Message(
            index, at, fact.subject, fact.payload, fact.size, fact.headers, fact.stream, fact.sequence, published_on
        )
        self._stored.add(fact.subject, message)
        if published_on is not None:
            self._published.add(published_on, message)
        self._stored_log.append(message)
        self._by_stream[fact.stream].append(message)
        self._log.append(message)

    def _index_seen(self, index: int, at: float, fact: MessageSeen) -> None:
        if not self._is_covered(fact.subject):
            message = Message(index, at, fact.subject, fact.payload, fact.size, fact.headers)
            self._core.add(fact.subject, message)
            self._log.append(message)

    def _learn_stream(self, fact: StreamSeen) -> None:
        """Remember which subjects a stream ever took; a deleted stream still took its messages."""
        if not fact.exists:
            return
        known = self._stream_subjects.get(fact.stream, ())
        taken = fact.config.get("subjects") or ()
        now = tuple(dict.fromkeys((*known, *taken)))
        if now == known:
            return
        self._stream_subjects[fact.stream] = now
        self._covered.clear()
        # Core messages that were filed before their stream was known are its messages, not ones of their own.
        core = [message for message in self._log if message.stream is None]
        if any(self._is_covered(message.subject) for message in core):
            self._core = SubjectIndex()
            for message in core:
                if not self._is_covered(message.subject):
                    self._core.add(message.subject, message)
            self._log = [m for m in self._log if m.stream is not None or not self._is_covered(m.subject)]
            self._views.clear()

    # --- reading ------------------------------------------------------------------------------------------------
    def __len__(self) -> int:
        return len(self._observations)

    def __iter__(self) -> Iterator[Observation[Fact]]:
        return iter(self._observations)

    def __getitem__(self, index: int) -> Observation[Fact]:
        return self._observations[index]

    def of(self, kind: type[T]) -> Sequence[Observation[T]]:
        """All observations of one kind of fact, in order."""
        return cast("Sequence[Observation[T]]", self._by_type.get(kind, []))

    def answer(self, probe_key: str, kind: type[T]) -> T | None:
        """What the probe with this key returned last, or None when it was never asked."""
        observation = self._by_probe.get(probe_key)
        return observation.fact if observation is not None and isinstance(observation.fact, kind) else None

    def messages(self, pattern: str) -> list[Message]:
        """Messages whose subject fits `pattern` (NATS wildcards), in the order in which they crossed the wire.

        A message that a stream holds counts once, as stored; a core message counts only when no stream takes its
        subject, so a publish that a stream refused or recognised as a duplicate is no message. Where a stream has a
        subject transform, a message is found by the subject on which it was published and by that which it got.
        """
        view = self._views.get(pattern)
        if view is None:
            view = self._views[pattern] = View(pattern, by_time)
            stored = {message.index: message for message in self._stored.find(pattern)}
            stored |= {message.index: message for message in self._published.find(pattern)}
            view.begin([*stored.values(), *self._core.find(pattern)], len(self._log))
        return view.refresh(self._log).copy()

    def stored(self, pattern: str) -> list[Message]:
        """Messages that streams hold, in stream order."""
        view = self._stored_views.get(pattern)
        if view is None:
            view = self._stored_views[pattern] = View(pattern, by_sequence)
            view.begin(list(self._stored.find(pattern)), len(self._stored_log))
        return view.refresh(self._stored_log).copy()

    def last_stored(self, subject: str) -> Message | None:
        """The message on exactly `subject` that was stored last."""
        return self._stored.last(subject)

    def in_stream(self, stream: str) -> list[Message]:
        """All messages that were ever stored in `stream`, in its order."""
        return sorted(self._by_stream.get(stream, ()), key=by_sequence)

    def subjects(self) -> Iterable[str]:
        """All subjects on which anything was seen."""
        seen = {observation.fact.subject for observation in self.of(MessageSeen)}
        return sorted(seen | {observation.fact.subject for observation in self.of(MessageStored)})

    def stream_subjects(self) -> dict[str, tuple[str, ...]]:
        """The subjects of every stream that was ever seen."""
        return dict(self._stream_subjects)

    def tokens(self, payload: PayloadId) -> int:
        """The number of tokens in a payload."""
        return self.payloads.tokens(payload, self._token_counter)

    def count_tokens(self, text: str) -> int:
        """The number of tokens in `text`, by this ledger's counter."""
        return self._token_counter(text)

    def derived(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What `compute` makes of the ledger as it stands, made once for all checks that ask under `key`.

        Forgotten as soon as the ledger grows. `compute` must depend on nothing but the ledger and `key`.
        """
        if self._derived_at != len(self._observations):
            self._derived.clear()
            self._derived_at = len(self._observations)
        if key not in self._derived:
            self._derived[key] = compute()
        return cast("T", self._derived[key])

    def forget_derived(self) -> None:
        """Make everything that `derived` remembers anew when it is asked for again."""
        self._derived.clear()

    def _is_covered(self, subject: str) -> bool:
        covered = self._covered.get(subject)
        if covered is None:
            covered = self._covered[subject] = any(
                subjects.matches(pattern, subject) for taken in self._stream_subjects.values() for pattern in taken
            )
        return covered
