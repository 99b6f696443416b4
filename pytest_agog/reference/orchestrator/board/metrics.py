"""The board's numbers and the success metrics, as Prometheus reads them (text format 0.0.4). [O19]

Every series is there from the start. Counts begin at 0, since 0 is what was counted. What is a mean or a share is NaN
until there is something to take it of: a false 0 would look like a measurement. [F52]
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, get_args

from pytest_agog.reference.orchestrator.board.attempts import Outcome, attempts
from pytest_agog.reference.orchestrator.board.board import board
from pytest_agog.reference.orchestrator.board.measures import COMPLEXITIES, Metrics, measure
from pytest_agog.reference.orchestrator.board.model import Board
from pytest_agog.reference.orchestrator.board.queues import PRIORITIES
from pytest_agog.reference.orchestrator.board.situation import Situation
from pytest_agog.wire.orchestration import State

__all__ = ["CONTENT_TYPE", "Metrics", "measure", "prometheus"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "agog_orchestrator_"
_BREAKER: Final = {None: 0, "half-open": 1, "open": 2}
_KINDS: Final = ("reported", "estimated")
_SHARES: Final = (
    ("first_time_acceptance_ratio", "first_time_acceptance",
     "Requirements completed without a rejection, of those completed or rejected."),
    ("blocker_ratio", "blocker_rate", "Requirements that were blocked at some time, of all."),
    ("escalation_ratio", "escalation_rate", "Requirements that a human had to decide about, of all."),
    ("parallel_success_ratio", "parallel_success",
     "Requirements complete without a merge conflict, of those built in parallel that ended."),
    ("conflict_ratio", "conflict_rate", "Requirements that met a merge conflict, of those built in parallel."),
    ("dependency_accuracy_ratio", "dependency_accuracy",
     "Dependencies that were complete when what needs them began, of all of what began."),
    ("tokens_per_requirement", "tokens_per_requirement", "Mean tokens of complete requirements that cost any."),
    ("throughput_per_day", "throughput", "Completions a day, over the last 7 days."),
    ("idle_seconds", "idle", "Time without work in the last 24 hours, all agents together."),
)  # fmt: skip
_MOST: Final = 100
"""Agents that have series, those with a share first. Whoever submits requirements names agents as they like."""
_UNTOLD: Final = "NaN until there is something to take it of."
Labels = Mapping[str, str]
Series = Iterable[tuple[Labels, float | None]]


def prometheus(situation: Situation) -> str:
    """All series, each with its help and type."""
    shown = board(situation)
    lines: list[str] = []
    for name, kind, about, series in (
        *_counts(situation, shown), *_agents(situation, shown), *_measures(shown.metrics),
    ):  # fmt: skip
        lines += (f"# HELP {_PREFIX}{name} {_help(about)}", f"# TYPE {_PREFIX}{name} {kind}")
        lines += (f"{_PREFIX}{name}{_labels(labels)} {_number(value)}" for labels, value in series)
    return "\n".join(lines) + "\n"


_Family = tuple[str, str, str, Series]


def _counts(situation: Situation, shown: Board) -> Iterator[_Family]:
    states = Counter(one.state for one in situation.records.values())
    budget = shown.budget
    by_state: Series = [({"state": state}, states[state]) for state in get_args(State)]
    depths: Series = [({"priority": one}, len(shown.queues[one])) for one in PRIORITIES]
    lags: Series = [({"consumer": consumer}, lag) for consumer, lag in shown.lags.items()]
    yield "requirements", "gauge", "Requirements by state.", by_state
    yield "queue_depth", "gauge", "Requirements that are not over, by priority.", depths
    yield "blockers", "gauge", "What holds work up and does not go away by itself.", _one(len(shown.blockers))
    yield "escalations", "gauge", "Requirements that a human has to decide about.", _one(len(shown.escalations))
    yield "alerts", "gauge", "What a human should know besides.", _one(len(shown.alerts))
    yield "active_agents", "gauge", "Agents that work, or for whom work waits.", _one(len(shown.active_agents))
    omitted = max(0, len(shown.agents) - _MOST)
    yield "agents_omitted", "gauge", f"Agents without series: {_MOST} at most have them.", _one(omitted)
    yield "budget_tokens", "gauge", "Tokens that a day may cost.", _one(budget.daily)
    yield "budget_used_tokens", "gauge", "Tokens that this UTC day cost so far.", _one(budget.used)
    yield "budget_remaining_tokens", "gauge", "Tokens that are left of the day's budget.", _one(budget.remaining)
    yield "conservation", "gauge", "Whether tokens are saved: 1 or 0.", _one(int(budget.conservation))
    yield "consumer_lag", "gauge", "Messages that a consumer has not dealt with, unacked ones included.", lags


def _agents(situation: Situation, shown: Board) -> Iterator[_Family]:
    agents = shown.agents[:_MOST]
    done = Counter(
        (one.agent, one.outcome) for record in situation.records.values() for one in attempts(record, situation.at)
    )
    spent: Counter[tuple[str, str]] = Counter()
    for record in situation.records.values():
        for one in record.spent:
            spent[one.agent, one.kind] += one.tokens
    measures = {one.agent: one for one in shown.metrics.agents}

    def of(agent: str) -> Labels:
        return {"agent": agent}

    tries: Series = [
        ({"agent": one.agent, "outcome": outcome}, done[one.agent, outcome])
        for one in agents for outcome in get_args(Outcome)
    ]  # fmt: skip
    tokens: Series = [
        ({"agent": one.agent, "kind": kind}, spent[one.agent, kind]) for one in agents for kind in _KINDS
    ]  # fmt: skip
    known = [(one, measures.get(one.agent)) for one in agents]
    yield "agent_working", "gauge", "Requirements that an agent works on.", [
        (of(one.agent), len(one.working_on)) for one in agents
    ]  # fmt: skip
    yield "agent_queue_depth", "gauge", "Requirements that wait for an agent.", [
        (of(one.agent), one.queue_depth) for one in agents
    ]  # fmt: skip
    yield "agent_budget_tokens", "gauge", "An agent's share of the day's tokens.", [
        (of(one.agent), one.share) for one in agents if one.share is not None
    ]  # fmt: skip
    yield "agent_used_tokens", "gauge", "Tokens that an agent cost this UTC day.", [
        (of(one.agent), one.tokens) for one in agents
    ]  # fmt: skip
    yield "tokens_total", "counter", "Tokens that agents cost, reported by them or estimated.", tokens
    yield "stage_attempts", "gauge", "Stage attempts by agent and by how they ended.", tries
    yield "breaker_state", "gauge", "Circuit breaker of an agent: 0 closed, 1 half-open, 2 open.", [
        (of(one.agent), _BREAKER[one.breaker]) for one in agents
    ]  # fmt: skip
    yield "agent_utilisation_ratio", "gauge", f"Share of the last 24 hours worked with success. {_UNTOLD}", [
        (of(one.agent), found.utilisation if found else None) for one, found in known
    ]  # fmt: skip
    yield "agent_idle_seconds", "gauge", f"Time of the last 24 hours without work. {_UNTOLD}", [
        (of(one.agent), found.idle if found else None) for one, found in known
    ]  # fmt: skip
    yield "agent_error_ratio", "gauge", f"Stage attempts that came to nothing, of those that ended. {_UNTOLD}", [
        (of(one.agent), found.error_rate if found else None) for one, found in known
    ]  # fmt: skip


def _measures(found: Metrics) -> Iterator[_Family]:
    for name, field, about in _SHARES:
        yield name, "gauge", f"{about} {_UNTOLD}", _one(getattr(found, field))
    yield "completion_seconds", "gauge", f"Mean time from submission to completion. {_UNTOLD}", [
        ({"complexity": size}, found.completion_time[size]) for size in COMPLEXITIES
    ]  # fmt: skip
    yield (
        "completed_today",
        "gauge",
        "Requirements completed this UTC day.",
        _one(next(reversed(found.per_day.values()), 0)),
    )
    yield (
        "parallel_requirements",
        "gauge",
        "Requirements that were built in parallel with others.",
        _one(found.parallel),
    )


# --- the format -------------------------------------------------------------------------------------------------------
def _one(value: float | None) -> Series:
    return [({}, value)]


def _number(value: float | None) -> str:
    return "NaN" if value is None or math.isnan(value) else f"{value:.17g}"


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{key}="{_value(value)}"' for key, value in labels.items()) + "}" if labels else ""


def _value(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
