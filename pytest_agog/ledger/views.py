"""Queries by subject that stay answered: each pattern's messages are kept in order as the ledger grows."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_agog.ledger.payloads import Headers, PayloadId
from pytest_agog.wire import subjects

_FEW = 1000
"""Up to so many new messages are put in one by one; above that sorting anew is quicker."""


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
    published_on: str | None = None
    """The subject on which it was published, where its stream's subject transform made it another one."""


def by_time(message: Message) -> tuple[float, int]:
    """The order in which messages crossed the wire."""
    return message.at, message.index


def by_sequence(message: Message) -> tuple[str, int, int]:
    """The order in which streams hold messages."""
    return message.stream or "", message.sequence or 0, message.index


class View:
    """The messages of a growing list that fit one pattern, sorted."""

    __slots__ = ("_by_arrival", "_fits", "_found", "_order", "_pattern", "_taken")

    def __init__(self, pattern: str, order: Callable[[Message], Any]) -> None:
        self._pattern = pattern
        self._order = order
        self._by_arrival = order is by_time
        self._found: list[Message] = []
        self._taken = 0
        self._fits: dict[str, bool] = {}

    def begin(self, found: list[Message], taken: int) -> None:
        """Start from what an index found in the first `taken` messages."""
        found.sort(key=self._order)
        self._found, self._taken = found, taken

    def refresh(self, messages: Sequence[Message]) -> list[Message]:
        """The sorted messages, with what came to `messages` since the last call."""
        fresh = [messages[place] for place in range(self._taken, len(messages)) if self._takes(messages[place])]
        self._taken = len(messages)
        if len(fresh) > _FEW:
            self._found += fresh
            self._found.sort(key=self._order)
        else:
            for message in fresh:
                insort(self._found, message, key=self._order)
        return self._found

    def _takes(self, message: Message) -> bool:
        return self._fit(message.subject) or (
            self._by_arrival and message.published_on is not None and self._fit(message.published_on)
        )

    def _fit(self, subject: str) -> bool:
        known = self._fits.get(subject)
        if known is None:
            known = self._fits[subject] = subjects.matches(self._pattern, subject)
        return known
