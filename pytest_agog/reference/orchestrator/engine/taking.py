"""From a stated requirement to one that is ready: taken in, routed, held, released. [O1] [O4] [O5]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_agog.reference.orchestrator.engine import messages, stages
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.state.record import Record

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.planning.plan import Planned


def taken(stated: Stated, at: datetime) -> Record:
    """A new requirement, nothing decided yet."""
    record = Record(stated.id, "PENDING", stated, submitted_at=at, agent=stated.agent)
    return record.now(at, "PENDING", f"taken in from {stated.file or 'a submission'}")


def settled(stated: Stated, at: datetime) -> Record:
    """Work that was complete before anybody here knew of it: nothing is to be done, but others may depend on it."""
    record = Record(stated.id, "COMPLETE", stated, submitted_at=at, agent=stated.agent, released=True)
    return record.now(at, "COMPLETE", f"complete already, says {stated.file or 'a submission'}")


def routed(record: Record, planned: Planned, at: datetime) -> Record:
    """What planning decided about it, published with its reasons; work that nobody can be found for goes to a human."""
    told = replace(
        record, lane=planned.lane, agent=planned.agent, priority=planned.priority, complexity=planned.complexity,
        estimated_tokens=planned.estimated_tokens, depends_on=tuple(planned.depends_on),
        reasons=tuple(planned.reasons),
    )  # fmt: skip
    if planned.lane is None:
        told = told.now(at, "ESCALATED", "no lane: " + "; ".join(planned.reasons), escalations=told.escalations + 1)
        return told.telling(
            messages.decision(told, at),
            messages.escalation(told, "nobody can be found to do it: " + "; ".join(planned.reasons), at),
        )
    assigned = record.stated.agent is not None
    told = replace(told, chain=stages.chain(planned.lane, planned.matter, assigned=assigned))
    told = told.now(at, "PENDING", f"routed to {planned.agent}")
    effects = [messages.decision(told, at)]
    if planned.lane in stages.ADDRESSES:
        effects.append(messages.requirement(told, planned.lane))
    return told.telling(*effects)


def replanned(record: Record, planned: Planned, at: datetime) -> Record:
    """What others that came later change about it: who waits for it makes it urgent, and it may wait for them. [O2]"""
    needs = tuple(planned.depends_on)
    if record.started_at is not None or (record.priority, record.depends_on) == (planned.priority, needs):
        return record
    told = replace(record, priority=planned.priority, depends_on=needs, reasons=tuple(planned.reasons))
    told = told.now(at, "PENDING" if record.state == "READY" else record.state, f"priority {planned.priority}")
    return told.telling(messages.decision(told, at))


def released(record: Record, at: datetime) -> Record:
    """Its dependencies are complete: it may start."""
    why = f"{', '.join(record.depends_on)} complete" if record.depends_on else "nothing to wait for"
    return record.now(at, "READY", why)


def missing(record: Record, needs: Sequence[str], at: datetime) -> Record:
    """It depends on requirements that nobody has stated: it waits for them, and a human is told."""
    why = f"needs {', '.join(needs)}, which nobody has stated"
    held = record.now(
        at, "BLOCKED", why, held_by="missing", waits_for=tuple(needs), blockers=(why,),
        escalations=record.escalations + 1,
    )  # fmt: skip
    return held.telling(messages.escalation(held, why, at, missing=list(needs)))


def cyclic(record: Record, cycle: Sequence[str], at: datetime) -> Record:
    """It depends on itself over others: only a human can say which of the dependencies is none."""
    why = f"dependency cycle: {' -> '.join((*cycle, cycle[0]))}"
    held = record.now(at, "BLOCKED", why, held_by="cycle", blockers=(why,), escalations=record.escalations + 1)
    return held.telling(messages.escalation(held, why, at, cycle=list(cycle)))


def freed(record: Record, at: datetime) -> Record:
    """What its plan was held by is gone: the missing requirement came, or the cycle was resolved."""
    free = record.now(at, "PENDING", "no longer held", held_by=None, waits_for=(), blockers=())
    return free.telling(messages.workflow(free, "workflow.resumed", at))


def restated(record: Record, stated: Stated, at: datetime) -> Record:
    """Its source changed: as long as work has not begun it is routed anew, afterwards it stays as it was. [F13]"""
    if record.started_at is not None or record.state not in ("PENDING", "READY", "BLOCKED", "ESCALATED"):
        return record
    anew = replace(
        record, stated=stated, lane=None, agent=stated.agent, reasons=(), chain=(), held_by=None, waits_for=(),
        blockers=(),
    )  # fmt: skip
    return anew.now(at, "PENDING", "stated anew")


def says_the_same(one: Stated, other: Stated) -> bool:
    """Whether two ask for the same; where they stand and what their status says does not count."""
    return _content(one) == _content(other)


def _content(stated: Stated) -> Stated:
    return replace(stated, line=0, file="", state="PENDING")
