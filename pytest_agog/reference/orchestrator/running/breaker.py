"""Circuit breaker of an agent: it rests when most of its last attempts failed. Pure. [O14] [F32]"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import TypeAdapter

from pytest_agog.reference.orchestrator.engine.config import BreakerConfig
from pytest_agog.wire.times import UtcTime

Position = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Breaker:
    """The last outcomes of an agent's attempts, and since when it is open."""

    outcomes: tuple[tuple[str, bool], ...] = ()
    """Attempt and whether it ended well, oldest first."""
    opened_at: UtcTime | None = None

    def position(self, now: datetime, config: BreakerConfig) -> Position:
        """`half-open` lets one attempt through, whose outcome decides."""
        if self.opened_at is None:
            return "closed"
        return "half-open" if now >= self.opened_at + timedelta(seconds=config.rest) else "open"

    def told(self, attempt: str, *, well: bool, now: datetime, config: BreakerConfig) -> Breaker:
        """The breaker after one more outcome; the same attempt counts once."""
        if any(known == attempt for known, _ in self.outcomes):
            return self
        position = self.position(now, config)
        outcomes = (*self.outcomes, (attempt, well))[-config.window :]
        if position == "half-open":
            return Breaker(((attempt, well),)) if well else Breaker(outcomes, now)
        failures = sum(not good for _, good in outcomes)
        if position == "closed" and failures > config.above * config.window:
            return Breaker(outcomes, now)
        return replace(self, outcomes=outcomes)


_ADAPTER: Final[TypeAdapter[Breaker]] = TypeAdapter(Breaker)


def dump(breaker: Breaker) -> bytes:
    """As it is stored."""
    return _ADAPTER.dump_json(breaker)


def load(data: bytes) -> Breaker:
    """A breaker as it was stored; a new one when that cannot be read."""
    try:
        return _ADAPTER.validate_json(data)
    except ValueError:
        return Breaker()
