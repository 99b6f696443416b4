"""`where` over many things at once: each path is read once into a column, and each condition judges a whole column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_agog.checks.evidence.telling import unmet
from pytest_agog.values import Pattern, Where

Columns = Callable[[str], Sequence[Any]]
"""What stands at a path, for every message or row in order; ``ABSENT`` where nothing does."""


@dataclass(frozen=True)
class Miss:
    """What came nearest to fitting."""

    place: int
    missed: tuple[str, ...]
    """Paths whose condition does not hold."""
    said: str
    """How many conditions hold, and what stands where the others do not."""


def fitting(where: Where, columns: Columns, size: int) -> list[int]:
    """The places of those that meet every condition."""
    if not where:
        return list(range(size))
    found: list[int] | None = None
    for path, pattern in where.items():
        column = columns(path)
        if found is None:
            found = [place for place, holds in enumerate(_held(pattern, column)) if holds]
        else:
            kept = _held(pattern, [column[place] for place in found])
            found = [place for place, holds in zip(found, kept, strict=True) if holds]
    return found or []


def nearest(where: Where, columns: Columns, size: int) -> Miss | None:
    """The first of those that miss fewest conditions, but at least one; None when there is no such."""
    if not where or not size:
        return None
    held = {path: _held(pattern, columns(path)) for path, pattern in where.items()}
    best, most = -1, -1
    for place, marks in enumerate(zip(*held.values(), strict=True)):
        met = sum(marks)
        if most < met < len(where):
            best, most = place, met
    if best < 0:
        return None
    missed = tuple(path for path, marks in held.items() if not marks[best])
    said = "; ".join(unmet(path, columns(path)[best], where[path]) for path in missed[:5])
    return Miss(best, missed, f"meets {most} of {len(where)} conditions: {said}")


def _held(pattern: Pattern, column: Sequence[Any]) -> list[bool]:
    """For each value whether `pattern` holds. Equality with text or a number, the usual case, is compared directly."""
    if pattern.model_fields_set == {"equals"}:
        wanted = pattern.equals
        if isinstance(wanted, bool):
            return [value is wanted for value in column]
        if isinstance(wanted, str):
            return [value == wanted for value in column]
        if isinstance(wanted, (int, float)):
            return [value == wanted and not isinstance(value, bool) for value in column]
    return [pattern.holds(value) for value in column]
