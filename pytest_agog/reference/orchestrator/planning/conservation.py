"""When the system saves tokens. [O9]"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pytest_agog.reference.orchestrator.planning.budget import Usage
from pytest_agog.reference.orchestrator.planning.config import BudgetConfig

Trigger = Literal["budget", "agent", "spike", "night"]
"""80 % of the day's budget, an agent over its share, a cost spike, 22:00 to 06:00."""


@dataclass(frozen=True, slots=True)
class Conservation:
    """The mode, as long as anything triggers it.

    While it lasts there are no further instances and fewer requirements side by side, low priority waits to be done
    together afterwards, simple tasks get a cheaper model, documentation waits, and a human is told.
    """

    reasons: tuple[str, ...]
    """One sentence for each trigger."""
    triggers: tuple[Trigger, ...] = ()
    """The same, as words."""


def conservation(used: Usage, budget: BudgetConfig, now: datetime) -> Conservation | None:
    """The mode with its reasons, or None.

    Args:
        used: of the day of `now`.
        budget: limits.
        now: the orchestrator's time; its own clock's hours count.
    """
    found: list[tuple[Trigger, str]] = []
    if used.total >= budget.conserve_at * budget.daily:
        share = used.total / budget.daily
        found.append(
            ("budget", f"{share:.0%} of the day's budget is spent ({used.total:,} of {budget.daily:,} tokens)")
        )
    for agent in sorted(used.by_agent):
        if agent in budget.shares and used.of(agent) > budget.shares[agent]:
            why = f"{agent} is over its share ({used.of(agent):,} of {budget.shares[agent]:,} tokens)"
            found.append(("agent", why))
    spike = used.spike(now, budget.spike)
    if spike is not None:
        times = spike[0] / spike[1]
        found.append(("spike", f"this hour costs {times:.1f} times the mean of the day so far ({spike[0]:,} tokens)"))
    if _within(now.hour, *budget.night):
        found.append(("night", f"{now:%H:%M} is between {budget.night[0]:02}:00 and {budget.night[1]:02}:00"))
    return Conservation(tuple(why for _, why in found), tuple(one for one, _ in found)) if found else None


def _within(hour: int, begin: int, end: int) -> bool:
    return begin <= hour < end if begin <= end else hour >= begin or hour < end
