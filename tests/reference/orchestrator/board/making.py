"""Records and situations for tests: the seed's example, and whatever a test needs beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pytest_agog.reference.orchestrator.board.situation import Situation
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.planning.config import BudgetConfig
from pytest_agog.reference.orchestrator.state.record import Done, Happened, Record, Spent
from pytest_agog.wire.orchestration import State

NOW: Final = datetime(2026, 3, 2, 10, 25, tzinfo=UTC)
LANES: Final = {"roy": "backend", "jen": "frontend"}
HOSTILE: Final = "<script>alert(1)</script>**bold** [x](javascript:alert(2)) \x1b[2J\u202egnp\" ' | `code` https://evil"


def ago(**span: float) -> datetime:
    """A moment before NOW."""
    return NOW - timedelta(**span)


def record(identity: str, state: State = "READY", **changes: Any) -> Record:
    """A requirement of roy's, submitted an hour ago, unless said otherwise."""
    agent = changes.pop("agent", "roy")
    title = changes.pop("title", f"Title of {identity}")
    lane = LANES.get(agent, agent)
    submitted = changes.pop("submitted_at", ago(hours=1))
    history = changes.pop("history", (Happened(submitted, "PENDING", "taken in"), Happened(submitted, state, "why")))
    return Record(
        identity, state, Stated(identity, title, 1), lane=lane, agent=agent, chain=changes.pop("chain", (lane,)),
        submitted_at=submitted, history=history, estimated_tokens=changes.pop("estimated_tokens", 10_000), **changes,
    )  # fmt: skip


def working(identity: str, minutes: float, **changes: Any) -> Record:
    """One that its agent works on since `minutes`."""
    since = ago(minutes=minutes)
    agent = changes.get("agent", "roy")
    stage = changes.pop("stage", LANES.get(agent, agent))
    history = (
        Happened(since, "PENDING", "taken in"), Happened(since, "ASSIGNED", "starts", stage, 1),
        Happened(since, "IN_PROGRESS", "spawn requested", stage, 1),
    )  # fmt: skip
    return record(
        identity, "IN_PROGRESS", stage=stage, stage_agent=changes.pop("stage_agent", agent), attempt=1,
        started_at=since, stage_started_at=since, active_at=since, submitted_at=changes.pop("submitted_at", since),
        history=history, **changes,
    )  # fmt: skip


def complete(identity: str, at: datetime, *, minutes: float = 30, tokens: int = 0, **changes: Any) -> Record:
    """One that was worked at for `minutes` and is complete since `at`."""
    since = at - timedelta(minutes=minutes)
    agent = changes.get("agent", "roy")
    stage = LANES.get(agent, agent)
    history = (
        Happened(since, "PENDING", "taken in"), Happened(since, "ASSIGNED", "starts", stage, 1),
        Happened(since, "IN_PROGRESS", "spawn requested", stage, 1), Happened(at, "GATING", "done", stage, 1),
        Happened(at, "READY", f"{stage} done", stage, 1), Happened(at, "COMPLETE", "all stages done", stage, 1),
    )  # fmt: skip
    return record(
        identity, "COMPLETE", completed_at=at, started_at=since, stage=stage, stage_agent=agent, attempt=1,
        submitted_at=changes.pop("submitted_at", since), history=history,
        spent=(Spent(at, agent, stage, 1, tokens, "reported"),) if tokens else (),
        tokens={"reported": tokens} if tokens else {}, done=(Done(stage, agent, "nats://x"),), **changes,
    )  # fmt: skip


def situation(*records: Record, **changes: Any) -> Situation:
    """In turns, the next one in five minutes, the seed's budget."""
    facts = Situation({one.id: one for one in records}, NOW, "turns", NOW + timedelta(minutes=5), BudgetConfig())
    return replace(facts, **changes)


def spending(agent: str, tokens: int, at: datetime = NOW) -> Spent:
    """What one attempt cost."""
    return Spent(at, agent, LANES.get(agent, agent), 1, tokens, "reported")


def seed() -> Iterable[Record]:
    """The example of the dashboard: REQ-042 runs, four wait, one may start, two were completed in the last hour."""
    roy_done = complete("REQ-041", ago(minutes=20), title="Storage locations schema")
    return (
        replace(working("REQ-042", 15, priority="HIGH"), spent=(spending("roy", 18_542),)),
        record("REQ-043", "PENDING", agent="database", priority="HIGH", depends_on=("REQ-042",)),
        record("REQ-050", "PENDING", agent="jen", depends_on=("REQ-042",)),
        record("REQ-051", "PENDING", agent="documentation", depends_on=("REQ-042",)),
        record("REQ-052"),
        record("REQ-065", priority="LOW", agent="documentation"),
        roy_done,
        complete("REQ-040", ago(minutes=40), agent="jen", title="Component library setup"),
        replace(
            complete("REQ-030", ago(hours=3), agent="documentation"),
            spent=(spending("documentation", 2_345, ago(hours=3)),),
        ),
    )
