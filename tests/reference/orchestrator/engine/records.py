"""Records to begin with, and notices as agents give them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_agog.reference.orchestrator.engine import stages, working
from pytest_agog.reference.orchestrator.engine.config import OrchestratorConfig
from pytest_agog.reference.orchestrator.engine.judging import Judged, judged
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire import notices
from pytest_agog.wire.notices import Notice
from pytest_agog.wire.orchestration import CommandRun

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULES = OrchestratorConfig()
GOOD = Judged(
    accepted=True, commands=(CommandRun(command="tests", exit=0, seconds=1, output_tail="3 passed"),), missing=(),
    feedback="",
)  # fmt: skip
BAD = Judged(
    accepted=False, commands=(CommandRun(command="build", exit=2, seconds=1, output_tail="error TS2304"),), missing=(),
    feedback="build: exit 2\nerror TS2304",
)  # fmt: skip


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def ready(lane: str = "backend", *matter: str, assigned: bool = False, **changes: Any) -> Record:
    """A requirement that may start: in the chain, or in its single lane when it is assigned."""
    stated = Stated("REQ-7", "Stock transactions", 1, agent=stages.AGENTS[lane] if assigned else None)
    record = Record(
        "REQ-7", "READY", stated, lane=lane, agent=stages.AGENTS[lane],
        chain=stages.chain(lane, matter, assigned=assigned),
    )  # fmt: skip
    return replace(record, **changes)


def begin(record: Record) -> Record:
    """Its next stage, running."""
    begun = working.started(working.prepared(record, NOW), NOW, RULES)
    return sent(working.dispatched(begun, NOW))


def sent(record: Record) -> Record:
    """All that it had to tell was told."""
    return replace(record, outbox=())


def notice(record: Record, status: str = "COMPLETE", agent: str | None = None, **fields: Any) -> Notice:
    """What the agent of the running stage says."""
    who = agent or record.stage_agent or ""
    fields = {"critique_verdict": "APPROVED"} | fields if record.stage == "critique" else fields
    return notices.create(who, record.id, status, f"agog.deliverables.{who}.x.{record.id}", "done", **fields)


def finish(record: Record, *, verdict: Judged = GOOD, **fields: Any) -> Record:
    """The running stage ends with a notice, and with the gate's verdict where there is a gate."""
    ended = working.ended(record, notice(record, **fields), NOW, RULES)
    return judged(ended, verdict, NOW, RULES) if ended.state == "GATING" else ended


def until(record: Record, stage: str) -> Record:
    """`stage` runs; everything before went well."""
    record = begin(record)
    while record.stage != stage:
        record = begin(sent(finish(record)))
    return record


def subjects(record: Record) -> list[str]:
    """Where its messages go, in order."""
    return [effect.subject.removeprefix("agog.orchestration.events.") for effect in record.outbox]
