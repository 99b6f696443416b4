"""The circuit breaker of an agent. [O14] [F32]"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pytest_agog.reference.orchestrator.engine.config import BreakerConfig
from pytest_agog.reference.orchestrator.running.breaker import Breaker, dump, load

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULES = BreakerConfig()


def told(outcomes: str, breaker: Breaker | None = None, at: datetime = NOW, begin: int = 0) -> Breaker:
    """A breaker that was told of good (`+`) and bad (`-`) ends."""
    breaker = breaker or Breaker()
    for number, sign in enumerate(outcomes, begin):
        breaker = breaker.told(f"REQ-{number}", well=sign == "+", now=at, config=RULES)
    return breaker


def test_half_of_the_last_ten_leave_it_closed_and_one_more_opens_it() -> None:
    assert told("+-+-+-+-+-").position(NOW, RULES) == "closed"
    assert told("+-+-+-+-+--").position(NOW, RULES) == "open"


def test_what_is_longer_ago_than_the_window_is_forgotten() -> None:
    assert told("-----++++++++++-----").position(NOW, RULES) == "closed"


def test_after_a_rest_one_attempt_decides() -> None:
    opened = told("------")
    rested = NOW + timedelta(seconds=RULES.rest)
    assert opened.position(rested - timedelta(seconds=1), RULES) == "open"
    assert opened.position(rested, RULES) == "half-open"
    assert told("+", opened, rested, 50).position(rested, RULES) == "closed"
    assert told("-", opened, rested, 50).position(rested, RULES) == "open"


def test_an_attempt_that_is_told_twice_counts_once() -> None:
    breaker = told("-----")
    assert breaker.told("REQ-4", well=False, now=NOW, config=RULES) is breaker


def test_it_is_what_was_stored() -> None:
    opened = told("------")
    assert load(dump(opened)) == opened
    assert load(b"odd") == Breaker()
