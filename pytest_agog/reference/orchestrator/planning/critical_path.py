"""The longest chain of work that needs each other, and when everything could be done. [O5]"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def predict(
    order: Iterable[int], needs: Graph, tokens: Sequence[int], ids: Sequence[str], tokens_per_hour: float
) -> Prediction:
    """The critical path by estimated tokens, and the time that it takes.

    Args:
        order: the requirements by number, each after what it needs.
        needs: what each needs of the others.
        tokens: estimates.
        ids: what each is called.
        tokens_per_hour: how fast an agent works.
    """
    total = [0] * len(ids)
    came = [-1] * len(ids)
    by_id: dict[str, int] = {}
    last = -1
    for number in order:
        before, most = -1, -1
        for need in needs[number]:
            if total[need] > most or (total[need] == most and need > before):
                before, most = need, total[need]
        cost = total[number] = tokens[number] + max(most, 0)
        came[number] = before
        by_id[ids[number]] = cost
        if last < 0 or cost > total[last] or (cost == total[last] and number > last):
            last = number
    if last < 0:
        return Prediction()
    path = []
    while last >= 0:
        path.append(ids[last])
        last = came[last]
    return Prediction(tuple(reversed(path)), MappingProxyType(by_id), max(tokens_per_hour, 1.0))
