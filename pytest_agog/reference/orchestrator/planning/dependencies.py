"""What must be complete before what: order, cycles, what is missing. [O5]"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Graph = Mapping[str, Sequence[str]]
"""By id what it needs, all of them ids of the graph."""
_CYCLES: Final = 50
"""So many cycles of one knot are told; whoever unties them asks again."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A dependency that nobody has stated."""

    id: str
    needs: str


def missing(needs: Graph, known: Collection[str]) -> tuple[Missing, ...]:
    """All dependencies on what is not known, in the graph's order."""
    return tuple(Missing(identity, need) for identity, some in needs.items() for need in some if need not in known)


def within(needs: Graph, known: Collection[str]) -> dict[str, list[str]]:
    """The graph without what is not known."""
    return {identity: [need for need in some if need in known] for identity, some in needs.items()}


@dataclass(frozen=True, slots=True)
class Needs:
    """What needs what, and what is needed by what."""

    graph: Graph
    wanted: Graph
    """By id what needs it; nothing for what nobody needs."""

    @classmethod
    def of(cls, stated: Graph, derived: Iterable[tuple[str, str]] = ()) -> Needs:
        """The stated dependencies and further ones."""
        graph = dict(stated)
        for identity, need in sorted(derived):
            if need not in graph[identity]:
                graph[identity] = [*graph[identity], need]
        return cls(graph, dependents(graph))


def knots(needs: Needs, among: Collection[str]) -> list[list[str]]:
    """Sets of requirements that all need each other, or one that needs itself (Tarjan's strongly connected sets).

    Without recursion: a chain of 100,000 is no deep stack.

    Args:
        needs: what needs what.
        among: where to look; all else is known to be in no knot.
    """
    graph = {identity: [need for need in needs.graph[identity] if need in among] for identity in among}
    acyclic = _peeled(graph, needs.wanted)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on: set[str] = set()
    found: list[list[str]] = []
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


def _component(node: str, graph: Graph, stack: list[str], on: set[str]) -> list[list[str]]:
    members: list[str] = []
    while not members or members[-1] != node:
        members.append(stack.pop())
        on.discard(members[-1])
    return [members] if len(members) > 1 or node in graph[node] else []


def _peeled(graph: Graph, wanted: Graph) -> set[str]:
    """What needs, even over others, nothing that is in a knot; the usual roadmap is all of that."""
    peeled: set[str] = set()
    rest: list[str] = []
    for identity, some in graph.items():  # mostly the needed come first already
        (peeled.add if peeled.issuperset(some) else rest.append)(identity)
    waiting = {identity: sum(need not in peeled for need in graph[identity]) for identity in rest}
    ready = [identity for identity, count in waiting.items() if not count]
    while ready:
        identity = ready.pop()
        peeled.add(identity)
        for other in wanted.get(identity, ()):
            if other in waiting:
                waiting[other] -= 1
                if not waiting[other]:
                    ready.append(other)
    return peeled


def dependents(graph: Graph) -> dict[str, list[str]]:
    """By id what needs it."""
    found: dict[str, list[str]] = {}
    for identity, some in graph.items():
        for need in some:
            found.setdefault(need, []).append(identity)
    return found


def cycles(needs: Needs, found_knots: Iterable[Sequence[str]], rank: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    """For every knot its shortest cycles, until each member stands in one; each needs the next, the last the first.

    Args:
        needs: what needs what.
        found_knots: its knots.
        rank: the order in which cycles are looked for and begin, the same whatever order the graph has.
    """
    found: list[tuple[str, ...]] = []
    for members in found_knots:
        inside, left, most = set(members), set(members), len(found) + _CYCLES
        for start in sorted(members, key=rank.__getitem__):
            if start in left and len(found) < most:
                cycle = _shortest(needs.graph, start, inside, rank)
                first = min(range(len(cycle)), key=lambda at: rank[cycle[at]])
                found.append((*cycle[first:], *cycle[:first]))
                left.difference_update(cycle)
    return tuple(sorted(found, key=lambda cycle: [rank[identity] for identity in cycle]))


def _shortest(graph: Graph, start: str, inside: set[str], rank: Mapping[str, int]) -> list[str]:
    came: dict[str, str] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for need in sorted((need for need in graph[node] if need in inside), key=rank.__getitem__):
            if need == start:
                cycle = [node]
                while cycle[-1] != start:
                    cycle.append(came[cycle[-1]])
                return cycle[::-1]
            if need not in came:
                came[need] = node
                queue.append(need)
    raise AssertionError(f"{start} is in no cycle")


def held(needs: Needs, stopped: Iterable[str]) -> set[str]:
    """What is stopped, and all that needs it, over however many others."""
    found = set(stopped)
    queue = list(found)
    while queue:
        for other in needs.wanted.get(queue.pop(), ()):
            if other not in found:
                found.add(other)
                queue.append(other)
    return found
