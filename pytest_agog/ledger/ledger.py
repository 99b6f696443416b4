"""The ledger: append-only, indexed by kind of fact, by subject and by probe; payloads stored once by digest."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pytest_agog import tokens
from pytest_agog.ledger.facts import Fact, Headers, MessageSeen, MessageStored, PayloadId, StreamSeen
from pytest_agog.ledger.index import SubjectIndex
from pytest_agog.values import ABSENT
from pytest_agog.wire import subjects

F = TypeVar("F", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Observation(Generic[F]):
    """One entry: its place in the ledger, when it was written (seconds since the epoch), and what was seen."""

    index: int
    at: float
    fact: F


@dataclass(frozen=True, slots=True)
class Message:
    """A message as checks see it, once: stored ones with stream and sequence, core-only ones without."""

    index: int
    """Where the ledger holds it."""
    at: float
    """When it crossed the wire: arrival at the core subscription, else the server's time."""
    subject: str
    payload: PayloadId
    size: int
    headers: Headers
    stream: str | None = None
    sequence: int | None = None


class Payloads:
    """Bytes by SHA-256, each stored once; what is derived from them is computed once too."""

    def __init__(self) -> None:
        self._bytes: dict[PayloadId, bytes] = {}
        self._json: dict[PayloadId, Any] = {}
        self._tokens: dict[PayloadId, int] = {}

    def put(self, data: bytes) -> PayloadId:
        """Store `data` and return its id."""
        key = hashlib.sha256(data).hexdigest()
        self._bytes.setdefault(key, data)
        return key

    def __getitem__(self, key: PayloadId) -> bytes:
        return self._bytes[key]

    def __contains__(self, key: PayloadId) -> bool:
        return key in self._bytes

    def __iter__(self) -> Iterator[PayloadId]:
        return iter(self._bytes)

    def __len__(self) -> int:
        return len(self._bytes)

    def text(self, key: PayloadId) -> str:
        """The payload as text; bytes that are no UTF-8 become the replacement character."""
        return self._bytes[key].decode("utf-8", "replace")

    def json(self, key: PayloadId) -> Any:
        """The payload as JSON, or ``ABSENT`` when it is none."""
        if key not in self._json:
            try:
                self._json[key] = json.loads(self._bytes[key])
            except (ValueError, RecursionError):
                self._json[key] = ABSENT
        return self._json[key]

    def tokens(self, key: PayloadId, counter: Callable[[str], int]) -> int:
        """The payload's number of tokens."""
        if key not in self._tokens:
            self._tokens[key] = counter(self.text(key))
        return self._tokens[key]


class Ledger:
    """Everything that was done and seen in one play, in order."""

    def __init__(self, token_counter: Callable[[str], int] = tokens.count) -> None:
        self.payloads = Payloads()
        self._observations: list[Observation[Fact]] = []
        self._by_type: defaultdict[type, list[Observation[Fact]]] = defaultdict(list)
        self._by_probe: dict[str, Observation[Fact]] = {}
        self._stored: SubjectIndex[Message] = SubjectIndex()
        self._seen: SubjectIndex[Message] = SubjectIndex()
        self._stream_subjects: dict[str, tuple[str, ...]] = {}
        self._covered: dict[str, bool] = {}
        self._listeners: list[Callable[[], None]] = []
        self._token_counter = token_counter

    # --- writing ------------------------------------------------------------------------------------------------
    def append(self, fact: Fact, at: float | None = None) -> int:
        """Write `fact` and return its index. `at` is given only when a bundle is read back."""
        observation = Observation(len(self._observations), time.time() if at is None else at, fact)
        self._observations.append(observation)
        self._by_type[type(fact)].append(observation)
        if isinstance(fact, MessageStored):
            self._index_stored(observation.index, fact)
        elif isinstance(fact, MessageSeen):
            self._seen.add(
                fact.subject,
                Message(observation.index, observation.at, fact.subject, fact.payload, fact.size, fact.headers),
            )
        elif isinstance(fact, StreamSeen):
            self._learn_stream(fact)
        probe = getattr(fact, "probe", None)
        if probe is not None:
            self._by_probe[probe] = observation
        for listener in self._listeners:
            listener()
        return observation.index

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever the ledger grows; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _index_stored(self, index: int, fact: MessageStored) -> None:
        at = fact.time if fact.seen is None else self._observations[fact.seen].at
        self._stored.add(
            fact.subject,
            Message(index, at, fact.subject, fact.payload, fact.size, fact.headers, fact.stream, fact.sequence),
        )

    def _learn_stream(self, fact: StreamSeen) -> None:
        """Remember which subjects a stream ever took; a deleted stream still took its messages."""
        if fact.exists:
            known = self._stream_subjects.get(fact.stream, ())
            now = tuple(dict.fromkeys((*known, *(fact.config.get("subjects") or ()))))
            if now != known:
                self._stream_subjects[fact.stream] = now
                self._covered.clear()

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
        subject, so a publish that a stream refused or recognised as a duplicate is no message.
        """
        found = list(self._stored.find(pattern))
        found += (message for message in self._seen.find(pattern) if not self._is_covered(message.subject))
        found.sort(key=lambda message: (message.at, message.index))
        return found

    def stored(self, pattern: str) -> list[Message]:
        """Messages that streams hold, in stream order."""
        return sorted(self._stored.find(pattern), key=lambda message: (message.stream or "", message.sequence or 0))

    def subjects(self) -> Iterable[str]:
        """All subjects on which anything was seen."""
        return sorted({*self._stored.subjects(), *self._seen.subjects()})

    def stream_subjects(self) -> dict[str, tuple[str, ...]]:
        """The subjects of every stream that was ever seen."""
        return dict(self._stream_subjects)

    def tokens(self, payload: PayloadId) -> int:
        """The number of tokens in a payload."""
        return self.payloads.tokens(payload, self._token_counter)

    def count_tokens(self, text: str) -> int:
        """The number of tokens in `text`, by this ledger's counter."""
        return self._token_counter(text)

    def _is_covered(self, subject: str) -> bool:
        if subject not in self._covered:
            self._covered[subject] = any(
                subjects.matches(pattern, subject) for taken in self._stream_subjects.values() for pattern in taken
            )
        return self._covered[subject]
