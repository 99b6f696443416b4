"""What ingest counts: for `/metrics`, for `/readyz` and for benchmarks. [C11]"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from pytest_agog.masking import mask
from pytest_agog.reference.observing.distribution import Distribution

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MESSAGES = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """One look at the counters. All count from the start of this process; none goes down but the last three."""

    received: int = 0
    """Deliveries, redeliveries included."""
    published: int = 0
    """Messages that were delivered for the first time."""
    redelivered: int = 0
    ingested: int = 0
    """New rows."""
    rejected: int = 0
    """Messages that went to `rejected_messages`."""
    duplicates: int = 0
    """Messages whose row was there already."""
    batches: int = 0
    batch_messages: int = 0
    """Sum of the batches' sizes."""
    largest_batch: int = 0
    insert_seconds: float = 0.0
    """Sum of the time between the begin of a batch's transaction and its commit."""
    longest_insert: float = 0.0
    """Seconds."""
    errors: int = 0
    """Troubles with NATS or Postgres; one that lasts counts once per attempt."""
    consumers_created: int = 0
    """How often the consumer was absent and was made."""
    retired: int = 0
    """Rows that the retention job deleted."""
    last_error: str = ""
    """Masked, one line; empty when there was none yet."""
    last_error_at: datetime | None = None
    pending: int = 0
    """Messages on the stream that the consumer has not delivered, as last seen."""
    ack_pending: int = 0
    """Messages delivered and not acked, as last seen."""
    last_stored_at: datetime | None = None


class Counters:
    """The counters of one process; only its event loop changes them."""

    def __init__(self) -> None:
        self._now = IngestCounts()
        # Counted ten thousand times a second, and so apart.
        self._received = self._redelivered = 0
        self._pending: int | None = None
        self.insert_seconds = Distribution(_SECONDS)
        self.batch_sizes = Distribution(_MESSAGES)

    def snapshot(self) -> IngestCounts:
        """The counts at this moment."""
        return replace(
            self._now,
            received=self._received,
            redelivered=self._redelivered,
            published=self._received - self._redelivered,
            pending=self._now.pending if self._pending is None else self._pending,
        )

    def add(self, **amounts: float) -> None:
        """Add to counters, by name."""
        self._now = replace(self._now, **{name: getattr(self._now, name) + amounts[name] for name in amounts})

    def set(self, **values: Any) -> None:
        """Set gauges, by name."""
        self._pending = values.get("pending", self._pending)
        self._now = replace(self._now, **values)

    def arrived(self, *, again: bool, pending: int) -> None:
        """A message was delivered."""
        self._received += 1
        self._redelivered += again
        self._pending = pending

    def stored(self, *, messages: int, inserted: int, duplicates: int, rejected: int, seconds: float) -> None:
        """A batch was committed."""
        now = self._now
        self.insert_seconds.add(seconds)
        self.batch_sizes.add(messages)
        self._now = replace(
            now,
            ingested=now.ingested + inserted,
            duplicates=now.duplicates + duplicates,
            rejected=now.rejected + rejected,
            batches=now.batches + 1,
            batch_messages=now.batch_messages + messages,
            largest_batch=max(now.largest_batch, messages),
            insert_seconds=now.insert_seconds + seconds,
            longest_insert=max(now.longest_insert, seconds),
            last_stored_at=datetime.now(UTC),
        )

    def error(self, text: str) -> None:
        """Something went wrong."""
        self._now = replace(
            self._now,
            errors=self._now.errors + 1,
            last_error=" ".join(mask(text).split())[:500],
            last_error_at=datetime.now(UTC),
        )


NAMES = tuple(field.name for field in fields(IngestCounts))
"""The names of all counts."""
