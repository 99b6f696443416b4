"""The longest chain of work that needs each other, and when everything could be done. [O5]"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pytest_agog.reference.orchestrator.planning.dependencies import Graph


@dataclass(frozen=True, slots=True)
class Prediction:
    """How long the work takes at least, however many work at it."""

    path: tuple[str, ...] = ()
    """The chain that decides it, in the order of work."""
    tokens: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """By id what it costs together with the dearest chain that it needs."""
    tokens_per_hour: float = 1.0

    @property
    def hours(self) -> float:
        """Until all of it is done."""
        return self.finish(self.path[-1]) if self.path else 0.0

    def finish(self, identity: str) -> float:
        """Hours from now to the predicted completion of one requirement. KeyError when it is in no wave."""
        return round(self.tokens[identity] / self.tokens_per_hour, 2)


NEVER: Final = Prediction()
"""Of no work at all."""


def predict(order: Sequence[str], needs: Graph, tokens: Mapping[str, int], tokens_per_hour: float) -> Prediction:
    """The critical path by estimated tokens, and the time that it takes.

    Args:
        order: the requirements, each after what it needs.
        needs: what each needs of the others.
        tokens: estimates.
        tokens_per_hour: how fast an agent works.
    """
    total: dict[str, int] = {}
    came: dict[str, str] = {}
    last: str | None = None
    for identity in order:
        before = None
        for need in needs[identity]:
            if before is None or (total[need], before) > (total[before], need):
                before = need
        total[identity] = tokens[identity] + (total[before] if before is not None else 0)
        if before is not None:
            came[identity] = before
        if last is None or (total[identity], last) > (total[last], identity):
            last = identity
    if last is None:
        return Prediction()
    path = [last]
    while path[-1] in came:
        path.append(came[path[-1]])
    return Prediction(tuple(reversed(path)), MappingProxyType(total), max(tokens_per_hour, 1.0))
