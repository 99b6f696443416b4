"""The five layers of memory: what each is for, how much it holds, how long, and where it goes then. [O20]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal, get_args

Layer = Literal["core", "long_term", "medium_term", "recent", "compost"]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
WEIGHTS: Final[Mapping[Layer, float]] = MappingProxyType(
    {"core": 1.0, "recent": 0.8, "long_term": 0.7, "medium_term": 0.6, "compost": 0.3}
)
"""How much a layer counts in a ranking; what failed is recalled too, as a warning, after the rest."""
CAPACITY: Final[Mapping[Layer, int]] = MappingProxyType(
    {"core": 200, "long_term": 2000, "medium_term": 1000, "recent": 500, "compost": 500}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long memories stay where they are, and how many each layer of an agent holds."""

    cycle: timedelta = timedelta(minutes=30)
    """What is older is no longer `recent`; routing decisions are for an hour."""
    routed: timedelta = timedelta(hours=1)
    """How long a routing decision is `recent`."""
    current: timedelta = timedelta(days=1)
    """What is older is summed up in `long_term`."""
    capacity: Mapping[Layer, int] = field(default_factory=lambda: CAPACITY)
    """Memories that a layer holds; those that are pinned do not count."""

    def recent_for(self, kind: str) -> timedelta:
        """How long what is of this kind stays `recent`."""
        return max(self.cycle, self.routed) if kind == ROUTED else self.cycle


ROUTED: Final = "routed"
"""The kind of memories of routing decisions."""
