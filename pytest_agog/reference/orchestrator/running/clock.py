"""The orchestrator's clock: real time, and as much more as it was advanced. [O17]

Only the orchestrator's own timers follow it: turns, back-offs, the breaker's rest, stuck agents, the day of the budget.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time; every instance has the same offset, since it is kept in the state."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        """The orchestrator's time, UTC."""
        return datetime.now(UTC) + self.offset

    def advance_to(self, moment: datetime) -> None:
        """Let it be `moment` now; never backwards."""
        ahead = moment - self.now()
        if ahead > timedelta():
            self.offset += ahead

    def until(self, moment: datetime) -> float:
        """Seconds of real time until `moment`."""
        return max(0.0, (moment - self.now()).total_seconds())
