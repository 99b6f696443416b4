"""Generated reports: as long as wanted, always the same, with sections to fetch."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agog import tokens
from pytest_agog.play.agents.generate import HEADINGS, TOLERANCE, report
from pytest_agog.reference.deliverables.outline import outline, section


@settings(max_examples=60, deadline=None)
@given(wanted=st.integers(50, 3000), seed=st.integers(-(2**40), 2**40))
def test_it_has_the_wanted_tokens_and_all_sections(wanted: int, seed: int) -> None:
    text = report(wanted, seed)
    assert abs(tokens.count(text) - wanted) <= wanted * TOLERANCE
    assert [heading.title for heading in outline(text) if heading.level == 2] == list(HEADINGS)
    assert text.startswith(f"# Generated report {seed}\n")


def test_the_same_numbers_make_the_same_report_and_other_seeds_another() -> None:
    assert report(8000, 7) == report(8000, 7)
    assert report(8000, 7) != report(8000, 8)
    assert set(report(8000, 7).splitlines()) - set(report(8000, 8).splitlines())


def test_two_million_tokens_take_seconds() -> None:
    started = time.process_time()
    text = report(2_000_000, 1)
    assert time.process_time() - started < 10
    assert abs(tokens.count(text) - 2_000_000) <= 20_000


def test_sections_share_the_length() -> None:
    text = report(20_000, 3)
    sizes = [tokens.count(section(text, heading)) for heading in HEADINGS]
    assert all(3_000 < size < 5_000 for size in sizes)
    assert "| part | count |" in text
    assert "```sql" in text


@pytest.mark.parametrize("counter", [len, lambda text: len(text.split()), lambda text: len(text) // 4])
def test_other_counters_are_served_too(counter: object) -> None:
    assert callable(counter)
    for wanted in (2_000, 30_000):
        assert abs(counter(report(wanted, 5, counter)) - wanted) <= wanted * TOLERANCE
