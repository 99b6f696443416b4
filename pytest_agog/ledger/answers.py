"""What probes are answered: facts whose `probe` is the key of the question.

Payloads are not in them; `payload` fields hold the SHA-256 of a stored one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_agog.ledger.payloads import Headers, PayloadId


@dataclass(frozen=True, slots=True)
class StreamSeen:
    """A stream's configuration and state as the server reports them: JetStream API names, durations in seconds.

    `config` always holds `subjects`, `max_age`, `duplicate_window`, `storage`, `retention`, `num_replicas`,
    `max_msgs`, `max_bytes`, `max_msg_size`, `discard`, `no_ack`, `persist_mode`, `allow_direct` and
    `subject_transform` (None or `{"src", "dest"}`); `state` always `messages`, `bytes`, `first_seq`, `last_seq`.
    """

    probe: str
    stream: str
    exists: bool
    config: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    """Why it could not be looked up; empty when it could."""
    kind: Literal["stream.seen"] = "stream.seen"


@dataclass(frozen=True, slots=True)
class ConsumerSeen:
    probe: str
    stream: str
    consumer: str
    exists: bool
    config: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    """`num_pending`, `num_ack_pending`, `num_redelivered`, `ack_floor`, `delivered`."""
    reason: str = ""
    """Why it could not be looked up; empty when it could."""
    kind: Literal["consumer.seen"] = "consumer.seen"


@dataclass(frozen=True, slots=True)
class TableSeen:
    probe: str
    table: str
    exists: bool
    columns: dict[str, str] = field(default_factory=dict)
    """Name to type, as `format_type` writes it."""
    indexes: tuple[tuple[str, ...], ...] = ()
    """Columns of each index, unique constraints and primary key included."""
    reason: str = ""
    """Why it could not be looked up; empty when it could."""
    kind: Literal["table.seen"] = "table.seen"


@dataclass(frozen=True, slots=True)
class RowsSeen:
    """Rows of a table as JSON objects, in a payload with one row a line; times as RFC 3339."""

    probe: str
    table: str
    payload: PayloadId | None
    """None when the table cannot be read."""
    count: int = 0
    reason: str = ""
    kind: Literal["rows.seen"] = "rows.seen"


@dataclass(frozen=True, slots=True)
class FileSeen:
    probe: str
    path: str
    exists: bool
    payload: PayloadId | None = None
    """None when it does not exist or cannot be read."""
    reason: str = ""
    """Why it could not be looked up; empty when it could."""
    kind: Literal["file.seen"] = "file.seen"


@dataclass(frozen=True, slots=True)
class HttpSeen:
    probe: str
    method: str
    url: str
    status: int | None
    """None when there was no answer."""
    headers: Headers = field(default_factory=dict)
    payload: PayloadId | None = None
    reason: str = ""
    kind: Literal["http.seen"] = "http.seen"


@dataclass(frozen=True, slots=True)
class PageSeen:
    """A page as a real browser shows it."""

    probe: str
    target: str
    """The reader's name, or the path."""
    url: str
    """Masked."""
    status: int | None
    """None when it could not be opened."""
    payload: PayloadId | None = None
    """The text that people see."""
    screenshot: PayloadId | None = None
    """A PNG of the whole page."""
    scripts: tuple[str, ...] = ()
    """What ran, or could run, that came from content: dialogs, inline scripts, handlers, foreign requests."""
    reason: str = ""
    """Why it could not be looked at; empty when it could."""
    browser: bool = True
    """Whether this machine has a browser."""
    kind: Literal["page.seen"] = "page.seen"


AuthOutcome = Literal["allowed", "denied", "unanswered", "unreachable"]
"""What came of an attempt; the last two say nothing about what is allowed."""


@dataclass(frozen=True, slots=True)
class AuthTry:
    """One thing that a user tried."""

    what: str
    """In words: what was sent."""
    outcome: AuthOutcome
    said: str
    """The server's words, or why there are none."""
    needed: bool = True
    """Whether the operation is allowed only if this is; other ways to the same end are open doors where it is not."""


@dataclass(frozen=True, slots=True)
class AuthSeen:
    """What the server lets a user do, seen on the wire."""

    probe: str
    user: str
    operation: str
    on: str
    tries: tuple[AuthTry, ...]
    encryption: str = ""
    """The version of TLS, verified; empty in plain."""
    asked: bool = True
    """Whether the server asks who connects. Where it does not, every user is anybody."""
    reason: str = ""
    """Why nothing could be tried; empty when something was."""
    kind: Literal["auth.seen"] = "auth.seen"


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one moment."""

    name: str
    labels: dict[str, str]
    value: str
    """As a number is written; also `nan`, `inf` and `-inf`."""


@dataclass(frozen=True, slots=True)
class MetricsSeen:
    """The series of a name that an address tells of."""

    probe: str
    url: str
    """Masked; of several that were asked, the one that had the series, else the last."""
    name: str
    series: tuple[Sample, ...] = ()
    close: tuple[str, ...] = ()
    """Names that are like it, when there is none."""
    reason: str = ""
    """Why nothing could be read; empty when it could."""
    kind: Literal["metrics.seen"] = "metrics.seen"
