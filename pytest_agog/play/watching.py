"""Publishes as the ledger accounts for them: attempted, then acknowledged or refused."""

from __future__ import annotations

from pytest_agog.ledger.facts import PublishAcked, PublishAttempted, PublishRefused
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.stage.target.ports import Outgoing


class LedgerWatcher:
    """Writes what one publisher attempts, and what comes of it, into the ledger."""

    def __init__(self, ledger: Ledger, by: str) -> None:
        self._ledger = ledger
        self._by = by

    def attempted(self, message: Outgoing) -> int:
        """Before the bytes leave."""
        return self._ledger.append(
            PublishAttempted(
                message.subject, self._ledger.payloads.put(message.payload), by=self._by, headers=dict(message.headers)
            )
        )

    def acked(self, attempt: int, stream: str, sequence: int, duplicate: bool) -> None:  # noqa: FBT001
        """A PubAck came."""
        self._ledger.append(PublishAcked(attempt, stream, sequence, duplicate))

    def refused(self, attempt: int, reason: str) -> None:
        """None came."""
        self._ledger.append(PublishRefused(attempt, reason))
