from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.ledger.ledger import Ledger
from pytest_agog.report.token_view import TokenView, percent, token_view, total
from tests.report.builders import chain_ledger, count_words


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.95, "95.0%"), (0.9496, "94.9%"), (0.29, "29.0%"), (1.0, "100.0%"), (-0.125, "-12.5%"), (0.0, "0.0%")],
)
def test_percentages_are_never_flattering(share: float, said: str) -> None:
    assert percent(share) == said


@given(st.integers(0, 1000))
def test_what_is_a_tenth_of_a_percent_is_said_so(tenths: int) -> None:
    assert percent(tenths / 1000) == f"{tenths // 10}.{tenths % 10}%"


def test_the_total_is_of_sums_not_an_average() -> None:
    whole = total([TokenView(1000, 0, 0, 10), TokenView(10, 10, 0, 90)])
    assert whole.spawn_savings == pytest.approx(1 - 10 / 1010)
    assert whole.largest_notice == 90


def test_nothing_handed_over_is_nothing_to_tell() -> None:
    assert token_view(Ledger(count_words)) is None


def test_the_numbers_are_those_of_the_account() -> None:
    found = token_view(chain_ledger(1000))
    assert found is not None
    assert (found.inline, found.fetched) == (6000, 600)
    assert sum(agent.inline for agent in found.agents) == found.inline
    assert sum(agent.notices for agent in found.agents) == found.notices
