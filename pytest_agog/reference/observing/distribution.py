"""A distribution as Prometheus's histograms have it: how many were at most so large."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Distribution:
    """Counts values into ranges that end at `edges`, both growing; the last range is open."""

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = (*edges, math.inf)
        self.sum = 0.0
        self._counts = [0] * len(self.edges)

    def add(self, value: float) -> None:
        """Count one."""
        self.sum += value
        self._counts[bisect_left(self.edges, value)] += 1

    def cumulative(self) -> list[int]:
        """How many were at most as large as each edge."""
        return list(accumulate(self._counts))
