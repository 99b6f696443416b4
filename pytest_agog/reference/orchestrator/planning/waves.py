"""What may run at the same time: waves, each of which begins when the one before is over. [O5] [O6]

A wave takes, by rank, all that is ready and conflicts with nothing taken before. What is delayed waits at the path
where it met another, in line with the others there; when the path is free only the head of the line is asked again. So
50,000 requirements on one file cost no more than their number.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_agog.reference.orchestrator.planning.conflicts import EXCLUSIVE, Beside, Touch, told
from pytest_agog.reference.orchestrator.planning.dependencies import Needs


@dataclass(frozen=True, slots=True)
class Serialised:
    """Two that would run at the same time but for a conflict; the second was delayed by the first."""

    pair: tuple[str, str]
    why: str


@dataclass(slots=True)
class _Line:
    """All who wait, and where."""

    ready: list[tuple[int, str | None]] = field(default_factory=list)
    """By rank; those from a line are named by its key, since its head may change."""
    at: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Met:
    """Whom one met first, and where."""

    other: int
    where: str


def waves(
    order: Sequence[int], needs: Needs, touch: Sequence[Touch], ids: Sequence[str]
) -> tuple[list[list[int]], tuple[Serialised, ...]]:
    """All waves, and for each delayed requirement the pair that delayed it.

    Args:
        order: the requirements by rank, the most urgent first.
        needs: what each needs; in no knot, and nothing outside `order`.
        touch: what each touches.
        ids: what each is called.
    """
    place = [-1] * len(ids)
    for at, number in enumerate(order):
        place[number] = at
    waiting = [len(needs.graph[number]) for number in order]
    line = _Line([(at, None) for at, count in enumerate(waiting) if not count])
    delayed: dict[int, _Met] = {}
    found: list[list[int]] = []
    while line.ready or line.at:
        chosen = _wave(line, order, touch, delayed)
        found.append([order[at] for at in sorted(chosen)])
        line.ready = _released(chosen, order, needs, place, waiting)
    return found, tuple(_told(order[at], delayed[at], touch, ids) for at in sorted(delayed))


def _told(number: int, met: _Met, touch: Sequence[Touch], ids: Sequence[str]) -> Serialised:
    one, other = ids[met.other], ids[number]
    return Serialised((one, other), told(touch[met.other], touch[number], met.where, one, other))


def _released(
    chosen: Sequence[int], order: Sequence[int], needs: Needs, place: Sequence[int], waiting: list[int]
) -> list[tuple[int, str | None]]:
    """What needed the chosen, and nothing else that is still to come."""
    found: list[tuple[int, str | None]] = []
    for at in chosen:
        for other in needs.wanted[order[at]]:
            its = place[other]
            if its >= 0:
                waiting[its] -= 1
                if not waiting[its]:
                    found.append((its, None))
    return found


def _wave(line: _Line, order: Sequence[int], touch: Sequence[Touch], delayed: dict[int, _Met]) -> list[int]:
    beside: Beside[int] = Beside()
    chosen: list[int] = []
    ready = line.ready
    ready += [(queue[0], key) for key, queue in line.at.items()]
    heapq.heapify(ready)
    while ready:
        at, key = heapq.heappop(ready)
        if key is not None:
            queue = line.at.get(key)
            if not queue:
                continue
            at = heapq.heappop(queue)
            if not queue:
                del line.at[key]
        number = order[at]
        own = touch[number]
        met = beside.clash(own)
        if met is None:
            beside.add(number, own)
            chosen.append(at)
            goes_on = key is not None and _is_shared(own, key)
        else:
            other, where = met
            if at not in delayed:
                delayed[at] = _Met(other, where)
            heapq.heappush(line.at.setdefault(where, []), at)
            goes_on = where != key
        if goes_on and key is not None and (queue := line.at.get(key)):
            heapq.heappush(ready, (queue[0], key))
    return chosen


def _is_shared(touch: Touch, key: str) -> bool:
    """Whether the next in line may hold the key beside this one."""
    return not touch.touchy or any(mode != EXCLUSIVE for held, mode in touch.marks if held == key)
