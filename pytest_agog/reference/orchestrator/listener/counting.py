"""What a listener has done since it started, for its signs of life. [X5]"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Agents that were started, and attempts by how they ended."""

    started: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    """completed, blocked, failed, timeout; those that could not begin included."""
