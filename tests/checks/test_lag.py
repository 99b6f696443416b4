from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.checks.lag import LagArguments
from pytest_agog.ledger.answers import ConsumerSeen
from tests.checks.builders import CHECKS, Book, told

GIVEN = {"stream": "agent-comms", "consumer": "jangar"}
KEY = "consumer:agent-comms:jangar"


@pytest.mark.parametrize(
    ("pending", "unacked", "bound", "passed"),
    [(0, 0, 0, True), (0, 7, 0, False), (7, 0, 0, False), (3, 4, 7, True), (3, 4, {"at_least": 8}, False)],
)
def test_pending_and_unacknowledged_count_together(
    book: Book, pending: int, unacked: int, bound: Any, passed: bool
) -> None:
    state = {"num_pending": pending, "num_ack_pending": unacked}
    book.fact(ConsumerSeen(KEY, "agent-comms", "jangar", exists=True, state=state))
    verdict = book.judge("lag", **GIVEN, pending_and_unacked=bound)
    assert verdict.passed is passed, told(verdict)
    assert f"{pending} pending and {unacked} unacknowledged" in verdict.observed


def test_what_nobody_acknowledges_comes_again_and_that_is_told(book: Book) -> None:
    state = {"num_pending": 0, "num_ack_pending": 7}
    book.fact(ConsumerSeen(KEY, "agent-comms", "jangar", exists=True, config={"ack_wait": 30.0}, state=state))
    assert "comes again 30 s after" in book.judge("lag", **GIVEN, pending_and_unacked=0).nearest
    assert book.judge("lag", **GIVEN, pending_and_unacked=7).nearest == ""


def test_a_consumer_that_is_not_there(book: Book) -> None:
    assert "was not looked up" in book.judge("lag", **GIVEN, pending_and_unacked=0).observed
    book.fact(ConsumerSeen(KEY, "agent-comms", "jangar", exists=False))
    assert not book.judge("lag", **GIVEN, pending_and_unacked=0).passed
    book.fact(ConsumerSeen(KEY, "agent-comms", "jangar", exists=False, reason="NATS is not connected"))
    assert "NATS is not connected" in book.judge("lag", **GIVEN, pending_and_unacked=0).observed


def test_bounds_that_cannot_fail_and_those_that_growth_breaks() -> None:
    def arguments(bound: Any) -> LagArguments:
        return LagArguments.model_validate({**GIVEN, "pending_and_unacked": bound})

    assert CHECKS["lag"].vacuous(arguments({"at_least": 0})) is not None
    assert CHECKS["lag"].vacuous(arguments(0)) is None
    assert CHECKS["lag"].growth_can_break(arguments({"at_least": 5}))
    assert not CHECKS["lag"].growth_can_break(arguments(0))
