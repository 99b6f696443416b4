"""What can happen that there is something to learn from. [O20]"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Work of two requirements that went on side by side met in a conflict. [O6]"""

    one: str
    other: str
    one_paths: tuple[str, ...] = ()
    """What the requirement had named, or what its work changed."""
    other_paths: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Where they met."""


@dataclass(frozen=True, slots=True)
class TokensSpent:
    """A stage is over, and its cost is known. [O3]"""

    requirement: str
    lane: str
    """Whose estimates it tells about."""
    estimated: int
    """Tokens, as planned."""
    actual: int
    factor: float = 1.0
    """The factor of an earlier lesson that is in `estimated` already; 1 where the estimate was stated."""
    seconds: float | None = None
    """How long the agent worked."""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Rerouted:
    """Work went to somebody, and had to go to somebody else. [O4]"""

    requirement: str
    wrong: str
    """Lane or agent."""
    right: str
    because: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class BuiltTooEarly:
    """A frontend was built before the API that it calls. [O5]"""

    frontend: str
    api: str


@dataclass(frozen=True, slots=True)
class SpawnWasted:
    """An agent was spawned, and its tokens bought nothing. [O9]"""

    requirement: str
    agent: str
    tokens: int
    strategy: str
    """What had been decided, in words."""
    attempt: int = 1


Happening = Conflicted | TokensSpent | Rerouted | BuiltTooEarly | SpawnWasted
