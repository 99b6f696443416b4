"""Turns: who looks for work at which minute. [O17]"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.running.turns import next_turn, turns

TEN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def test_the_half_hour_of_the_cadence_table() -> None:
    found = [(turn.at.minute, turn.agents) for turn in turns(TEN - timedelta(seconds=1), TEN + timedelta(minutes=30))]
    assert found == [
        (0, ("orchestrator", "roy")), (5, ("jen",)), (10, ("database",)), (15, ("documentation",)), (20, ("review",)),
        (25, ("release",)), (30, ("orchestrator", "roy")),
    ]  # fmt: skip


def test_a_day_has_288_turns() -> None:
    assert len(list(turns(TEN, TEN + timedelta(days=1)))) == 288


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)))  # noqa: DTZ001
def test_the_next_turn_is_ahead_and_within_five_minutes(moment: datetime) -> None:
    assert timedelta() < next_turn(moment).at - moment <= timedelta(minutes=5)


@given(
    st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)),  # noqa: DTZ001
    st.lists(st.integers(1, 7200), min_size=1, max_size=8),
)
def test_however_time_is_cut_each_turn_comes_once(start: datetime, steps: list[int]) -> None:
    moment, pieces = start, []
    for seconds in steps:
        pieces += list(turns(moment, moment + timedelta(seconds=seconds)))
        moment += timedelta(seconds=seconds)
    assert pieces == list(turns(start, moment))
