"""Unique ids for work that comes without one. [O1]

An id that comes from where the work came from is the same however often it is delivered, and on every replica: so a
redelivered message is the requirement that it was the first time. Numbers are only for what has no such place.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pytest_agog.wire.orchestration import requirement_id
from pytest_agog.wire.subjects import MAX_TOKEN_BYTES

_NUMBERED: Final = re.compile(r"REQ-(\d{1,9})")
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9]+")
_DIGITS: Final = 3


def of_message(stored_at: datetime, sequence: int) -> str:
    """The id of a request on a stream: `REQ-MSG-1767084329266-17`.

    The time makes it unique also when the stream was made anew and counts from 1 again.

    Args:
        stored_at: when JetStream stored the message; with its zone.
        sequence: its sequence on the stream.
    """
    return requirement_id(f"REQ-MSG-{round(stored_at.timestamp() * 1000)}-{sequence}")


def of_issue(number: int, repository: str | None = None) -> str:
    """The id of a GitHub issue: `REQ-GH-owner-name-17`, or `REQ-GH-17` when its repository is not known.

    Names that only differ in signs which an id cannot hold are told apart by a digest.
    """
    if not repository:
        return requirement_id(f"REQ-GH-{number}")
    plain = _FOREIGN.sub("-", repository)
    longest = MAX_TOKEN_BYTES - len(f"REQ-GH---{number}") - 8
    if plain != repository.replace("/", "-", 1) or len(plain) > longest or "-" in repository:
        digest = hashlib.sha256(repository.casefold().encode("utf-8", "replace")).hexdigest()[:8]
        plain = f"{plain[:longest].strip('-')}-{digest}"
    return requirement_id(f"REQ-GH-{plain.strip('-')}-{number}")


class Numbering:
    """Gives the next free number: REQ-001, REQ-002 … above the highest that is taken."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._last = max((int(found[1]) for name in self._taken if (found := _NUMBERED.fullmatch(name))), default=0)

    def take(self, identity: str) -> bool:
        """Note an id as taken; False when it was already."""
        if identity in self._taken:
            return False
        self._taken.add(identity)
        found = _NUMBERED.fullmatch(identity)
        self._last = max(self._last, int(found[1])) if found else self._last
        return True

    def next(self) -> str:
        """The next free id, taken from now on."""
        self._last += 1
        identity = f"REQ-{self._last:0{_DIGITS}d}"
        self._taken.add(identity)
        return identity


def new_id() -> str:
    """An id for what comes from nowhere in particular: `REQ-1767084329266-3f9c`."""
    return requirement_id(f"REQ-{time.time_ns() // 10**6}-{secrets.token_hex(2)}")
