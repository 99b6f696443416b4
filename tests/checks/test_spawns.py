from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.checks.spawns import SpawnArguments
from tests.checks.builders import CHECKS, Book, prose, told

STARTED = "agog.orchestration.events.stage.started"


def started(book: Book, agent: str = "roy", requirement: str = "REQ-1", attempt: Any = 1, **more: Any) -> None:
    value = {"eventType": "stage.started", "reqNumber": requirement, "stage": "work", "agentId": agent, **more}
    book.stored(STARTED, {**value, "attempt": attempt})


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        ({}, True),
        ({"requirement": "REQ-1"}, True),
        ({"requirement": "REQ-1", "agent": "ROY", "count": 2}, True),
        ({"agent": "roy", "count": 3}, True),
        ({"agent": "roy", "count": 2}, False),
        ({"agent": "jen", "count": 0}, True),
        ({"agent": "jen"}, False),
        ({"agent": "jen", "count": {"at_most": 1}}, True),
        ({"requirement": "REQ-3"}, False),
    ],
)
def test_spawns_are_counted(book: Book, arguments: dict[str, Any], passed: bool) -> None:
    started(book)
    started(book, attempt=2)
    started(book, requirement="REQ-2")
    verdict = book.judge("spawn", **arguments)
    assert verdict.passed is passed, told(verdict)


def test_an_attempt_that_is_started_twice(book: Book) -> None:
    started(book)
    started(book, attempt=2)
    assert book.judge("spawn", once=True).passed
    started(book, agent="jen", attempt=2)
    verdict = book.judge("spawn", requirement="REQ-1", once=True)
    assert not verdict.passed
    assert "attempt 2 at work of REQ-1 was started 2 times" in verdict.observed
    assert len(verdict.evidence) == 2
    assert book.judge("spawn", agent="jen", once=True).passed, "each of them was started once"


@pytest.mark.parametrize("gap", [{"attempt": None}, {"attempt": "2"}, {"attempt": True}, {"stage": ""}])
def test_what_cannot_be_told_apart_is_not_once(book: Book, gap: dict[str, Any]) -> None:
    started(book, **gap)
    assert book.judge("spawn", count=1).passed
    verdict = book.judge("spawn", once=True)
    assert not verdict.passed
    assert "nobody can tell" in verdict.observed


def test_an_event_that_is_no_object_is_no_spawn_and_is_named(book: Book) -> None:
    book.stored(STARTED, "[]")
    book.stored(STARTED, b"\xff\x00")
    verdict = book.judge("spawn")
    assert not verdict.passed
    assert "2 messages on stage.started are no JSON object" in verdict.nearest
    assert verdict.evidence


def test_deliverables_that_exist_before(book: Book) -> None:
    book.report("agog.deliverables.cynthia.research.REQ-1", prose(1))
    book.report("agog.deliverables.sylvia.critique.REQ-2", prose(2))
    started(book)
    assert book.judge("spawn", agent="roy", after=["cynthia"]).passed
    verdict = book.judge("spawn", agent="roy", after=["cynthia", "sylvia"])
    assert not verdict.passed, "hers is for another requirement"
    assert "without a deliverable of sylvia" in verdict.observed
    book.report("agog.deliverables.sylvia.critique.REQ-1", prose(3))
    verdict = book.judge("spawn", agent="roy", after=["sylvia"])
    assert not verdict.passed
    assert "before the deliverable of sylvia" in verdict.observed
    started(book, attempt=2)
    assert not book.judge("spawn", agent="roy", after=["sylvia"]).passed, "the first attempt was still too early"


NOTICE = '{"agent": "x", "req_number": "REQ-1", "status": "COMPLETE", "deliverable": "nats://x", "summary": "s"}'


@pytest.mark.parametrize("content", ["", "  \n", NOTICE])
def test_what_is_no_report_is_not_there(book: Book, content: str) -> None:
    book.report("agog.deliverables.cynthia.research.REQ-1", content)
    started(book)
    verdict = book.judge("spawn", after=["cynthia"])
    assert not verdict.passed
    assert "before there was a report of cynthia" in verdict.observed


def test_a_spawn_without_requirement_follows_nothing(book: Book) -> None:
    book.report("agog.deliverables.cynthia.research.REQ-1", prose(1))
    started(book, requirement="")
    assert "for no requirement" in book.judge("spawn", after=["cynthia"]).observed


def test_a_chain_spawns_too(book: Book) -> None:
    book.report("agog.deliverables.cynthia.research.search", prose(1))
    book.spawn("roy", "one two three four")
    assert book.judge("spawn", requirement="search", agent="roy", count=1, once=True, after=["cynthia"]).passed
    assert not book.judge("spawn", agent="roy", tokens={"at_most": 3}).passed
    assert book.judge("spawn", agent="roy", tokens=4).passed


def test_near_names_and_others_are_told(book: Book) -> None:
    started(book, requirement="REQ-042")
    assert book.judge("spawn", requirement="REQ-043").nearest == "did you mean REQ-042?"
    assert "roy for REQ-042 (work, attempt 1)" in book.judge("spawn", agent="jen").nearest


def test_what_can_break_and_what_cannot_fail() -> None:
    def arguments(**given: Any) -> SpawnArguments:
        return SpawnArguments.model_validate(given)

    check = CHECKS["spawn"]
    assert not check.growth_can_break(arguments())
    assert all(
        check.growth_can_break(arguments(**given))
        for given in ({"once": True}, {"after": ["roy"]}, {"count": 1}, {"tokens": {"at_least": 3}})
    )
    assert check.vacuous(arguments(count={"at_least": 0})) is not None
    assert check.vacuous(arguments(count={"at_least": 0}, once=True)) is None
    assert check.holds_of_nothing(arguments(count={"at_most": 3}))
    assert not check.holds_of_nothing(arguments(once=True))
    with pytest.raises(ValueError, match=r"a\.b"):
        arguments(after=["a.b"])
