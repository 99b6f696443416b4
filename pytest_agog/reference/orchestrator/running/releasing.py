"""What the release manager is told: which work can be merged, in which order, and how much of it. [O13]"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from pytest_agog.reference.orchestrator.engine import messages, stages
from pytest_agog.reference.orchestrator.state.record import Record

MINUTES_PER_MERGE: Final = 5
"""What a merge is estimated to take."""


def mergeable(records: Mapping[str, Record], *, reviewed: bool) -> list[Record]:
    """What is complete, reviewed and not yet signalled; dependencies come before what needs them.

    Work whose dependency is not merged, nor about to be, waits.
    """
    ready = {
        one.id: one
        for one in sorted(records.values(), key=lambda one: (str(one.completed_at), one.id))
        if one.state == "COMPLETE" and not one.released and (not reviewed or one.review in ("passed", "none"))
        and one.lane not in stages.UNREVIEWED
    }  # fmt: skip
    ordered: dict[str, Record] = {}
    changed = True
    while changed:
        changed = False
        for one in ready.values():
            if one.id in ordered:
                continue
            if all(need in ordered or _released(records, need) for need in one.depends_on):
                ordered[one.id] = one
                changed = True
    return list(ordered.values())


def _released(records: Mapping[str, Record], identity: str) -> bool:
    found = records.get(identity)
    return found is None or found.released or found.lane in stages.UNREVIEWED


def signalled(ready: Sequence[Record], place: int, *, queue: int) -> Callable[[Record], Record | None]:
    """The step that tells of the `place`-th of those that are ready; the last one tells of the batch, too."""

    def step(record: Record) -> Record | None:
        if record.released or record.state != "COMPLETE":
            return None
        payload = {
            "reqId": record.id, "title": record.stated.title, "priority": record.priority,
            "dependencies": list(record.depends_on), "deliverable": record.done[-1].deliverable_url
            if record.done else None, "queueDepth": queue, "estimatedMinutes": queue * MINUTES_PER_MERGE,
        }  # fmt: skip
        told = replace(record, released=True).telling(
            messages.integration(messages.MERGE_AGENT, "merge-ready", payload, f"{record.id}:merge:{record.attempts}")
        )
        if len(ready) > 1 and place == len(ready) - 1:
            batch = {
                "order": [one.id for one in ready], "queueDepth": queue,
                "estimatedMinutes": len(ready) * MINUTES_PER_MERGE,
            }  # fmt: skip
            told = told.telling(
                messages.integration(messages.MERGE_AGENT, "merge-batch", batch, f"{record.id}:batch:{len(ready)}")
            )
        return told

    return step
