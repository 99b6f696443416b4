"""The tables of agent comms as data: what a migration creates and what the checks `table` and `rows` compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEMA: Final = "workflow_comms"
NOTIFY_CHANNEL: Final = "workflow_comms_agent_messages"
"""LISTEN/NOTIFY channel; carries only a sequence, once a batch. [C7]"""


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    type: str
    """As Postgres' `format_type` writes it."""
    nullable: bool = True
    default: str | None = None
    """Meaning of the default, for readers; None when there is none."""
    about: str = ""


@dataclass(frozen=True)
class Table:
    """One table with its indexes; unique ones include the primary key."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    unique: tuple[tuple[str, ...], ...]
    indexes: tuple[tuple[str, ...], ...] = ()

    @property
    def qualified(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"

    def types(self) -> dict[str, str]:
        """Column names and their types, as the check `table` takes them."""
        return {column.name: column.type for column in self.columns}


AGENT_MESSAGES: Final = Table(
    SCHEMA,
    "agent_messages",
    (
        Column("id", "uuid", nullable=False, default="generated", about="Primary key."),
        Column("seq", "bigint", nullable=False, default="identity", about="The cursor: order of commit."),
        Column("workflow_uid", "text", about="With the namespace, what joins systems."),
        Column("workflow_name", "text", about="Whole, with its dots."),
        Column("workflow_namespace", "text"),
        Column("run_id", "text"),
        Column("step_id", "text"),
        Column("agent_id", "text"),
        Column("channel", "text", about="`general` for the global channel."),
        Column("stage", "text"),
        Column("role", "text", about="system, user, assistant or tool."),
        Column("kind", "text", about="One of the contract's, or an unknown one."),
        Column("content", "text", nullable=False, about="Never trimmed; empty when there is none."),
        Column("timestamp", "timestamp with time zone", nullable=False, about="When the publisher says it happened."),
        Column("attrs", "jsonb", nullable=False, default="{}", about="Fields without a column, in snake_case."),
        Column("dedupe_key", "text", nullable=False, about="One message, one row, however often it comes."),
        Column("stream_seq", "bigint", about="Sequence on `agent-comms`; null for backfilled rows."),
        Column("created_at", "timestamp with time zone", nullable=False, default="now", about="When it was stored."),
    ),
    unique=(("id",), ("seq",), ("dedupe_key",)),
    indexes=(
        ("run_id", "seq"),
        ("workflow_namespace", "workflow_uid", "seq"),
        ("channel", "seq"),
        ("agent_id", "seq"),
        ("created_at",),
    ),
)

REJECTED_MESSAGES: Final = Table(
    SCHEMA,
    "rejected_messages",
    (
        Column("id", "bigint", nullable=False, default="identity", about="Primary key."),
        Column("stream", "text", nullable=False, about="Name of the stream."),
        Column("stream_created", "timestamp with time zone", nullable=False, about="A stream made anew counts anew."),
        Column("stream_seq", "bigint", nullable=False),
        Column("subject", "text", nullable=False),
        Column("raw", "bytea", nullable=False, about="The payload's bytes, exactly."),
        Column("reason", "text", nullable=False, about="Why it cannot be stored."),
        Column("received_at", "timestamp with time zone", nullable=False, default="now"),
    ),
    unique=(("id",), ("stream", "stream_created", "stream_seq")),
    indexes=(("received_at",),),
)

TABLES: Final = (AGENT_MESSAGES, REJECTED_MESSAGES)


def by_name(name: str) -> Table | None:
    """The table `schema.name`, or None."""
    return next((table for table in TABLES if table.qualified == name), None)
