from __future__ import annotations

from typing import Any

import pytest

from tests.checks.builders import Book, told


def state(book: Book, name: Any, requirement: str = "REQ-1", **more: Any) -> None:
    value = {"id": requirement, "state": name, "lane": "backend", "agent": "roy", "stage": "backend", "attempts": 1}
    book.stored(f"$KV.agog_state.requirement.{requirement}", {**value, **more}, stream="KV_agog_state")


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        ({"state": "COMPLETE"}, True),
        ({"state": "GATING"}, False),
        ({"state": {"one_of": ["ESCALATED", "COMPLETE"]}}, True),
        ({"state": {"one_of": ["ESCALATED", "GATING"]}}, False),
        ({"state": "COMPLETE", "attempts": 3, "agent": "Roy"}, True),
        ({"state": "COMPLETE", "attempts": {"at_most": 2}}, False),
        ({"state": "COMPLETE", "agent": "jen"}, False),
    ],
)
def test_the_last_value_counts(book: Book, arguments: dict[str, Any], passed: bool) -> None:
    state(book, "GATING")
    state(book, "COMPLETE", attempts={"backend": 2, "qa": 1})
    verdict = book.judge("requirement", id="REQ-1", **arguments)
    assert verdict.passed is passed, told(verdict)
    assert verdict.evidence
    assert passed or verdict.nearest == "its states: GATING, then COMPLETE"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": None}, "REQ-1 is null"),
        ({"name": 7}, "REQ-1 is 7"),
        ({"name": "complete"}, "REQ-1 is complete"),
        ({"name": "COMPLETE", "id": "REQ-2"}, "is that of 'REQ-2'"),
        ({"name": "COMPLETE", "attempts": "two"}, "counts no attempts"),
        ({"name": "COMPLETE", "attempts": True}, "counts no attempts"),
        ({"name": "COMPLETE", "agent": None}, "assigned to nobody"),
    ],
)
def test_odd_values(book: Book, value: dict[str, Any], said: str) -> None:
    state(book, value.pop("name"), **value)
    verdict = book.judge("requirement", id="REQ-1", state="COMPLETE", attempts={"at_least": 1}, agent="roy")
    assert not verdict.passed
    assert said in verdict.observed


def test_no_state(book: Book) -> None:
    verdict = book.judge("requirement", id="REQ-1", state="COMPLETE")
    assert verdict.observed.startswith("nothing to judge: REQ-1 has no state")
    state(book, "COMPLETE", "REQ-11")
    assert book.judge("requirement", id="REQ-1", state="COMPLETE").nearest == "did you mean REQ-11?"
    assert "states are there of REQ-11" in book.judge("requirement", id="REQ-ZEBRA-CROSSING", state="COMPLETE").nearest


def test_a_value_that_is_gone_or_no_object(book: Book) -> None:
    state(book, "COMPLETE")
    book.stored("$KV.agog_state.requirement.REQ-1", "COMPLETE", stream="KV_agog_state")
    assert "no JSON object" in book.judge("requirement", id="REQ-1", state="COMPLETE").observed
    state(book, "COMPLETE")
    book.stored(
        "$KV.agog_state.requirement.REQ-1", "", stream="KV_agog_state", headers={"KV-Operation": "DEL"}
    )  # fmt: skip
    assert "deleted (DEL)" in book.judge("requirement", id="REQ-1", state="COMPLETE").observed


@pytest.mark.parametrize(
    "given",
    [{"id": "42", "state": "COMPLETE"}, {"id": "REQ-1", "state": "DONE"}, {"id": "REQ-1", "state": {"matches": "C"}},
     {"id": "REQ-1", "state": {"one_of": ["COMPLETE", "DONE"]}}, {"id": "REQ-1"}],
)  # fmt: skip
def test_arguments_that_are_none(book: Book, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no requirement id|no state|expected a state|Field required"):
        book.judge("requirement", **given)
