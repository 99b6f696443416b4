"""What may start right now beside what runs. [O6] [O7] [O8] [O9]"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pytest_agog.reference.orchestrator.planning.budget import Ledger, Usage
from pytest_agog.reference.orchestrator.planning.config import BudgetConfig
from pytest_agog.reference.orchestrator.planning.conflicts import Beside, Touch, told
from pytest_agog.reference.orchestrator.planning.conservation import Conservation
from pytest_agog.reference.orchestrator.planning.plan import Planned, natural
from pytest_agog.reference.orchestrator.planning.priority import ORDER
from pytest_agog.reference.orchestrator.planning.spawning import refuses_instance

_URGENT: Final = ("CRITICAL", "HIGH")


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is to work with."""

    budget: BudgetConfig
    used: Usage
    """Of today."""
    conservation: Conservation | None = None
    queue_depths: Mapping[str, int] = field(default_factory=dict)
    """By agent, requirements that are ready and wait for it."""
    max_instances: int = 3
    """Of one agent."""


@dataclass(frozen=True, slots=True)
class Start:
    """A requirement that starts."""

    id: str
    model: str | None = None
    """A cheaper model than the agent's usual one, for simple work in conservation mode."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What starts, and why the rest does not."""

    start: tuple[Start, ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    """Id and reason."""


def select(candidates: Sequence[Planned], running: Sequence[Planned], capacity: Capacity) -> Selection:
    """Choose by priority, then by id.

    What starts conflicts with nothing that runs or starts with it, needs none of them, and is paid for: estimates of
    what runs and what starts, and what is used, stay within the agent's share and the day's budget.

    Args:
        candidates: what is ready.
        running: what is worked at.
        capacity: budget, mode and queues.
    """
    choice = _Choice(candidates, running, capacity)
    start: list[Start] = []
    held: list[tuple[str, str]] = []
    for item in sorted(candidates, key=lambda one: (ORDER[one.priority], natural(one.id))):
        why = choice.refuses(item)
        if why is None:
            choice.take(item)
            start.append(Start(item.id, choice.model(item)))
        else:
            held.append((item.id, why))
    return Selection(tuple(start), tuple(held))


class _Choice:
    """What was chosen so far."""

    def __init__(self, candidates: Sequence[Planned], running: Sequence[Planned], capacity: Capacity) -> None:
        self._capacity = capacity
        self._beside: Beside[str] = Beside()
        self._touches: dict[str, Touch] = {}
        self._busy: Counter[str] = Counter()
        self._further: Counter[str] = Counter()
        self._ledger = Ledger.of(capacity.budget, capacity.used)
        self._open = {item.id for item in (*candidates, *running)}
        self._count = 0
        for item in running:
            self._put(item)

    def refuses(self, item: Planned) -> str | None:
        """Why an item cannot start now."""
        agent = item.agent
        if agent is None:
            return "nobody can be found to do it; a human decides"
        unfinished = [need for need in item.depends_on if need in self._open]
        if unfinished:
            return f"needs {', '.join(unfinished)}, not complete yet"
        return (
            self._saves(item)
            or self._conflict(item)
            or self._busy_agent(agent, item.estimated_tokens)
            or self._ledger.refuses(agent, item.estimated_tokens)
        )

    def take(self, item: Planned) -> None:
        """Choose an item."""
        if item.agent is not None and self._busy[item.agent]:
            self._further[item.agent] += 1
        self._put(item)

    def model(self, item: Planned) -> str | None:
        """The cheaper model, where it is due. [O9]"""
        simple = self._capacity.conservation is not None and item.complexity == "S"
        return self._capacity.budget.simple_model if simple else None

    def _put(self, item: Planned) -> None:
        self._beside.add(item.id, item.touch)
        self._touches[item.id] = item.touch
        self._count += 1
        if item.agent is not None:
            self._busy[item.agent] += 1
            self._ledger.promise(item.agent, item.estimated_tokens)

    def _saves(self, item: Planned) -> str | None:
        if self._capacity.conservation is None or item.priority == "CRITICAL":
            return None
        if item.lane == "documentation" and item.priority not in _URGENT:
            return "documentation is deferred in conservation mode"
        if item.priority == "LOW":
            return "low priority is gathered until conservation mode ends"
        most = self._capacity.budget.conserving_instances
        if self._count >= most:
            return f"conservation mode: {most} are worked at already"
        return None

    def _conflict(self, item: Planned) -> str | None:
        met = self._beside.clash(item.touch)
        if met is None:
            return None
        other, key = met
        return f"conflicts with {other}: {told(self._touches[other], item.touch, key, other, item.id)}"

    def _busy_agent(self, agent: str, tokens: int) -> str | None:
        return refuses_instance(
            agent,
            running=self._busy[agent],
            queued=self._capacity.queue_depths.get(agent, 0) - self._further[agent],
            conserving=self._capacity.conservation is not None,
            tight=self._ledger.tight(agent, tokens),
            budget=self._capacity.budget,
            most=self._capacity.max_instances,
        )
