"""Stage attempts, read back from the histories of records: when they ran, and how they ended.

A history tells states, and in words why: how a stage ended is read from both. The words are those of `engine`, whose
transitions the tests of this module run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pytest_agog.reference.orchestrator.engine import stages
from pytest_agog.reference.orchestrator.state.record import Happened, Record

Outcome = Literal["running", "judged", "done", "rejected", "blocked", "failed"]
"""`judged`: the gate has it. `rejected`: the gate refused it. `failed`: it came to nothing."""
_AT_WORK: Final = ("ASSIGNED", "IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of an agent at a stage."""

    id: str
    """The requirement's."""
    agent: str
    stage: str
    number: int
    start: datetime
    end: datetime
    """The present moment while it runs."""
    outcome: Outcome
    builds: bool
    """Whether it changes the system, so that others at the same time may conflict with it."""

    @property
    def over(self) -> bool:
        """Whether the agent has stopped working at it."""
        return self.outcome != "running"

    @property
    def seconds(self) -> float:
        """How long the agent worked."""
        return (self.end - self.start).total_seconds()


def attempts(record: Record, now: datetime) -> Iterator[Attempt]:
    """All attempts in the record's history, in order. Reviews are not in it."""
    agents = {(one.stage, one.attempt): one.agent for one in record.spent}
    history = record.history
    for place, entry in enumerate(history):
        if entry.state != "ASSIGNED" or entry.stage is None:
            continue
        after = _after(history, place)
        ended = history[after] if after is not None else None
        number = entry.attempt or 1
        yield Attempt(
            record.id, agents.get((entry.stage, number)) or _agent(record, entry, number), entry.stage, number,
            entry.at, max(ended.at if ended is not None else now, entry.at), _outcome(history, after),
            entry.stage in stages.GATED or entry.stage == record.lane,
        )  # fmt: skip


def _after(history: Sequence[Happened], place: int) -> int | None:
    """Where the agent's work was over."""
    for later in range(place + 1, len(history)):
        if history[later].state != "IN_PROGRESS":
            return later
    return None


def _agent(record: Record, entry: Happened, number: int) -> str:
    stage = entry.stage or ""
    named = entry.why.removesuffix(f" starts {stage}")
    if named != entry.why:
        return named
    if (stage, number) == (record.stage, record.attempt) and record.stage_agent is not None:
        return record.stage_agent
    return stages.agent_of(stage, record)


def _outcome(history: Sequence[Happened], after: int | None) -> Outcome:
    if after is None:
        return "running"
    entry = history[after]
    if entry.state == "GATING":
        return _verdict(history, after + 1)
    if entry.state in _AT_WORK:  # started anew without a word about its end
        return "failed"
    if entry.state == "READY":
        if "; again in " in entry.why:
            return "failed"
        return "blocked" if entry.why.endswith(" is to unblock it") else "done"
    if entry.state == "BLOCKED":
        return "blocked"
    if entry.state == "ESCALATED":  # of work that a judge refused too often the judge's own attempt is none that failed
        return "done" if entry.why.startswith("refused ") else "failed"
    return "failed" if entry.state == "FAILED" else "done"


def _verdict(history: Sequence[Happened], after: int) -> Outcome:
    if after >= len(history):
        return "judged"
    return "rejected" if history[after].state in ("REJECTED", "ESCALATED", "FAILED") else "done"
