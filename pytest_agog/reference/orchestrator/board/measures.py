"""Success metrics over records. [O19]

What cannot be computed yet is None (null in JSON, NaN for Prometheus, n/a for people), never 0: a share of nothing
is no share. Rates are 0 to 1, times are seconds. Everything follows the orchestrator's clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from pytest_agog.reference.orchestrator.board.attempts import Attempt, attempts
from pytest_agog.reference.orchestrator.board.situation import Situation
from pytest_agog.reference.orchestrator.state.record import Record

Complexity = Literal["S", "M", "L", "XL"]
COMPLEXITIES: Final[tuple[Complexity, ...]] = ("S", "M", "L", "XL")
DAYS: Final = 14
"""Days whose completions are counted one by one."""
WEEK: Final = timedelta(days=7)
"""What the mean throughput looks back over."""
WINDOW: Final = timedelta(hours=24)
"""What utilisation and idle time look back over."""
_DAY: Final = timedelta(days=1)
_CAMEL: Final = ConfigDict(alias_generator=to_camel, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class AgentMeasures:
    """How one agent did."""

    __pydantic_config__ = _CAMEL

    agent: str
    utilisation: float | None
    """Share of the window in which it worked at attempts that neither failed nor were rejected; several at a time count
    once. None before any time has passed, and for reviews, whose begin no record tells."""
    idle: float | None
    """Seconds of the window without work."""
    ended: int
    """Stage attempts that are over."""
    failed: int
    """Those that came to nothing."""
    error_rate: float | None
    """failed / ended."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """All of them, at one moment."""

    __pydantic_config__ = _CAMEL

    completed: int
    """Requirements that are complete."""
    per_day: dict[date, int]
    """Completions of the last 14 UTC days, the present one last; days before the first requirement are left out."""
    throughput: float | None
    """Completions a day: of the last 7 days, or as many as there have been; less than a day counts as one."""
    completion_time: dict[Complexity, float | None]
    """Mean seconds from submission to completion."""
    first_time_acceptance: float | None
    """Of the requirements whose work was completed or refused: those completed that were never refused."""
    blocker_rate: float | None
    """Of all requirements: those that were blocked at some time."""
    escalation_rate: float | None
    """Of all requirements: those that a human had to decide about."""
    tokens_per_requirement: float | None
    """Mean cost of complete requirements that cost anything, reported and estimated."""
    parallel: int
    """Requirements that were built at the same time as another."""
    parallel_success: float | None
    """Of those that ended: those that are complete without a merge conflict."""
    conflict_rate: float | None
    """Of those built in parallel: those that met a merge conflict."""
    dependency_accuracy: float | None
    """Of the dependencies of everything that began: those that were complete before it began."""
    agents: tuple[AgentMeasures, ...]
    idle: float | None
    """Seconds without work, all measured agents together."""


def measure(situation: Situation) -> Metrics:
    """The metrics of this moment."""
    return measured(situation, [one for record in situation.records.values() for one in attempts(record, situation.at)])


def measured(situation: Situation, tries: Sequence[Attempt]) -> Metrics:
    """The same, from attempts that were read already."""
    records = list(situation.records.values())
    side_by_side = parallel(tries)
    per_agent = _agents(tries, records, situation.at)
    idle = [one.idle for one in per_agent if one.idle is not None]
    return Metrics(
        completed=sum(one.state == "COMPLETE" for one in records),
        per_day=_per_day(records, situation.at),
        throughput=_throughput(records, situation.at),
        completion_time={size: _completion_time(records, size) for size in COMPLEXITIES},
        first_time_acceptance=_first_time(records),
        blocker_rate=_share(records, [one for one in records if _was_blocked(one)]),
        escalation_rate=_share(records, [one for one in records if one.escalations]),
        tokens_per_requirement=_cost(records),
        parallel=len(side_by_side),
        parallel_success=_parallel_success(situation.records, side_by_side),
        conflict_rate=_conflicts(records, side_by_side),
        dependency_accuracy=_dependencies(situation.records),
        agents=per_agent,
        idle=sum(idle) if idle else None,
    )


# --- throughput -------------------------------------------------------------------------------------------------------
def _completions(records: Iterable[Record]) -> list[datetime]:
    return [one.completed_at for one in records if one.state == "COMPLETE" and one.completed_at is not None]


def began(records: Iterable[Record]) -> datetime | None:
    """When the first requirement came."""
    return min((one.submitted_at for one in records if one.submitted_at is not None), default=None)


def _per_day(records: Sequence[Record], now: datetime) -> dict[date, int]:
    first = began(records)
    if first is None:
        return {}
    days = [now.date() - timedelta(days=back) for back in reversed(range(DAYS))]
    counts = {day: 0 for day in days if day >= first.date()}
    for moment in _completions(records):
        if moment.date() in counts:
            counts[moment.date()] += 1
    return counts


def _throughput(records: Sequence[Record], now: datetime) -> float | None:
    first = began(records)
    if first is None or first >= now:
        return None
    span = max(min(now - first, WEEK), _DAY)
    count = sum(now - span < moment <= now for moment in _completions(records))
    return count / (span / _DAY)


def _completion_time(records: Iterable[Record], size: Complexity) -> float | None:
    return _mean(
        max((one.completed_at - one.submitted_at).total_seconds(), 0.0)
        for one in records
        if one.complexity == size and one.state == "COMPLETE" and one.completed_at and one.submitted_at
    )


# --- quality ----------------------------------------------------------------------------------------------------------
def _first_time(records: Iterable[Record]) -> float | None:
    # A plan that the critic stops was never built: it is no rework.
    judged = [one for one in records if one.state == "COMPLETE" or one.rejections > int(one.stopped)]
    return _share(judged, [one for one in judged if not one.rejections])


def _was_blocked(record: Record) -> bool:
    return bool(record.blockers) or any(
        entry.state == "BLOCKED" or entry.why.endswith(" is to unblock it") for entry in record.history
    )


def _cost(records: Iterable[Record]) -> float | None:
    costs = [sum(one.tokens.values()) for one in records if one.state == "COMPLETE"]
    return _mean(cost for cost in costs if cost)


# --- coordination -----------------------------------------------------------------------------------------------------
def parallel(tries: Iterable[Attempt]) -> frozenset[str]:
    """The requirements that were built while another one was; meeting at one moment is no overlap."""
    # At one moment what ends comes before what starts.
    moments = sorted(
        (moment, starts, one.id)
        for one in tries
        if one.builds and one.end > one.start
        for moment, starts in ((one.start, True), (one.end, False))
    )
    open_now: dict[str, int] = defaultdict(int)
    alone: set[str] = set()
    found: set[str] = set()
    for _, starts, identity in moments:
        if not starts:
            open_now[identity] -= 1
            if not open_now[identity]:
                del open_now[identity]
                alone.discard(identity)
            continue
        open_now[identity] += 1
        if identity not in found:
            alone.add(identity)
        if len(open_now) > 1:
            found |= alone
            alone.clear()
    return frozenset(found)


def _parallel_success(records: Mapping[str, Record], side_by_side: frozenset[str]) -> float | None:
    ended = [records[one] for one in side_by_side if records[one].over or records[one].state == "ESCALATED"]
    return _share(ended, [one for one in ended if one.state == "COMPLETE" and not one.conflicted])


def _conflicts(records: Iterable[Record], side_by_side: frozenset[str]) -> float | None:
    # One that met a conflict was not alone, whatever is left in histories.
    concerned = [one for one in records if one.conflicted or one.id in side_by_side]
    return _share(concerned, [one for one in concerned if one.conflicted])


def _dependencies(records: Mapping[str, Record]) -> float | None:
    edges = [
        (one.started_at, records.get(need))
        for one in records.values() if one.started_at is not None
        for need in one.depends_on
    ]  # fmt: skip
    kept = [1 for start, need in edges if need is not None and (done := _complete_at(need)) and done <= start]
    return _share(edges, kept)


def _complete_at(record: Record) -> datetime | None:
    """When it was complete for the first time; a review may have opened it again."""
    first = next((entry.at for entry in record.history if entry.state == "COMPLETE"), None)
    return first or record.completed_at


# --- agents -----------------------------------------------------------------------------------------------------------
def _agents(tries: Iterable[Attempt], records: Iterable[Record], now: datetime) -> tuple[AgentMeasures, ...]:
    by_agent: dict[str, list[Attempt]] = defaultdict(list)
    for one in tries:
        by_agent[one.agent].append(one)
    first = began(records)
    window = None if first is None or first >= now else max(first, now - WINDOW)
    return tuple(_agent(agent, by_agent[agent], window, now) for agent in sorted(by_agent))


def _agent(agent: str, tries: Sequence[Attempt], window: datetime | None, now: datetime) -> AgentMeasures:
    ended = [one for one in tries if one.over]
    failed = [one for one in ended if one.outcome == "failed"]
    utilisation = idle = None
    if window is not None:
        length = (now - window).total_seconds()
        useful = [one for one in tries if one.outcome not in ("failed", "rejected")]
        utilisation = covered(useful, window, now) / length
        idle = length - covered(tries, window, now)
    return AgentMeasures(agent, utilisation, idle, len(ended), len(failed), _share(ended, failed))


def covered(tries: Iterable[Attempt], start: datetime, end: datetime) -> float:
    """Seconds between `start` and `end` in which at least one of the attempts ran."""
    total, reached = timedelta(), start
    for one in sorted(tries, key=lambda one: one.start):
        begin, over = max(one.start, reached), min(one.end, end)
        if over > begin:
            total += over - begin
            reached = over
    return total.total_seconds()


def _share(whole: Sequence[object], part: Sequence[object]) -> float | None:
    return len(part) / len(whole) if whole else None


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None
