"""What the orchestrator brings to scenarios: its services, and the steps `submit` and `advance`."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field, model_validator

from pytest_agog.values import DataFile, Duration, Strict

LONGEST: Final = 31 * 86_400.0
"""Seconds that the virtual clock can be advanced by at once."""


Tables = dict[str, dict[str, Any]]
"""Tables of an `agog.toml`, by name."""


class OrchestratorService(Strict):
    """The target's orchestrator. The commands of its gate run in the scenario's folder, as agents do."""

    instances: int = Field(default=1, ge=1, le=4)
    """How many of them run side by side on one state."""
    token: bool = False
    """Its board and metrics demand a token, as those of comms do with the same setting."""
    config: Tables = Field(default_factory=dict)
    """Its settings, as the tables of an `agog.toml`: `{orchestrator: {mode: turns}, gate: {…}, budget: {…}}`."""


class ListenerService(Strict):
    """The target's host listener, which runs the agents, in the scenario's folder."""

    instances: int = Field(default=1, ge=0, le=4)
    """How many of them run side by side; 0: none beside the orchestrator, so nobody runs agents."""
    config: Tables = Field(default_factory=dict)
    """Its settings, as the tables of an `agog.toml`: `{listener: {ack_wait: 2s}}`. `agents:` become `[agents.NAME]`."""


class Submit(Strict):
    """Submit work to the orchestrator: one requirement, or what stands in a file."""

    requirement: dict[str, Any] | None = Field(default=None, min_length=1)
    """A requirement, as the contract has it; `id` and `title` are enough."""
    file: DataFile | None = None
    """A roadmap (Markdown), which the orchestrator then keeps, or JSON: a requirement, a list, or GitHub issues."""

    @model_validator(mode="after")
    def _one_kind(self) -> Submit:
        if (self.requirement is None) == (self.file is None):
            raise ValueError("give one of requirement and file")
        return self


class Advance(Strict):
    """Let time pass on the orchestrator's virtual clock: its turns and timers, in order. NATS's own times stay real.
    So do agents': those at work have two seconds between two moments of the clock, then they are overtaken."""

    by: Duration
    """How much."""

    @model_validator(mode="after")
    def _can_pass(self) -> Advance:
        if not 0 < self.by <= LONGEST:
            raise ValueError("the clock can be advanced by up to 31d, and not backwards")
        return self
