"""Memories as they are written, and as they are recalled. [O20]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pytest_agog.reference.orchestrator.memory.layers import Layer


@dataclass(frozen=True, slots=True)
class Note:
    """Something to remember."""

    layer: Layer
    text: str
    kind: str
    source: str
    """What it is learned from; an agent remembers each kind of thing about it once."""
    tags: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What it tells a program; JSON."""
    happened: datetime | None = None
    """When it was; now without it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A memory as it is kept."""

    id: int
    agent: str
    layer: Layer
    kind: str
    source: str
    text: str
    tags: tuple[str, ...]
    data: Mapping[str, Any]
    pinned: bool
    happened: datetime
    why: str | None = None
    """Why it is compost."""


@dataclass(frozen=True, slots=True)
class Recollection:
    """A memory that a question brought up."""

    memory: Remembered
    score: float
    """0 to 1; it means nothing beyond the order within one answer."""
    words: float
    """How well its words fit, 0 to 1, 1 for the best of the answer."""
    closeness: float | None
    """Cosine of its meaning and that of the question; None where nobody measured it: there is no embedder, or it is
    away."""


@dataclass(frozen=True, slots=True)
class Briefing:
    """What an agent is told when it starts."""

    agent: str
    core: tuple[Remembered, ...]
    """Patterns, those that it always knew first."""
    newest: Mapping[Layer, tuple[Remembered, ...]]
    """Of the other layers, the newest first."""
    counts: Mapping[Layer, int]

    def __str__(self) -> str:
        told = ", ".join(f"{layer} {count}" for layer, count in self.counts.items())
        return f"{self.agent} remembers: {told}"


@dataclass(frozen=True, slots=True)
class Aged:
    """What ageing changed, in numbers of memories."""

    moved: int = 0
    summed_up: int = 0
    dropped: int = 0
