"""What the engine tells whoever keeps count of its publishes, and what it returns for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it is about to leave."""

    subject: str
    payload: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Published:
    """A report that JetStream holds.

    `duplicate` says that it held it already: `sequence` is then that of the message that is there.
    """

    subject: str
    url: str
    stream: str
    sequence: int
    duplicate: bool


class PublishWatcher(Protocol):
    """Is told before and after each publish. One attempt is one message id; a resend of it is the same attempt."""

    def attempted(self, message: Outgoing) -> int:
        """Before the bytes leave; returns a number that names the attempt."""
        ...

    def acked(self, attempt: int, stream: str, sequence: int, duplicate: bool) -> None:  # noqa: FBT001
        """A PubAck came, or the server refused a repeat and its last message was read back and is this one."""
        ...

    def refused(self, attempt: int, reason: str) -> None:
        """None came."""
        ...


class Unwatched:
    """A watcher for those who do not keep count."""

    def attempted(self, message: Outgoing) -> int:
        """Nobody keeps count."""
        return 0

    def acked(self, attempt: int, stream: str, sequence: int, duplicate: bool) -> None:  # noqa: FBT001
        """Nobody keeps count."""

    def refused(self, attempt: int, reason: str) -> None:
        """Nobody keeps count."""
