"""What every benchmark hands back: a number, and its ratio to a peer measured in the same run on the same machine."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One measurement against its goal."""

    name: str
    value: float
    """Ours, in `unit`."""
    unit: str
    peer: float | None
    """The peer's, in the same unit; None where there is nothing to compare with."""
    ratio: float | None
    """Ours divided by the peer's."""
    goal: str
    """In words, e.g. `< 50 ms`."""
    ok: bool
    """Whether the goal is met."""
    note: str = ""
    """Who the peer is, and what was done."""


def result(
    name: str, value: float, unit: str, *, goal: str, ok: bool, peer: float | None = None, note: str = ""
) -> Result:
    """A result with its ratio worked out."""
    return Result(name, value, unit, peer, value / peer if peer else None, goal, ok, note)


def milliseconds(measure: Callable[[], None], *, rounds: int = 5) -> float:
    """The median time of `measure`, in milliseconds."""
    return statistics.median(_timed(measure) for _ in range(rounds))


def alternating(ours: Callable[[], None], peers: Callable[[], None], *, rounds: int = 5) -> tuple[float, float]:
    """Median milliseconds of both, taken in turns, so that what else the machine does hits both alike."""
    pairs = [(_timed(ours), _timed(peers)) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def _timed(measure: Callable[[], None]) -> float:
    with _quiet():
        started = time.perf_counter()
        measure()
        return (time.perf_counter() - started) * 1000


@contextmanager
def _quiet() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def table(results: Iterable[Result]) -> str:
    """The results as text, one line each."""
    rows = [("benchmark", "ours", "peer", "ratio", "goal", "", "note")]
    rows += [
        (
            each.name,
            f"{each.value:,.1f} {each.unit}",
            f"{each.peer:,.1f} {each.unit}" if each.peer is not None else "-",
            f"{each.ratio:.2f}" if each.ratio is not None else "-",
            each.goal,
            "ok" if each.ok else "MISSED",
            each.note,
        )
        for each in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
