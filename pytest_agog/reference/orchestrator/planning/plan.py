"""The plan of all requirements: who does each, what it waits for, what runs beside what, what a human must decide."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pytest_agog.reference.orchestrator.intake.stated import Effort, Stated, Taken, Unreadable
from pytest_agog.reference.orchestrator.planning import (
    breaking,
    complexity,
    conflicts,
    critical_path,
    dependencies,
    features,
    paths,
    priority,
    routing,
    wording,
)
from pytest_agog.reference.orchestrator.planning.collecting import uncollected
from pytest_agog.reference.orchestrator.planning.conflicts import NOTHING, Touch
from pytest_agog.reference.orchestrator.planning.critical_path import NEVER, Prediction
from pytest_agog.reference.orchestrator.planning.dependencies import Missing, Needs
from pytest_agog.reference.orchestrator.planning.lessons import Lessons
from pytest_agog.reference.orchestrator.planning.waves import Serialised, waves
from pytest_agog.wire.orchestration import Priority, State

_STOPPED: Final[frozenset[State]] = frozenset({"BLOCKED", "ESCALATED", "FAILED"})
"""What nobody works at until somebody decides something."""
_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Planned:
    """What is decided about one requirement."""

    id: str
    lane: str | None
    """None: a human decides who does it."""
    agent: str | None
    priority: Priority
    complexity: Effort
    estimated_tokens: int
    depends_on: tuple[str, ...]
    """Stated, and the backend of its feature."""
    blocked_by: tuple[str, ...]
    """Those of them that are not complete."""
    matter: frozenset[str]
    stated: Stated
    urgency: str
    """Why it has its priority."""
    touch: Touch = NOTHING
    """What it must not run beside."""
    factor: float = 1.0
    """What history made of the estimate."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """For everything that was decided. They are put into words when they are asked for: few are ever read."""
        derived = self.depends_on[len(self.stated.dependencies) :]
        return (
            *routing.route(self.stated).reasons,
            self.urgency,
            complexity.told(self.stated, self.complexity, self.estimated_tokens, self.lane, self.factor),
            *(f"needs {need}, the backend of its feature" for need in derived),
        )

    def to_json(self) -> dict[str, Any]:
        """As `agog plan --json` has it."""
        return {
            "id": self.id, "lane": self.lane, "agent": self.agent, "priority": self.priority,
            "complexity": self.complexity, "estimated_tokens": self.estimated_tokens,
            "depends_on": list(self.depends_on), "blocked_by": list(self.blocked_by), "reasons": list(self.reasons),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Human:
    """What a human must decide."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All decisions; the same whatever order the requirements came in."""

    items: Mapping[str, Planned] = field(default_factory=lambda: MappingProxyType({}))
    """By id, sorted: REQ-9 before REQ-10."""
    waves: tuple[tuple[str, ...], ...] = ()
    """What may run at the same time. What is done, blocked, cyclic, missing or a human's is in none."""
    serialised: tuple[Serialised, ...] = ()
    prediction: Prediction = NEVER
    cycles: tuple[tuple[str, ...], ...] = ()
    """Each needs the next, the last the first."""
    missing: tuple[Missing, ...] = ()
    human: tuple[Human, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def critical_path(self) -> tuple[str, ...]:
        """The chain that decides how long everything takes."""
        return self.prediction.path

    def to_json(self) -> dict[str, Any]:
        """As `agog plan --json` prints it. With several files, what is unreadable names its file."""
        sources = {item.stated.file for item in self.items.values()} | {one.file for one in self.unreadable}
        return {
            "requirements": [item.to_json() for item in self.items.values()],
            "waves": [list(wave) for wave in self.waves],
            "serialised": [{"pair": list(one.pair), "why": one.why} for one in self.serialised],
            "critical_path": list(self.critical_path),
            "cycles": [list(cycle) for cycle in self.cycles],
            "missing": [{"id": one.id, "needs": one.needs} for one in self.missing],
            "human": [{"id": one.id, "why": one.why} for one in self.human],
            "unreadable": [
                {"line": one.line, "why": f"{one.file}: {one.why}" if len(sources) > 1 else one.why}
                for one in self.unreadable
            ],
        }


def make_plan(taken: Taken, *, settled: Collection[str] = (), lessons: Lessons | None = None) -> Plan:
    """Plan everything that was taken in.

    Args:
        taken: requirements and what could not be read.
        settled: ids that are complete though they are not among the requirements, or stated otherwise there.
        lessons: what memory knows.
    """
    with uncollected():
        return _Planning(taken, frozenset(settled), lessons or Lessons()).plan()


def natural(identity: str) -> tuple[int | str, ...]:
    """What ids are sorted by: numbers in them count as numbers."""
    return tuple(int(part) if at % 2 else part for at, part in enumerate(_DIGITS.split(identity)))


class _Alone(NamedTuple):
    """What can be said of one requirement without looking at the others."""

    lane: str | None
    agent: str | None
    matter: frozenset[str]
    urgency: tuple[Priority, str]
    estimate: tuple[Effort, int]
    breaks: bool
    about: frozenset[str]
    """The words of its feature, if it is one of the backend's or the frontend's."""


def _look(stated: Stated, named: paths.Paths, lessons: Lessons) -> _Alone:
    """Its words are read, used and forgotten here: keeping those of all costs more time than reading them."""
    words = wording.read(stated)
    lane, agent, matter = routing.decide(stated, words, named)
    breaks = priority.is_breaking(words)
    return _Alone(
        lane,
        agent,
        matter,
        priority.assess(stated, words, lane, breaking=breaks),
        complexity.estimate(stated, words, lane, lessons),
        breaks,
        features.words_of(words.title) if lane in ("backend", "frontend") else frozenset(),
    )


class _Planning:
    """One plan in the making."""

    def __init__(self, taken: Taken, settled: frozenset[str], lessons: Lessons) -> None:
        stated = sorted(taken.requirements, key=lambda one: (natural(one.id), one.file, one.line))
        self.stated = {one.id: one for one in reversed(stated)}
        self.stated = {one.id: self.stated[one.id] for one in stated}
        self.unreadable = taken.unreadable
        self.lessons = lessons
        self.done = settled | {one.id for one in stated if one.state == "COMPLETE"}
        self.rank = {identity: at for at, identity in enumerate(self.stated)}
        self.paths: dict[str, paths.Paths] = {}
        self.alone: dict[str, _Alone] = {}
        for identity, one in self.stated.items():
            self.paths[identity] = paths.read(one.files)
            self.alone[identity] = _look(one, self.paths[identity], lessons)
        self.open = [identity for identity in self.stated if identity not in self.done]
        self.human = self._human()
        self.base, self.missing = self._base()

    def plan(self) -> Plan:
        derived, touch = self._derived(), self._touches()
        while True:
            needs = Needs.of(self.base, derived)
            items = self._items(needs, touch, derives=bool(derived))
            order = self._order(needs, items)
            made, serialised = waves(order, needs, touch)
            placed = [identity for wave in made for identity in wave]
            found = dependencies.knots(needs, set(self.open).difference(placed)) if len(placed) < len(self.open) else []
            knot = {identity: at for at, members in enumerate(found) for identity in members}
            # What people state wins over what we guess: a guess that closes a cycle is none.
            closing = {pair for pair in derived if pair[0] in knot and knot[pair[0]] == knot.get(pair[1])}
            if not closing:
                break
            derived -= closing
        prediction = critical_path.predict(
            placed, needs.graph, {identity: items[identity].estimated_tokens for identity in placed},
            self.lessons.tokens_per_hour,
        )  # fmt: skip
        return Plan(
            MappingProxyType(items), made, serialised, prediction, dependencies.cycles(needs, found, self.rank),
            self.missing, self.human, self.unreadable,
        )  # fmt: skip

    def _order(self, needs: Needs, items: Mapping[str, Planned]) -> list[str]:
        """What may get into a wave, by rank: what runs already, then by priority and id."""
        stopped = {identity for identity in self.open if self.stated[identity].state in _STOPPED}
        stopped |= {one.id for one in self.missing} | {one.id for one in self.human}
        out = dependencies.held(needs, stopped) if stopped else stopped
        free = [identity for identity in self.open if identity not in out]
        return sorted(
            free, key=lambda identity: (_waits(self.stated[identity]), priority.ORDER[items[identity].priority])
        )

    def _derived(self) -> set[tuple[str, str]]:
        """Frontend work needs the backend work of its feature. [L2]"""
        sides: dict[str, dict[str, frozenset[str]]] = {"backend": {}, "frontend": {}}
        for identity in self.open:
            lane = self.alone[identity].lane
            if lane in sides:
                sides[lane][identity] = self.alone[identity].about
        return features.pairs(sides["backend"], sides["frontend"], self.paths)

    def _base(self) -> tuple[dict[str, list[str]], tuple[Missing, ...]]:
        """What is open needs, as stated, of what is open; and what it needs that nobody stated."""
        stated = {
            identity: [need for need in self.stated[identity].dependencies if need not in self.done]
            for identity in self.open
        }
        lacking = dependencies.missing(stated, self.stated)
        if lacking:
            stated = dependencies.within(stated, self.stated)
        return stated, lacking

    def _touches(self) -> dict[str, Touch]:
        affected = breaking.affected(
            {identity: self.stated[identity] for identity in self.open},
            {identity for identity in self.open if self.alone[identity].breaks},
        )
        return conflicts.touches({identity: self.paths[identity] for identity in self.open}, affected, self.lessons)

    def _items(self, needs: Needs, touch: Mapping[str, Touch], *, derives: bool) -> dict[str, Planned]:
        graph = needs.graph if derives else {}
        return {
            identity: self._item(
                identity, len(needs.wanted.get(identity, ())), graph.get(identity, ()), touch.get(identity, NOTHING)
            )
            for identity in self.stated
        }

    def _item(self, identity: str, waiting: int, needs: Sequence[str], touch: Touch) -> Planned:
        stated, alone = self.stated[identity], self.alone[identity]
        lane, (size, tokens) = alone.lane, alone.estimate
        urgency, why = priority.raised(*alone.urgency, waiting)
        depends_on = stated.dependencies
        blocked_by: tuple[str, ...] = ()
        if needs:
            depends_on += tuple(need for need in needs if need not in depends_on)
        if depends_on and identity not in self.done:
            blocked_by = tuple(need for need in depends_on if need not in self.done)
            blocked_by = depends_on if len(blocked_by) == len(depends_on) else blocked_by
        factors = self.lessons.token_factors
        return Planned(
            identity, lane, alone.agent, urgency, size, tokens, depends_on, blocked_by, alone.matter, stated, why,
            touch, factors.get(lane or "", 1.0) if factors else 1.0,
        )  # fmt: skip

    def _human(self) -> tuple[Human, ...]:
        found = []
        for identity in self.open:
            stated, state = self.stated[identity], self.stated[identity].state
            if self.alone[identity].lane is None:
                found.append(Human(identity, "; ".join(routing.route(stated).reasons)))
            elif state == "ESCALATED":
                found.append(Human(identity, "its status says that a human has been asked already"))
        return tuple(found)


def _waits(stated: Stated) -> bool:
    return stated.state not in ("ASSIGNED", "IN_PROGRESS", "GATING")
