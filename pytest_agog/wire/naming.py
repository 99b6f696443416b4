"""The names under which a foreign agent comms keeps what the contract calls by names of its own.

Scenarios and checks speak the contract's language whatever system they judge: `agent-comms` is the stream, its consumer
is `jangar-agent-comms`, its table `workflow_comms.agent_messages` with the contract's columns. `WireNames` says how a
target calls these things. The harness translates where it looks something up and where it publishes, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pytest_agog.wire.comms import ARGO
from pytest_agog.wire.tables import AGENT_MESSAGES

STREAM: Final = "agent-comms"
CONSUMER: Final = "jangar-agent-comms"
EVENTS: Final = "/api/agents/events"


@dataclass(frozen=True)
class WireNames:
    """How a target calls the parts of agent comms; each default is the contract's own name."""

    prefix: str = ARGO
    """What its subjects begin with."""
    stream: str = STREAM
    consumer: str = CONSUMER
    table: str = AGENT_MESSAGES.qualified
    """With its schema."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The contract's column names and the target's, where they differ."""
    events: str = EVENTS
    """Path of the events API."""

    @property
    def events_path(self) -> str:
        """Path of the events API."""
        return self.events

    def stream_of(self, name: str) -> str:
        """What the target calls the stream that the contract calls `name`."""
        return self.stream if name == STREAM else name

    def consumer_of(self, stream: str, name: str) -> str:
        """What the target calls the consumer `name` of the stream that the contract calls `stream`."""
        return self.consumer if (stream, name) == (STREAM, CONSUMER) else name

    def table_of(self, name: str) -> str:
        """What the target calls the table that the contract calls `name`."""
        return self.table if name == AGENT_MESSAGES.qualified else name

    def told_columns(self, table: str) -> dict[str, str]:
        """The target's column names of the table that the contract calls `table`, and the contract's."""
        return {own: told for told, own in self.columns.items()} if table == AGENT_MESSAGES.qualified else {}

    def subject(self, subject: str) -> str:
        """Where a message for the contract's `subject` goes: `argo.workflow.…` under the target's prefix.

        The contract lets a system listen under either of two prefixes; one that listens under another than
        `argo.workflow` would otherwise hear nothing of a scenario that was written for the contract.
        """
        rest = subject.removeprefix(f"{ARGO}.")
        return subject if rest == subject else f"{self.prefix}.{rest}"


CONTRACT: Final = WireNames()
"""The contract's own names."""
