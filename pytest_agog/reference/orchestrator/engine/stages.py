"""Which stages a requirement takes, who works at them, and which one is next. [O11]"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from pytest_agog.reference.orchestrator.state.record import REVIEW, Record

RESEARCH, CRITIQUE, QA, STATISTICS = "research", "critique", "qa", "statistics"
AGENTS: Final = {
    RESEARCH: "cynthia",
    CRITIQUE: "sylvia",
    "backend": "roy",
    "frontend": "jen",
    "database": "database",
    "documentation": "documentation",
    QA: "billy",
    "performance": "todd",
    "security": "vic",
    STATISTICS: "priya",
    "devops": "miki",
    REVIEW: "review",
    "release": "release",
}
"""Who works at a stage."""
STAGE_OF: Final = {agent: stage for stage, agent in AGENTS.items()}
"""The stage of an agent's own kind of work."""
IMPLEMENTING: Final = ("database", "backend", "frontend")
"""Stages that change the system, in the order that they need each other: schema, API, UI. [L2]"""
GATED: Final = frozenset({*IMPLEMENTING, "documentation", "devops"})
"""Stages whose work the gate judges."""
CONDITIONAL: Final = {"performance": "needs_todd", "security": "needs_vic"}
"""Stages that run only when a notice asked for them, and the flag that asks. [F22]"""
ADDRESSES: Final = ("backend", "frontend", "database", "documentation", "review")
"""Lanes that have a subject of their own."""
UNREVIEWED: Final = frozenset({REVIEW, "release"})
"""Lanes whose work is not reviewed again."""


def chain(lane: str, matter: Collection[str], *, assigned: bool) -> tuple[str, ...]:
    """The stages of a requirement.

    Args:
        lane: where routing sent it.
        matter: the implementing lanes that its text or files touch.
        assigned: whether its source names an agent; then it is that agent's alone.
    """
    if assigned or lane not in IMPLEMENTING:
        return (lane,)
    building = [stage for stage in IMPLEMENTING if stage == lane or stage in matter]
    return (RESEARCH, CRITIQUE, *building, QA, *CONDITIONAL, STATISTICS)


def agent_of(stage: str, record: Record) -> str:
    """Who works at `stage`: the requirement's own agent in its own lane, else the one whose stage it is."""
    if stage == record.lane and record.agent is not None:
        return record.agent
    return AGENTS.get(stage, stage)


def next_stage(record: Record) -> str | None:
    """The first stage that is neither done nor skipped; None when all are."""
    passed = {one.stage for one in record.done} | set(record.skipped)
    return next((stage for stage in record.chain if stage not in passed), None)


def skippable(record: Record) -> str | None:
    """The next stage, if it is a conditional one that nobody asked for."""
    stage = next_stage(record)
    return stage if stage in CONDITIONAL and stage not in record.wanted else None


def author(record: Record, named: Collection[str] = ()) -> str | None:
    """The stage that has to put work right: of those named, else the first that built something, else the only one."""
    built = [stage for stage in record.chain if stage in GATED] or [s for s in record.chain if s == record.lane]
    wanted = [stage for stage in built if AGENTS.get(stage) in named or stage in named or record.agent in named]
    return next(iter(wanted or built), None)
