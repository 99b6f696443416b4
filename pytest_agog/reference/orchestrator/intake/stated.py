"""What a source says of a piece of work, before anything is decided about it, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_agog.wire.orchestration import Priority, State

Effort = Literal["S", "M", "L", "XL"]
"""How big a piece of work is said to be. [O3]"""


@dataclass(frozen=True, slots=True)
class Stated:
    """One requirement as its source states it; what the source leaves open is None or empty."""

    id: str
    title: str
    line: int
    """Where it begins in its file, counted from 1."""
    text: str = ""
    """The prose of the entry: no labels, no code fences."""
    state: State = "PENDING"
    agent: str | None = None
    effort: Effort | None = None
    priority: Priority | None = None
    dependencies: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    estimated_tokens: int | None = None
    phase: str | None = None
    requested_by: str | None = None
    deadline: str | None = None
    file: str = ""
    """The file it was read from, as its reader named it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A piece of work that is there but cannot be read. It is left as it stands, for a human to correct."""

    line: int
    """Counted from 1."""
    why: str
    """One sentence: what is wrong and what was expected."""
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}" if self.file else f"line {self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one source, or several together, had to say."""

    requirements: tuple[Stated, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
