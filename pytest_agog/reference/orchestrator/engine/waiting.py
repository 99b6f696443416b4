"""Whether what a requirement waits for can ever come by itself. [O5] [O14]

An agent that says BLOCKED names requirements as it likes, and people give work up while other work needs it. What can
only wait for ever goes to a human, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pytest_agog.reference.orchestrator.engine import messages
from pytest_agog.reference.orchestrator.state.record import Record


def needs_of(record: Record) -> tuple[str, ...]:
    """What it waits for now."""
    if record.state == "BLOCKED":
        return record.waits_for
    return record.depends_on if record.state == "PENDING" else ()


def complete(records: Mapping[str, Record], needs: tuple[str, ...]) -> bool:
    """Whether all of them are."""
    return all((found := records.get(one)) is not None and found.state == "COMPLETE" for one in needs)


def in_vain(record: Record, records: Mapping[str, Record]) -> str | None:
    """Why it would wait for ever, in words; None while what it waits for may come.

    Dependencies that nobody stated, and cycles of stated ones, are the plan's to find.
    """
    needs = needs_of(record)
    given_up = [one for one in needs if one in records and records[one].state == "FAILED"]
    if given_up:
        return f"waits for {', '.join(given_up)}, which was given up"
    if record.held_by != "agent":
        return None
    unknown = [one for one in needs if one not in records]
    if unknown:
        return f"{record.stage_agent} waits for {', '.join(unknown)}, which nobody has stated"
    if _was_there(record, records, needs):
        return f"{record.stage_agent} waits for {', '.join(needs)}, complete before it began"
    circle = _circle(record, records)
    if circle:
        return f"these wait for each other: {' -> '.join((*circle, circle[0]))}"
    return None


def _was_there(record: Record, records: Mapping[str, Record], needs: tuple[str, ...]) -> bool:
    """Whether everything was complete when the attempt began that says it is blocked: starting it anew helps nobody."""
    begun = record.stage_started_at
    if begun is None or not complete(records, needs):
        return False
    ends = (records[one].completed_at for one in needs)
    return all(end is None or end < begun for end in ends)


def _circle(record: Record, records: Mapping[str, Record]) -> tuple[str, ...]:
    """The shortest way over what waits for others back to itself."""
    came: dict[str, str] = {}
    layer = [record.id]
    while layer:
        after = []
        for identity in layer:
            one = records.get(identity)
            for need in needs_of(one) if one is not None else ():
                if need == record.id:
                    way = [identity]
                    while way[-1] != record.id:
                        way.append(came[way[-1]])
                    return tuple(reversed(way))
                if need not in came:
                    came[need] = identity
                    after.append(need)
        layer = after
    return ()


def handed_over(record: Record, why: str, records: Mapping[str, Record], at: datetime) -> Record:
    """It waits for a human from now on. Should what it waits for come one day, it goes on all the same."""
    # What is there already would start it at once.
    needs = tuple(one for one in needs_of(record) if one not in records or records[one].state != "COMPLETE")
    held = record.now(
        at, "BLOCKED", why, held_by="human", waits_for=needs, blockers=tuple(dict.fromkeys((why, *record.blockers))),
        escalations=record.escalations + 1,
    )  # fmt: skip
    return held.telling(messages.escalation(held, why, at, blockers=list(record.blockers)))
