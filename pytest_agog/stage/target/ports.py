"""What a play may ask of a target, whatever stands behind it. The reference system fits these; so can a foreign one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Published:
    """A publish that JetStream acknowledged."""

    subject: str
    url: str
    stream: str
    sequence: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it is about to leave: what the ledger calls an attempt."""

    subject: str
    payload: bytes
    headers: dict[str, str]


class PublishWatcher(Protocol):
    """Is told before and after each publish, so that the ledger knows what was attempted and what was acknowledged."""

    def attempted(self, message: Outgoing) -> int:
        """Before the bytes leave; returns a number that names the attempt."""
        ...

    def acked(self, attempt: int, stream: str, sequence: int, duplicate: bool) -> None:  # noqa: FBT001
        """A PubAck came."""
        ...

    def refused(self, attempt: int, reason: str) -> None:
        """None came."""
        ...


class Deliverables(Protocol):
    """The deliverable engine of a target."""

    async def publish(
        self, agent: str, task_type: str, feature: str, content: str, metadata: dict[str, Any] | None = None
    ) -> Published:
        """[D1] Publish a report; returns when it is acknowledged."""
        ...

    async def require(self, url: str) -> str:
        """[D2] The latest report at `url`; a clear error when there is none."""
        ...

    async def section(self, url: str, heading: str) -> str:
        """[D12] One section of it."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
