"""Success metrics against hand counts. [O19] [F52]"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.board.attempts import Attempt
from pytest_agog.reference.orchestrator.board.measures import covered, measure, parallel
from pytest_agog.reference.orchestrator.state.record import Happened
from tests.reference.orchestrator.board.making import NOW, ago, complete, record, situation, working


def test_nothing_to_measure_is_no_zero() -> None:
    found = measure(situation())
    assert (found.completed, found.per_day, found.parallel, found.agents) == (0, {}, 0, ())
    assert set(found.completion_time.values()) == {None}
    rates = ("throughput", "first_time_acceptance", "blocker_rate", "escalation_rate", "tokens_per_requirement",
             "parallel_success", "conflict_rate", "dependency_accuracy", "idle")  # fmt: skip
    assert {getattr(found, name) for name in rates} == {None}


def test_work_that_has_only_begun_leaves_most_unmeasured() -> None:
    found = measure(situation(working("REQ-1", 10)))
    assert found.throughput == 0  # ten minutes were watched, and nothing was completed in them
    assert found.blocker_rate == 0
    assert found.first_time_acceptance is None
    assert found.parallel_success is None
    assert found.dependency_accuracy is None
    (roy,) = found.agents
    assert (roy.utilisation, roy.idle, roy.ended, roy.error_rate) == (1.0, 0.0, 0, None)


def test_throughput_is_of_the_last_week_and_never_extrapolated() -> None:
    one_day = [complete(f"REQ-{n}", ago(hours=n + 1)) for n in range(3)]
    assert measure(situation(*one_day)).throughput == 3
    ten_days = [complete(f"REQ-{n}", ago(days=n, minutes=1)) for n in range(10)]
    assert measure(situation(*ten_days)).throughput == 1  # 7 in 7 days
    two_days = [complete("REQ-1", ago(hours=1), minutes=48 * 60 - 60)]
    assert measure(situation(*two_days)).throughput == 0.5


def test_completions_by_day_begin_with_the_first_requirement() -> None:
    found = measure(situation(complete("REQ-1", ago(days=2)), complete("REQ-2", ago(days=2)), complete("REQ-3", NOW)))
    assert found.per_day == {date(2026, 2, 28): 2, date(2026, 3, 1): 0, date(2026, 3, 2): 1}
    old = measure(situation(complete("REQ-1", ago(days=40))))
    assert list(old.per_day) == [date(2026, 2, 17) + timedelta(days=n) for n in range(14)]
    assert sum(old.per_day.values()) == 0


def test_time_to_completion_by_complexity() -> None:
    found = measure(situation(
        complete("REQ-1", NOW, minutes=10, complexity="S"), complete("REQ-2", NOW, minutes=20, complexity="S"),
        complete("REQ-3", NOW, minutes=300, complexity="XL"), working("REQ-4", 500, complexity="L"),
    ))  # fmt: skip
    assert found.completion_time == {"S": 900, "M": None, "L": None, "XL": 18_000}


def test_first_time_acceptance_counts_completed_and_refused_work() -> None:
    found = measure(situation(
        complete("REQ-1", NOW), complete("REQ-2", NOW), complete("REQ-3", NOW, rejections=1),
        working("REQ-4", 5, rejections=2), working("REQ-5", 5),
        record("REQ-6", "REJECTED", rejections=1, stopped=True),
    ))  # fmt: skip
    assert found.first_time_acceptance == 2 / 4


def test_blockers_and_escalations_are_shares_of_all() -> None:
    was_blocked = (Happened(ago(hours=2), "BLOCKED", "no key"), Happened(ago(hours=1), "READY", "unblocked"))
    found = measure(situation(
        record("REQ-1", "BLOCKED"), record("REQ-2", history=was_blocked), record("REQ-3"), record("REQ-4"),
        record("REQ-5", "ESCALATED", escalations=2),
    ))  # fmt: skip
    assert found.blocker_rate == 2 / 5
    assert found.escalation_rate == 1 / 5


def test_tokens_per_requirement_are_of_complete_ones_that_cost_any() -> None:
    both = replace(complete("REQ-2", NOW), tokens={"reported": 100, "estimated": 200})
    found = measure(situation(complete("REQ-1", NOW, tokens=500), both, complete("REQ-3", NOW),
                              working("REQ-4", 5, tokens={"reported": 9_000})))  # fmt: skip
    assert found.tokens_per_requirement == 400


def test_parallel_work_its_success_and_its_conflicts() -> None:
    one = complete("REQ-1", NOW, minutes=30)
    two = complete("REQ-2", ago(minutes=10), minutes=30, agent="jen", conflicted=True)
    after = complete("REQ-3", ago(minutes=40), minutes=10)  # ends when REQ-2 begins: not at the same time
    found = measure(situation(one, two, after))
    assert found.parallel == 2
    assert found.parallel_success == 1 / 2
    assert found.conflict_rate == 1 / 2


def test_attempts_that_fail_count_as_errors_and_not_as_productive() -> None:
    history = (
        Happened(ago(minutes=60), "PENDING"), Happened(ago(minutes=60), "ASSIGNED", "", "backend", 1),
        Happened(ago(minutes=50), "READY", "exit 1; again in 1 s", "backend", 1),
        Happened(ago(minutes=50), "ASSIGNED", "", "backend", 2), Happened(ago(minutes=35), "GATING", "", "backend", 2),
        Happened(ago(minutes=34), "REJECTED", "refused by gate", "backend", 2),
        Happened(ago(minutes=30), "ASSIGNED", "", "backend", 3), Happened(ago(minutes=10), "GATING", "", "backend", 3),
    )  # fmt: skip
    found = measure(situation(record("REQ-1", "GATING", history=history)))
    (roy,) = found.agents
    assert (roy.ended, roy.failed, roy.error_rate) == (3, 1, 1 / 3)
    assert roy.utilisation == pytest.approx(20 / 60)
    assert roy.idle == (60 - 10 - 15 - 20) * 60
    assert found.idle == roy.idle


def test_several_instances_at_a_time_are_not_more_than_all_of_it() -> None:
    found = measure(situation(working("REQ-1", 60), working("REQ-2", 60), working("REQ-3", 30)))
    assert [(one.agent, one.utilisation, one.idle) for one in found.agents] == [("roy", 1.0, 0.0)]


def test_utilisation_looks_back_a_day() -> None:
    found = measure(situation(complete("REQ-1", ago(hours=18), minutes=24 * 60)))
    assert found.agents[0].utilisation == 6 / 24


def test_dependencies_are_kept_or_not() -> None:
    first = complete("REQ-1", ago(minutes=30), minutes=10)
    good = working("REQ-2", 30, depends_on=("REQ-1",))
    early = working("REQ-3", 35, depends_on=("REQ-1", "REQ-2"))  # neither was complete then
    unknown = working("REQ-4", 5, depends_on=("REQ-404",))
    waiting = record("REQ-5", "PENDING", depends_on=("REQ-2",))
    assert measure(situation(first, good, waiting)).dependency_accuracy == 1
    assert measure(situation(first, good, early, unknown, waiting)).dependency_accuracy == 1 / 4


def test_a_dependency_that_its_review_opened_again_was_complete_all_the_same() -> None:
    history = (Happened(ago(hours=2), "COMPLETE", "all stages done"), Happened(ago(hours=1), "REJECTED", "by review"))
    reopened = record("REQ-1", "REJECTED", history=history, rejections=1)
    found = measure(situation(reopened, working("REQ-2", 90, depends_on=("REQ-1",))))
    assert found.dependency_accuracy == 1


# --- intervals --------------------------------------------------------------------------------------------------------
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
spans = st.lists(
    st.tuples(st.sampled_from(["REQ-1", "REQ-2", "REQ-3", "REQ-4"]), st.integers(0, 30), st.integers(0, 10)),
    max_size=12,
)


def tries(found: list[tuple[str, int, int]]) -> list[Attempt]:
    return [
        Attempt(one, "roy", "backend", 1, EPOCH + timedelta(minutes=start),
                EPOCH + timedelta(minutes=start + length), "done", builds=True)
        for one, start, length in found
    ]  # fmt: skip


@given(spans)
def test_parallel_is_what_comparing_every_pair_finds(found: list[tuple[str, int, int]]) -> None:
    expected = {
        one.id
        for first, second in combinations(tries(found), 2)
        if first.id != second.id and max(first.start, second.start) < min(first.end, second.end)
        for one in (first, second)
    }
    assert parallel(tries(found)) == expected


@given(spans, st.integers(0, 20), st.integers(0, 20))
def test_covered_is_the_count_of_minutes(found: list[tuple[str, int, int]], start: int, length: int) -> None:
    minutes = {minute for _, begin, lasts in found for minute in range(begin, begin + lasts)}
    expected = len(minutes & set(range(start, start + length)))
    window = EPOCH + timedelta(minutes=start)
    assert covered(tries(found), window, window + timedelta(minutes=length)) == expected * 60
