"""The plan of all requirements: who does each, what it waits for, what runs beside what, what a human must decide."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
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
_BEGUN: Final[frozenset[State]] = frozenset({"ASSIGNED", "IN_PROGRESS", "GATING"})
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
    """One plan in the making. Requirements go by their number: their place in the order of ids."""

    def __init__(self, taken: Taken, settled: frozenset[str], lessons: Lessons) -> None:
        self.unreadable = taken.unreadable
        self.lessons = lessons
        self.number: dict[str, int] = {}
        self.given: list[Stated] = []
        done = set(settled)
        for one in sorted(taken.requirements, key=lambda one: (natural(one.id), one.file, one.line)):
            if one.id not in self.number:
                self.number[one.id] = len(self.given)
                self.given.append(one)
            if one.state == "COMPLETE":
                done.add(one.id)
        self.done = frozenset(done)
        self.ids = list(self.number)
        self.paths = [paths.read(one.files) for one in self.given]
        self.alone = [_look(one, named, lessons) for one, named in zip(self.given, self.paths, strict=True)]
        self.open = [number for number, identity in enumerate(self.ids) if identity not in self.done]
        self.human = self._human()
        self.missing: list[Missing] = []
        self.base = self._base()

    def plan(self) -> Plan:
        derived, touch = self._derived(), self._touches()
        while True:
            needs = Needs.of(self.base, derived)
            items = self._items(needs, touch, derives=bool(derived))
            made, serialised = waves(self._order(needs, items), needs, touch, self.ids)
            placed = list(chain.from_iterable(made))
            found = dependencies.knots(needs, set(self.open).difference(placed)) if len(placed) < len(self.open) else []
            knot = {number: at for at, members in enumerate(found) for number in members}
            # What people state wins over what we guess: a guess that closes a cycle is none.
            closing = {pair for pair in derived if pair[0] in knot and knot[pair[0]] == knot.get(pair[1])}
            if not closing:
                break
            derived -= closing
        costs = [alone.estimate[1] for alone in self.alone]
        prediction = critical_path.predict(placed, needs.graph, costs, self.ids, self.lessons.tokens_per_hour)
        name = self.ids.__getitem__
        return Plan(
            MappingProxyType(dict(zip(self.ids, items, strict=True))), tuple(tuple(map(name, wave)) for wave in made),
            serialised, prediction, tuple(tuple(map(name, cycle)) for cycle in dependencies.cycles(needs, found)),
            tuple(self.missing), self.human, self.unreadable,
        )  # fmt: skip

    def _order(self, needs: Needs, items: Sequence[Planned]) -> list[int]:
        """What may get into a wave, by rank: what runs already, then by priority and id."""
        stopped = {number for number in self.open if self.given[number].state in _STOPPED}
        stopped |= {self.number[one.id] for one in self.missing} | {self.number[one.id] for one in self.human}
        out = dependencies.held(needs, stopped) if stopped else stopped
        ranks: tuple[list[int], ...] = tuple([] for _ in range(2 * len(priority.ORDER)))
        for number in self.open:
            if number not in out:
                begun = self.given[number].state in _BEGUN
                ranks[priority.ORDER[items[number].priority] + (0 if begun else len(priority.ORDER))].append(number)
        return list(chain.from_iterable(ranks))

    def _derived(self) -> set[tuple[int, int]]:
        """Frontend work needs the backend work of its feature. [L2]"""
        sides: dict[str | None, dict[int, frozenset[str]]] = {"backend": {}, "frontend": {}}
        for number in self.open:
            alone = self.alone[number]
            if alone.lane in sides:
                sides[alone.lane][number] = alone.about
        return features.pairs(sides["backend"], sides["frontend"], self.paths)

    def _base(self) -> list[list[int]]:
        """What is open needs, as stated, of what is open. What it needs that nobody stated is missing."""
        found: list[list[int]] = [[] for _ in self.ids]
        for number in self.open:
            mine = found[number]
            for need in self.given[number].dependencies:
                if need not in self.done:
                    at = self.number.get(need)
                    if at is None:
                        self.missing.append(Missing(self.ids[number], need))
                    else:
                        mine.append(at)
        return found

    def _touches(self) -> list[Touch]:
        changes = {self.ids[number] for number in self.open if self.alone[number].breaks}
        affected = (
            breaking.affected({self.ids[number]: self.given[number] for number in self.open}, changes)
            if changes
            else {}
        )
        # What is done touches nothing any more.
        settled = set(range(len(self.ids))).difference(self.open) if len(self.open) < len(self.ids) else ()
        named = [paths.NONE if at in settled else one for at, one in enumerate(self.paths)] if settled else self.paths
        return conflicts.touches(self.ids, named, affected, self.lessons)

    def _items(self, needs: Needs, touch: Sequence[Touch], *, derives: bool) -> list[Planned]:
        factors, done, found = self.lessons.token_factors, self.done, []
        for number, identity in enumerate(self.ids):
            stated, alone = self.given[number], self.alone[number]
            lane, (size, tokens) = alone.lane, alone.estimate
            urgency, why = priority.raised(*alone.urgency, len(needs.wanted[number]))
            depends_on, mine = stated.dependencies, needs.graph[number]
            if derives and len(mine) > len(self.base[number]):
                depends_on += tuple(need for at in mine if (need := self.ids[at]) not in depends_on)
            blocked_by: tuple[str, ...] = ()
            if depends_on and identity not in done:
                all_open = len(mine) == len(depends_on)
                blocked_by = depends_on if all_open else tuple(need for need in depends_on if need not in done)
            one = Planned(
                identity, lane, alone.agent, urgency, size, tokens, depends_on, blocked_by, alone.matter, stated, why,
                touch[number], factors.get(lane or "", 1.0) if factors else 1.0,
            )  # fmt: skip
            found.append(one)
        return found

    def _human(self) -> tuple[Human, ...]:
        found = []
        for number in self.open:
            stated = self.given[number]
            if self.alone[number].lane is None:
                found.append(Human(stated.id, "; ".join(routing.route(stated).reasons)))
            elif stated.state == "ESCALATED":
                found.append(Human(stated.id, "its status says that a human has been asked already"))
        return tuple(found)
