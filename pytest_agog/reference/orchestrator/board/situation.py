"""What the board is made of: the records of a moment, and the few facts that stand in no record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytest_agog.reference.observing.health import Health
    from pytest_agog.reference.orchestrator.planning.config import BudgetConfig
    from pytest_agog.reference.orchestrator.planning.conservation import Conservation
    from pytest_agog.reference.orchestrator.state.record import Record

Mode = Literal["turns", "continuous"]
Rest = Literal["open", "half-open"]


@dataclass(frozen=True, slots=True)
class Situation:
    """One moment of an orchestrator."""

    records: Mapping[str, Record]
    """By id."""
    at: datetime
    """The orchestrator's time, UTC; a virtual clock may be ahead of the real one."""
    mode: Mode
    next_turn: datetime | None
    """None in continuous mode."""
    budget: BudgetConfig
    conservation: Conservation | None = None
    """Why there are fewer spawns; None outside of conservation mode. [O9]"""
    breakers: Mapping[str, Rest] = field(default_factory=dict)
    """Of the agents whose breaker is not closed. [O14]"""
    lags: Mapping[str, int] = field(default_factory=dict)
    """By consumer (`STREAM/name`): what is pending and what waits for an ack. [O15]"""
    alerts: tuple[str, ...] = ()
    """What a human should know and what is about no single requirement."""
    health: Health | None = None
    """How the parts of the system are; None where nobody looks at them. [X5]"""
