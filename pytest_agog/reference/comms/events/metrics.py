"""What a service counts, as Prometheus reads it (text format 0.0.4). [C11]"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pytest_agog.reference.comms.ingest.counters import IngestCounts

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class EventCounts:
    """What the events API counts."""

    readers: int = 0
    """Connected now."""
    streams: int = 0
    """Begun since the start."""
    errors: int = 0
    """Requests that ended in 503 or in the midst of a stream, through no fault of the client."""


_COUNTERS: Final = (
    ("received_total", "received", "Deliveries by the consumer, redeliveries included."),
    ("published_total", "published", "Messages delivered for the first time."),
    ("redelivered_total", "redelivered", "Deliveries of messages that had been delivered before."),
    ("ingested_total", "ingested", "New rows."),
    ("rejected_total", "rejected", "Messages that cannot be stored, kept apart."),
    ("duplicates_total", "duplicates", "Messages whose row was there already."),
    ("batches_total", "batches", "Batches that were committed."),
    ("errors_total", "errors", "Troubles with NATS or Postgres."),
    ("consumers_created_total", "consumers_created", "How often the consumer was absent and was made."),
    ("retired_total", "retired", "Rows deleted by retention."),
)
_GAUGES: Final = (
    ("largest_batch", "largest_batch", "Messages of the largest batch."),
    ("longest_insert_seconds", "longest_insert", "The longest time from begin to commit of a batch."),
    ("consumer_pending", "pending", "Messages that the consumer has not delivered, as last seen."),
    ("consumer_ack_pending", "ack_pending", "Messages delivered and not acknowledged, as last seen."),
)


def text(ingest: IngestCounts, events: EventCounts, *, ready: bool) -> str:
    """All series, each with its help and type."""
    lines: list[str] = []

    def say(name: str, kind: str, about: str, value: float) -> None:
        full = f"agog_comms_{name}"
        lines.extend((f"# HELP {full} {about}", f"# TYPE {full} {kind}", f"{full} {value:.17g}"))

    for name, field, about in _COUNTERS:
        say(name, "counter", about, getattr(ingest, field))
    for name, field, about in _GAUGES:
        say(name, "gauge", about, getattr(ingest, field))
    say("sse_connections", "gauge", "Readers of events that are connected.", events.readers)
    say("sse_streams_total", "counter", "Streams of events that were begun.", events.streams)
    say("sse_errors_total", "counter", "Readers that could not be served.", events.errors)
    say("ready", "gauge", "Whether all parts of the service work.", int(ready))
    return "\n".join(lines) + "\n"
