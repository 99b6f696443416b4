"""How the system is, as plain data: its parts, and what they take. [X5]"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from pytest_agog.wire.times import UtcTime

Condition = Literal["up", "down", "unknown", "starting"]
"""`unknown`: nobody who could tell is there. `starting`: it was not looked at yet."""
_CAMEL = ConfigDict(alias_generator=to_camel, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the system."""

    __pydantic_config__ = _CAMEL

    name: str
    condition: Condition
    since: UtcTime | None
    """Since when it is seen to be so."""
    about: str = ""
    """A few words: how many there are, what they have in hand."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one process or server takes; None is not known."""

    __pydantic_config__ = _CAMEL

    name: str
    up: bool
    memory: int | None = None
    """Resident bytes."""
    cpu_percent: float | None = None
    """100 is one core."""
    connections: int | None = None
    storage: int | None = None
    """Bytes on disk."""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """All parts, those that do not work first to be seen by whoever shows them."""

    __pydantic_config__ = _CAMEL

    at: UtcTime
    """Real time; the orchestrator's own clock may be ahead."""
    parts: tuple[Part, ...] = ()
    taken: tuple[Taken, ...] = ()

    @property
    def down(self) -> tuple[Part, ...]:
        """What does not work."""
        return tuple(one for one in self.parts if one.condition == "down")
