"""The order in which memories are recalled: fit of words and of meaning first, then layer and age. [O20]"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pytest_agog.reference.orchestrator.memory.layers import WEIGHTS
from pytest_agog.reference.orchestrator.memory.model import Recollection, Remembered

HALF_LIFE: Final = timedelta(days=7)
"""After so long a memory is half as fresh."""
NEAR: Final = 0.25
"""Meanings that are less close than this have nothing to do with each other."""
_EXACT: Final = 1.5
"""Memories that hold all that was asked for, phrases included, count so many times more."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that may be an answer."""

    memory: Remembered
    rank: float
    """Of its words, as Postgres ranks them; 0 when none fits."""
    exact: bool
    """Whether it holds all that was asked for."""
    closeness: float | None
    """Cosine of the meanings; None when it is not known."""


def ranked(candidates: Iterable[Candidate], now: datetime, limit: int) -> tuple[Recollection, ...]:
    """The best ones, best first; equal ones by age and number, so that the order is always the same."""
    held = list(candidates)
    best = max((_weigh(one) for one in held), default=0.0)
    found = [_recollect(one, best, now) for one in held if one.rank > 0 or (one.closeness or 0.0) >= NEAR]
    found.sort(key=lambda one: (-one.score, -one.memory.happened.timestamp(), one.memory.id))
    return tuple(found[: max(limit, 0)])


def _weigh(one: Candidate) -> float:
    return one.rank * (_EXACT if one.exact else 1.0)


def _recollect(one: Candidate, best: float, now: datetime) -> Recollection:
    words = _weigh(one) / best if best > 0 else 0.0
    fit = words if one.closeness is None else (words + max(0.0, one.closeness)) / 2
    score = fit * (0.7 + 0.2 * WEIGHTS[one.memory.layer] + 0.1 * freshness(one.memory.happened, now))
    return Recollection(one.memory, score, words, one.closeness)


def freshness(happened: datetime, now: datetime) -> float:
    """1 for what happens now, half of it for every half-life since."""
    return float(0.5 ** (max(now - happened, timedelta()) / HALF_LIFE))
