"""What a stream holds: a message, and the report or the revision that it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pytest_agog.wire import deliverables as wire
from pytest_agog.wire import subjects


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as a stream holds it."""

    subject: str
    stream: str
    sequence: int
    time: str
    """RFC 3339, as the server wrote it."""
    headers: dict[str, str]
    data: bytes

    @property
    def digest(self) -> str | None:
        """What the message says its content's digest is."""
        return self.headers.get(wire.DIGEST_HEADER)


@dataclass(frozen=True, slots=True)
class Report:
    """A deliverable, whole: wherever its content was stored, it is here."""

    subject: str
    stream: str
    sequence: int
    time: datetime
    """When the server stored it."""
    digest: str | None
    """As the message says, and `content` agrees; None when the message says nothing."""
    metadata: dict[str, Any]
    content: str

    @property
    def url(self) -> str:
        """The deliverable URL."""
        return subjects.to_url(self.subject)


@dataclass(frozen=True, slots=True)
class Revision:
    """One of the messages that a subject holds."""

    subject: str
    stream: str
    sequence: int
    time: datetime
    digest: str | None
    size: int
    """Bytes of the message's payload."""

    @property
    def url(self) -> str:
        """The deliverable URL."""
        return subjects.to_url(self.subject)
