"""The board as plain data. Texts are as their authors wrote them, secrets masked: whoever renders them escapes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from pytest_agog.reference.observing.health import Health
from pytest_agog.reference.orchestrator.board.measures import Metrics
from pytest_agog.reference.orchestrator.board.situation import Mode, Rest
from pytest_agog.wire.orchestration import Priority, State
from pytest_agog.wire.times import UtcTime

_CAMEL: Final = ConfigDict(alias_generator=to_camel, populate_by_name=True)
Activity = Literal["ACTIVE", "WAITING", "IDLE"]
Passage = Literal["done", "running", "next", "skipped", "failed", "ahead"]


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a requirement's chain, and how far it is."""

    __pydantic_config__ = _CAMEL

    stage: str
    agent: str
    passage: Passage


@dataclass(frozen=True, slots=True)
class Item:
    """One requirement in a queue."""

    __pydantic_config__ = _CAMEL

    id: str
    title: str
    agent: str | None
    """Whose requirement it is."""
    priority: Priority
    complexity: Literal["S", "M", "L", "XL"]
    state: State
    estimated_tokens: int
    tokens: int
    """What it cost so far."""
    blocked_by: tuple[str, ...]
    """Requirements that must be complete before it goes on."""
    stage: str | None
    """The stage that runs, or comes next."""
    stage_agent: str | None
    attempt: int
    elapsed: float | None
    """Seconds that the present stage takes already; None when none runs."""
    due: UtcTime | None
    """Not before this moment."""
    rejections: int
    stopped: bool
    held: bool
    """A human has to say how it goes on."""
    note: str
    """Why it is where it is."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class AgentActivity:
    """What one agent does."""

    __pydantic_config__ = _CAMEL

    agent: str
    status: Activity
    working_on: tuple[str, ...]
    before_gate: tuple[str, ...]
    """Its work that the gate has."""
    tokens: int
    """Of the day."""
    share: int | None
    """Of the day's budget; None when it has none of its own."""
    estimated_completion: float | None
    """Seconds until what it works on is done, from how long such work took; None when nothing tells."""
    next_task: str | None
    next_priority: Priority | None
    next_blocked_by: tuple[str, ...]
    next_ready: bool
    """Whether nothing keeps it from starting but the agent's own time."""
    queue_depth: int
    """Requirements that wait for it, besides those that it works on."""
    breaker: Rest | None
    utilisation: float | None
    idle: float | None
    """Seconds without work in the window of the metrics."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of the day."""

    __pydantic_config__ = _CAMEL

    daily: int
    used: int
    remaining: int
    """Never below 0."""
    remaining_share: float
    """0 to 1."""
    conservation: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blocker:
    """What holds work up and does not go away by itself."""

    __pydantic_config__ = _CAMEL

    id: str | None
    """None: an agent that rests."""
    title: str
    agent: str | None
    reason: str
    since: UtcTime | None
    held: bool
    """Only a human can say how it goes on."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A requirement that is complete."""

    __pydantic_config__ = _CAMEL

    id: str
    title: str
    agent: str | None
    at: UtcTime
    review: Literal["none", "pending", "running", "passed", "failed"]
    tokens: int


@dataclass(frozen=True, slots=True)
class Board:
    """All that a board shows, whatever shows it."""

    __pydantic_config__ = _CAMEL

    at: UtcTime
    mode: Mode
    next_turn: UtcTime | None
    budget: Budget
    active_agents: tuple[str, ...]
    """Those that work, or for whom work waits."""
    queues: dict[Priority, tuple[Item, ...]]
    agents: tuple[AgentActivity, ...]
    blockers: tuple[Blocker, ...]
    escalations: tuple[Blocker, ...]
    completions: tuple[Completion, ...]
    """Of the last hour, newest first."""
    completed: int
    """Ever."""
    critical_path: tuple[str, ...]
    """The longest run of open requirements that wait for each other, by estimated tokens; the first one first."""
    lags: dict[str, int]
    alerts: tuple[str, ...]
    metrics: Metrics
    health: Health | None = None
    """The parts of the system and what they take; None where nobody looks at them. [X5]"""

    def as_json(self) -> dict[str, Any]:
        """Everything, for machines; keys in camelCase, null for what cannot be told."""
        found: dict[str, Any] = _adapter().dump_python(self, mode="json", by_alias=True)
        return found

    def queue(self) -> dict[str, list[dict[str, Any]]]:
        """The queues by priority: id, title, agent, estimated tokens and what blocks it."""
        return {
            priority.lower(): [
                {
                    "id": item.id, "title": item.title, "agent": item.agent,
                    "estimatedTokens": item.estimated_tokens, "blockedBy": list(item.blocked_by),
                }
                for item in items
            ]
            for priority, items in self.queues.items()
        }  # fmt: skip


_ADAPTERS: Final[list[TypeAdapter[Board]]] = []


def _adapter() -> TypeAdapter[Board]:
    if not _ADAPTERS:  # building it takes a while, and a board is not always wanted as JSON
        _ADAPTERS.append(TypeAdapter(Board))
    return _ADAPTERS[0]


def moment(value: datetime | None) -> datetime:
    """For sorting: what has no time comes last."""
    from datetime import UTC

    return value if value is not None else datetime.max.replace(tzinfo=UTC)
