"""The board of a situation. [O18]"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pytest_agog.masking import mask
from pytest_agog.reference.orchestrator.board.activity import activities, spent_today
from pytest_agog.reference.orchestrator.board.attempts import attempts
from pytest_agog.reference.orchestrator.board.measures import measured
from pytest_agog.reference.orchestrator.board.model import Blocker, Board, Budget, Completion
from pytest_agog.reference.orchestrator.board.queues import is_held, note, queues, title
from pytest_agog.reference.orchestrator.board.situation import Situation
from pytest_agog.reference.orchestrator.state.record import Record

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.planning.config import BudgetConfig

RECENT: Final = timedelta(hours=1)
"""How far recent completions go back."""


def board(situation: Situation) -> Board:
    """Everything that a board shows, from one moment."""
    records = situation.records
    tries = [one for record in records.values() for one in attempts(record, situation.at)]
    metrics = measured(situation, tries)
    agents = activities(situation, shares(situation.budget), tries, metrics)
    return Board(
        at=situation.at, mode=situation.mode, next_turn=situation.next_turn, budget=_budget(situation),
        active_agents=tuple(one.agent for one in agents if one.working_on or one.before_gate or one.queue_depth),
        queues=queues(situation), agents=agents, blockers=(*_blocked(records), *_resting(situation)),
        escalations=_escalated(records), completions=_completions(situation), completed=metrics.completed,
        critical_path=critical_path(records), lags=dict(sorted(situation.lags.items())),
        alerts=tuple(mask(one) for one in situation.alerts), metrics=metrics,
        health=situation.health,
    )  # fmt: skip


def shares(budget: BudgetConfig) -> dict[str, int]:
    """Tokens a day by agent, in the order of the configuration."""
    return dict(budget.shares)


def _budget(situation: Situation) -> Budget:
    daily = situation.budget.daily
    used = sum(spent_today(situation.records.values(), situation.at).values())
    remaining = max(daily - used, 0)
    state = situation.conservation
    return Budget(
        daily, used, remaining, remaining / daily if daily else 0.0, state is not None,
        tuple(mask(one) for one in state.reasons) if state is not None else (),
    )  # fmt: skip


# --- what holds work up -----------------------------------------------------------------------------------------------
def _blocked(records: Mapping[str, Record]) -> tuple[Blocker, ...]:
    found = [one for one in records.values() if one.state == "BLOCKED"]
    return tuple(_blocker(one, "; ".join(one.blockers)) for one in sorted(found, key=_longest_first))


def _escalated(records: Mapping[str, Record]) -> tuple[Blocker, ...]:
    """What a human has to decide; what is blocked stands among the blockers."""
    found = [
        one for one in records.values()
        if (is_held(one) and one.state != "BLOCKED") or (one.state == "COMPLETE" and one.review == "failed")
    ]  # fmt: skip
    return tuple(_blocker(one, note(one)) for one in sorted(found, key=_longest_first))


def _blocker(record: Record, reason: str) -> Blocker:
    since = record.history[-1].at if record.history else None
    return Blocker(record.id, title(record), record.agent, mask(reason[:4000])[:1000], since, held=is_held(record))


def _longest_first(record: Record) -> tuple[str, str]:
    return (record.history[-1].at.isoformat() if record.history else "", record.id)


def _resting(situation: Situation) -> tuple[Blocker, ...]:
    said = {"open": "rests: most of its last attempts failed", "half-open": "is on trial: one attempt decides"}
    return tuple(
        Blocker(None, "", agent, said[state], None, held=False) for agent, state in sorted(situation.breakers.items())
    )


def _completions(situation: Situation) -> tuple[Completion, ...]:
    recent = [
        (one.completed_at, one)
        for one in situation.records.values()
        if one.state == "COMPLETE" and one.completed_at is not None
        and situation.at - RECENT < one.completed_at <= situation.at
    ]  # fmt: skip
    return tuple(
        Completion(one.id, title(one), one.agent, at, one.review, sum(one.tokens.values()))
        for at, one in sorted(recent, key=lambda pair: (pair[0], pair[1].id), reverse=True)
    )


# --- critical path ----------------------------------------------------------------------------------------------------
def critical_path(records: Mapping[str, Record]) -> tuple[str, ...]:
    """The run of open requirements that wait for each other and cost most, by estimate; empty when none waits. [O5]

    What stands in a cycle, or waits for one, is left out: it has no end.
    """
    needs: dict[str, list[str]] = {}
    for one in records.values():
        if not one.over:
            open_ = (need for need in {*one.depends_on, *one.waits_for} if need in records and not records[need].over)
            needs[one.id] = sorted(open_)
    waiting: dict[str, list[str]] = defaultdict(list)
    for one_id, before in needs.items():
        for need in before:
            waiting[need].append(one_id)
    left = {one_id: len(before) for one_id, before in needs.items()}
    free = deque(sorted(one_id for one_id, count in left.items() if not count))
    weight: dict[str, int] = {}
    came_from: dict[str, str] = {}
    while free:
        here = free.popleft()
        weight[here] = records[here].estimated_tokens + weight.get(came_from.get(here, ""), 0)
        for one_id in waiting[here]:
            if one_id not in came_from or weight[here] > weight[came_from[one_id]]:
                came_from[one_id] = here
            left[one_id] -= 1
            if not left[one_id]:
                free.append(one_id)
    ends = [one_id for one_id in weight if one_id in came_from]
    if not ends:
        return ()
    path = [max(sorted(ends), key=lambda one_id: weight[one_id])]
    while path[-1] in came_from:
        path.append(came_from[path[-1]])
    return tuple(reversed(path))
