"""What becomes of memories as time goes by: pure decisions over plain headers. [O20]

What is recent goes to medium term when its cycle is over; what is no longer current is summed up in long term, by kind
and day. A layer that is full lets go of its oldest the same way; long term and compost drop them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from pytest_agog.reference.orchestrator.memory.layers import Layer, Limits

_NEXT: Final[Mapping[Layer, Layer | None]] = {
    "core": "long_term", "recent": "medium_term", "medium_term": "long_term", "long_term": None, "compost": None,
}  # fmt: skip
_ORDER: Final[tuple[Layer, ...]] = ("recent", "medium_term", "core", "long_term", "compost")


@dataclass(frozen=True, slots=True)
class Header:
    """All that ageing looks at."""

    id: int
    layer: Layer
    kind: str
    happened: datetime
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Ageing:
    """What is to be done, by the numbers of memories."""

    moves: Mapping[Layer, tuple[int, ...]]
    """By the layer that they come into."""
    summaries: Mapping[tuple[str, date], tuple[int, ...]]
    """By kind and day (UTC) those that become one summary."""
    drops: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.moves or self.summaries or self.drops)


def plan(headers: Iterable[Header], now: datetime, limits: Limits) -> Ageing:
    """What to do with an agent's memories at `now`. The order of `headers` does not matter."""
    at: dict[Header, Layer | None] = {header: _due(header, now, limits) for header in headers if not header.pinned}
    for layer in _ORDER:
        # From the youngest layer on, since what one lets go of may be too much for the next.
        _relieve(layer, at, limits.capacity.get(layer, 0))
    moves: dict[Layer, list[int]] = defaultdict(list)
    summaries: dict[tuple[str, date], list[int]] = defaultdict(list)
    drops: list[int] = []
    for header in sorted(at, key=lambda one: one.id):
        place = at[header]
        if place is None:
            drops.append(header.id)
        elif place == "long_term" and header.layer in ("recent", "medium_term"):
            summaries[header.kind, header.happened.date()].append(header.id)
        elif place != header.layer:
            moves[place].append(header.id)
    return Ageing(
        {layer: tuple(ids) for layer, ids in moves.items()},
        {group: tuple(ids) for group, ids in summaries.items()},
        tuple(drops),
    )


def _due(header: Header, now: datetime, limits: Limits) -> Layer:
    age = now - header.happened
    if header.layer in ("recent", "medium_term") and age > limits.current:
        return "long_term"
    if header.layer == "recent" and age > limits.recent_for(header.kind):
        return "medium_term"
    return header.layer


def _relieve(layer: Layer, at: dict[Header, Layer | None], capacity: int) -> None:
    held = [header for header, place in at.items() if place == layer]
    if layer == "long_term":
        # Those on their way there become few summaries, which the next ageing counts.
        held = [header for header in held if header.layer not in ("recent", "medium_term")]
    held.sort(key=lambda header: (header.happened, header.id))
    for header in held[: max(0, len(held) - capacity)]:
        at[header] = _NEXT[layer]
