"""What memory hands to planning: what work really cost, and what met in merge conflicts. [O20]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Lessons:
    """What happened before and changes what is decided now."""

    token_factors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By lane: what work cost, divided by what it had been estimated at. [O3]"""
    conflicts: tuple[tuple[str, str], ...] = ()
    """Pairs of path prefixes: work under the one met work under the other in a conflict, though they share no
    file. [O6]"""
    tokens_per_hour: float = 60_000.0
    """How fast an agent works; predictions rest on it. [O5]"""
