"""What must be complete before what: order, cycles, what is missing. [O5]

Requirements go by their number here, which is their place in the order of ids. Lists of numbers are several times
quicker to walk than dictionaries of text, and what is sorted by number is the same whatever order requirements came in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

Graph = Sequence[Sequence[int]]
"""By number what it needs."""
_CYCLES: Final = 50
"""So many cycles of one knot are told; whoever unties them asks again."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A dependency that nobody has stated."""

    id: str
    needs: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What needs what, and what is needed by what."""

    graph: Graph
    wanted: Graph
    """By number what needs it."""

    @classmethod
    def of(cls, stated: Graph, derived: Iterable[tuple[int, int]] = ()) -> Needs:
        """The stated dependencies and further ones."""
        graph = list(stated)
        for number, need in sorted(derived):
            if need not in graph[number]:
                graph[number] = [*graph[number], need]
        wanted: list[list[int]] = [[] for _ in graph]
        for number, some in enumerate(graph):
            for need in some:
                wanted[need].append(number)
        return cls(graph, wanted)


def knots(needs: Needs, among: Collection[int]) -> list[list[int]]:
    """Sets of requirements that all need each other, or one that needs itself (Tarjan's strongly connected sets).

    Without recursion: a chain of 100,000 is no deep stack.

    Args:
        needs: what needs what.
        among: where to look; all else is known to be in no knot.
    """
    graph = {number: [need for need in needs.graph[number] if need in among] for number in sorted(among)}
    acyclic = _peeled(graph, needs.wanted)
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on: set[int] = set()
    found: list[list[int]] = []
    for root in graph:
        if root in acyclic or root in index:
            continue
        work = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on.add(root)
        while work:
            node, rest = work[-1]
            for need in rest:
                if need in acyclic:
                    continue
                if need not in index:
                    index[need] = low[need] = len(index)
                    stack.append(need)
                    on.add(need)
                    work.append((need, iter(graph[need])))
                    break
                if need in on:
                    low[node] = min(low[node], index[need])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    found += _component(node, graph, stack, on)
    return found


def _component(node: int, graph: dict[int, list[int]], stack: list[int], on: set[int]) -> list[list[int]]:
    members: list[int] = []
    while not members or members[-1] != node:
        members.append(stack.pop())
        on.discard(members[-1])
    return [members] if len(members) > 1 or node in graph[node] else []


def _peeled(graph: dict[int, list[int]], wanted: Graph) -> set[int]:
    """What needs, even over others, nothing that is in a knot; the usual roadmap is all of that."""
    peeled: set[int] = set()
    rest: list[int] = []
    for number, some in graph.items():  # mostly the needed come first already
        (peeled.add if peeled.issuperset(some) else rest.append)(number)
    waiting = {number: sum(need not in peeled for need in graph[number]) for number in rest}
    ready = [number for number, count in waiting.items() if not count]
    while ready:
        number = ready.pop()
        peeled.add(number)
        for other in wanted[number]:
            if other in waiting:
                waiting[other] -= 1
                if not waiting[other]:
                    ready.append(other)
    return peeled


def cycles(needs: Needs, found_knots: Iterable[Sequence[int]]) -> list[list[int]]:
    """For every knot its shortest cycles, until each member stands in one; each needs the next, the last the first.

    Args:
        needs: what needs what.
        found_knots: its knots.
    """
    found: list[list[int]] = []
    for members in found_knots:
        inside, left, most = set(members), set(members), len(found) + _CYCLES
        for start in sorted(members):
            if start in left and len(found) < most:
                cycle = _shortest(needs.graph, start, inside)
                first = cycle.index(min(cycle))
                found.append([*cycle[first:], *cycle[:first]])
                left.difference_update(cycle)
    return sorted(found)


def _shortest(graph: Graph, start: int, inside: set[int]) -> list[int]:
    came: dict[int, int] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for need in sorted(need for need in graph[node] if need in inside):
            if need == start:
                cycle = [node]
                while cycle[-1] != start:
                    cycle.append(came[cycle[-1]])
                return cycle[::-1]
            if need not in came:
                came[need] = node
                queue.append(need)
    raise AssertionError(f"number {start} is in no cycle")


def held(needs: Needs, stopped: Iterable[int]) -> set[int]:
    """What is stopped, and all that needs it, over however many others."""
    found = set(stopped)
    queue = list(found)
    while queue:
        for other in needs.wanted[queue.pop()]:
            if other not in found:
                found.add(other)
                queue.append(other)
    return found
