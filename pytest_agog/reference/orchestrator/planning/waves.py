"""What may run at the same time: waves, each of which begins when the one before is over. [O5] [O6]

A wave takes, by rank, all that is ready and conflicts with nothing taken before. What is delayed waits at the path
where it met another, in line with the others there; when the path is free only the head of the line is asked again. So
50,000 requirements on one file cost no more than their number.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
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


def waves(
    order: Sequence[str], needs: Needs, touch: Mapping[str, Touch]
) -> tuple[tuple[tuple[str, ...], ...], tuple[Serialised, ...]]:
    """All waves, and for each delayed requirement the pair that delayed it.

    Args:
        order: the requirements by rank, the most urgent first.
        needs: what each needs; in no knot, and nothing outside `order`.
        touch: what each touches.
    """
    place = {identity: at for at, identity in enumerate(order)}
    waiting = [len(needs.graph[identity]) for identity in order]
    line = _Line([(at, None) for at, count in enumerate(waiting) if not count])
    delayed: dict[str, Serialised] = {}
    found: list[tuple[str, ...]] = []
    while line.ready or line.at:
        chosen = _wave(line, order, touch, delayed)
        found.append(tuple(order[at] for at in sorted(chosen)))
        line.ready = _released(chosen, order, needs, place, waiting)
    return tuple(found), tuple(delayed[identity] for identity in sorted(delayed, key=place.__getitem__))


def _released(
    chosen: Sequence[int], order: Sequence[str], needs: Needs, place: Mapping[str, int], waiting: list[int]
) -> list[tuple[int, str | None]]:
    """What needed the chosen, and nothing else that is still to come."""
    found: list[tuple[int, str | None]] = []
    for at in chosen:
        for other in needs.wanted.get(order[at], ()):
            its = place.get(other)
            if its is not None:
                waiting[its] -= 1
                if not waiting[its]:
                    found.append((its, None))
    return found


def _wave(line: _Line, order: Sequence[str], touch: Mapping[str, Touch], delayed: dict[str, Serialised]) -> list[int]:
    beside, chosen = Beside(), []
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
        identity = order[at]
        own = touch[identity]
        met = beside.clash(own)
        if met is None:
            beside.add(identity, own)
            chosen.append(at)
            goes_on = key is not None and _is_shared(own, key)
        else:
            other, where = met
            if identity not in delayed:
                why = told(touch[other], own, where, other, identity)
                delayed[identity] = Serialised((other, identity), why)
            heapq.heappush(line.at.setdefault(where, []), at)
            goes_on = where != key
        if goes_on and key is not None and (queue := line.at.get(key)):
            heapq.heappush(ready, (queue[0], key))
    return chosen


def _is_shared(touch: Touch, key: str) -> bool:
    """Whether the next in line may hold the key beside this one."""
    return not touch.touchy or any(mode != EXCLUSIVE for held, mode in touch.marks if held == key)
