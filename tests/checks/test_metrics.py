"""The check `metrics`: what is absent is no number, and each series that matches must hold."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.checks.metrics import MetricsArguments
from pytest_agog.ledger.answers import MetricsSeen, Sample
from tests.checks.builders import CHECKS, Book, told

NAME = "agog_part_up"
URL = "http://127.0.0.1:1/metrics"


def seen(*series: tuple[dict[str, str], str], **fields: Any) -> MetricsSeen:
    return MetricsSeen(f"metrics:{NAME}:", URL, NAME, tuple(Sample(NAME, *one) for one in series), **fields)


@pytest.mark.parametrize(
    ("value", "bound", "passed"),
    [
        ("1", 1, True), ("0", 1, False), ("1.5e3", {"at_least": 1500}, True), ("nan", None, False), ("nan", 0, False),
        ("nan", {"at_least": 0}, False), ("inf", {"at_least": 5}, True), ("0", None, True),
    ],
)  # fmt: skip
def test_values(book: Book, value: str, bound: Any, passed: bool) -> None:
    book.fact(seen(({"part": "nats"}, value)))
    verdict = book.judge("metrics", name=NAME, value=bound)
    assert verdict.passed is passed, told(verdict)


def test_what_is_absent_is_not_0(book: Book) -> None:
    book.fact(seen(close=("agog_part_ups",)))
    verdict = book.judge("metrics", name=NAME, value=0)
    assert not verdict.passed
    assert "no such series" in verdict.observed
    assert "agog_part_ups" in verdict.nearest


def test_each_one_that_matches_must_hold(book: Book) -> None:
    book.fact(seen(({"part": "nats"}, "1"), ({"part": "comms"}, "0")))
    verdict = book.judge("metrics", name=NAME, value=1)
    assert not verdict.passed
    assert verdict.observed == f'{NAME}{{part="comms"}} 0'
    assert book.judge("metrics", name=NAME, labels={"part": "nats"}, value=1).passed
    other = book.judge("metrics", name=NAME, labels={"part": "postgres"}, value=1)
    assert not other.passed
    assert "with other labels" in other.nearest


def test_labels_are_texts_whatever_yaml_takes_them_for(book: Book) -> None:
    book.fact(seen(({"le": "0.5"}, "3")))
    assert book.judge("metrics", name=NAME, labels={"le": 0.5}, value=3).passed


def test_nothing_that_was_read_proves_nothing(book: Book) -> None:
    assert not book.judge("metrics", name=NAME).passed
    book.fact(seen(reason="connection refused"))
    verdict = book.judge("metrics", name=NAME)
    assert not verdict.passed
    assert "connection refused" in verdict.observed


def test_bounds_that_cannot_fail_and_those_that_growth_breaks() -> None:
    def arguments(bound: Any) -> MetricsArguments:
        return MetricsArguments.model_validate({"name": NAME, "value": bound})

    assert CHECKS["metrics"].vacuous(arguments({"at_least": 0})) is not None
    assert CHECKS["metrics"].vacuous(arguments(1)) is None
    assert CHECKS["metrics"].growth_can_break(arguments({"at_most": 1}))
    assert not CHECKS["metrics"].growth_can_break(arguments({"at_least": 1}))
