"""What was spent today, and what is left of it. [O7]"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from pytest_agog.reference.orchestrator.planning.config import BudgetConfig

Kind = Literal["reported", "estimated"]
"""Whether an agent said so, or it was counted from what it wrote."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Tokens that one piece of work cost."""

    at: datetime
    agent: str
    tokens: int
    kind: Kind


@dataclass(frozen=True)
class Usage:
    """What one day has cost so far."""

    entries: tuple[Entry, ...] = ()

    @cached_property
    def total(self) -> int:
        """Tokens of all agents."""
        return sum(entry.tokens for entry in self.entries)

    @cached_property
    def by_agent(self) -> Mapping[str, int]:
        """Tokens by agent."""
        found: Counter[str] = Counter()
        for entry in self.entries:
            found[entry.agent] += entry.tokens
        return found

    def of(self, agent: str) -> int:
        """Tokens of one agent."""
        return self.by_agent.get(agent, 0)

    def spike(self, now: datetime, factor: float) -> tuple[int, float] | None:
        """This hour's tokens and the mean hour before it, if this hour is a cost spike.

        The mean is over the earlier hours of the day in which anything was spent: after an idle night the first busy
        hours would all be spikes otherwise. The first such hour has nothing to be compared with.
        """
        hours: Counter[int] = Counter()
        for entry in self.entries:
            moment = entry.at.astimezone(now.tzinfo)
            if moment.date() == now.date() and entry.tokens:
                hours[moment.hour] += entry.tokens
        before = [tokens for hour, tokens in hours.items() if hour < now.hour]
        if not before:
            return None
        mean = sum(before) / len(before)
        return (hours[now.hour], mean) if hours[now.hour] > factor * mean else None


@dataclass(slots=True)
class Ledger:
    """What is spent and what is promised to work that runs or is about to."""

    budget: BudgetConfig
    used: Usage
    _promised: Counter[str]
    _sum: int

    @classmethod
    def of(cls, budget: BudgetConfig, used: Usage) -> Ledger:
        """Nothing promised yet."""
        return cls(budget, used, Counter(), 0)

    def promise(self, agent: str, tokens: int) -> None:
        """Set tokens aside."""
        self._promised[agent] += tokens
        self._sum += tokens

    def refuses(self, agent: str, tokens: int) -> str | None:
        """Why an agent cannot be given work of so many tokens, or None when it can."""
        if tokens > self.budget.task_limit:
            return f"estimated at {tokens:,} tokens, above the limit of {self.budget.task_limit:,} a task; split it"
        share, gone = self.budget.share(agent), self.used.of(agent) + self._promised[agent]
        if gone + tokens > share:
            return f"{tokens:,} tokens more than {agent} has left today ({max(share - gone, 0):,} of {share:,})"
        day = self.used.total + self._sum
        if day + tokens > self.budget.daily:
            left = max(self.budget.daily - day, 0)
            return f"{tokens:,} tokens more than the day has left ({left:,} of {self.budget.daily:,})"
        return None

    def tight(self, agent: str, tokens: int) -> bool:
        """Whether an agent, or the day, would come near its limit with so many tokens more. [O8]"""
        at = self.budget.conserve_at
        gone = self.used.of(agent) + self._promised[agent] + tokens
        return gone > at * self.budget.share(agent) or self.used.total + self._sum + tokens > at * self.budget.daily
