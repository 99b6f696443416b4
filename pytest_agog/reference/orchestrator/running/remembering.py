"""What the orchestrator tells its memory, and what memory tells planning. [O20]

Everything is told by what happened to records, with a source that names it: told twice, by another instance or after a
restart, it is remembered once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from pytest_agog.reference.orchestrator.memory.happenings import Conflicted, Rerouted, SpawnWasted, TokensSpent
from pytest_agog.reference.orchestrator.memory.layers import Layer
from pytest_agog.reference.orchestrator.memory.model import Note
from pytest_agog.reference.orchestrator.memory.service import MemoryService
from pytest_agog.reference.orchestrator.planning.lessons import Lessons
from pytest_agog.reference.orchestrator.state.record import REVIEW, Record

_TENDED: Final = timedelta(minutes=30)
_TELLING: Final = ("COMPLETE", "ESCALATED", "REJECTED", "BLOCKED", "FAILED")
"""States worth a memory of their own."""


class Remembering:
    """Compares records with what was told of them already."""

    def __init__(self, memory: MemoryService) -> None:
        self._memory = memory
        self._told: dict[str, int] = {}
        self._tended: datetime | None = None

    def lessons(self) -> Lessons:
        """What planning has to heed."""
        return self._memory.lessons

    async def pass_by(self, records: Mapping[str, Record], now: datetime) -> None:
        """Tell what is new, and let memory age now and then."""
        for record in records.values():
            told = self._told.get(record.id, 0)
            if len(record.history) != told:
                self._tell(record, records, told)
                self._told[record.id] = len(record.history)
        if self._tended is None or now - self._tended >= _TENDED:
            self._tended = now
            await self._memory.tend(now)

    def _tell(self, record: Record, records: Mapping[str, Record], told: int) -> None:
        for place, entry in enumerate(record.history[told:], start=told):
            if entry.state in _TELLING or entry.why.startswith("routed"):
                text = f"{record.id} ({record.stated.title}): {entry.state}, {entry.why}"
                layer: Layer = "medium_term" if entry.state in _TELLING else "recent"
                self._memory.note(Note(layer, text, entry.state.lower(), f"{record.id}#{place}", happened=entry.at))
        self._learn(record, records.values())

    def _learn(self, record: Record, records: Iterable[Record]) -> None:
        at = record.history[-1].at
        lane = record.lane or ""
        if record.state == "COMPLETE":
            factor = (
                1.0 if record.stated.estimated_tokens is not None else self._memory.lessons.token_factors.get(lane, 1.0)
            )
            actual = sum(one.tokens for one in record.spent if one.stage != REVIEW)
            spent = TokensSpent(record.id, lane, record.estimated_tokens, actual, factor)
            if record.estimated_tokens and actual:
                self._memory.happened(spent, at)
        if record.conflicted:
            for other in records:
                if other.id != record.id and _beside(record, other):
                    met = Conflicted(record.id, other.id, record.stated.files, other.stated.files)
                    self._memory.happened(met, at)
        if record.state == "ESCALATED" and record.spent:
            last = record.spent[-1]
            wasted = SpawnWasted(
                record.id, last.agent, sum(one.tokens for one in record.spent), f"{record.attempts} attempts",
                record.attempts,
            )  # fmt: skip
            self._memory.happened(wasted, at)
        for reason in record.reasons:
            by, found, agent = reason.partition(" assigned ")
            if found and len(record.history) > 1:
                wrong = next((one.why for one in record.history if one.why.startswith("routed to ")), "nobody")
                self._memory.happened(
                    Rerouted(record.id, wrong.removeprefix("routed to "), agent, by, record.stated.title), at
                )


def _beside(one: Record, other: Record) -> bool:
    """Whether the two were worked at at the same time."""
    if one.started_at is None or other.started_at is None:
        return False
    one_end, other_end = (record.completed_at or record.history[-1].at for record in (one, other))
    return one.started_at < other_end and other.started_at < one_end
