"""Times of lines that do not say theirs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.comms.backfill.timing import Clock

START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)


def test_between_neighbours() -> None:
    clock = Clock()
    clock.know(10, START)
    clock.know(20, START + timedelta(seconds=10))
    assert clock.at(13) == START + timedelta(seconds=3)
    assert clock.at(9) < START
    assert clock.at(21) > START + timedelta(seconds=10)


def test_only_the_file_has_a_time() -> None:
    clock = Clock()
    clock.end(5, START.timestamp())
    assert clock.at(1) < clock.at(5) < START < clock.at(1) + timedelta(seconds=1)


def test_a_file_without_a_usable_time() -> None:
    for modified in (1e300, float("nan"), -1e18):
        clock = Clock()
        clock.end(1, modified)
        assert clock.at(1).year >= 1969
    assert Clock().at(3).tzinfo is UTC


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.datetimes(timezones=st.just(UTC))), max_size=6),
    st.lists(st.integers(1, 10**9), min_size=2, max_size=8),
)
def test_times_are_in_the_order_of_lines(known: list[tuple[int, datetime]], asked: list[int]) -> None:
    clock = Clock()
    for line, at in sorted(known, key=lambda item: item[0]):
        clock.know(line, at)
    clock.end(10**9, 1_772_000_000.0)
    times = [clock.at(line) for line in sorted(asked)]
    assert times == sorted(times)
