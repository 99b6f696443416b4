from __future__ import annotations

from typing import Any

import pytest

from tests.checks.builders import Book, told

BROKEN = {"command": ["npm", "run", "build"], "exit": 2, "seconds": 1.0, "output_tail": "a.ts(1,2): error TS2304\n"}
FINE = {"command": "npm run build", "exit": 0, "seconds": 1.0, "output_tail": "built\n"}


def gated(
    book: Book, verdict: Any, attempt: int = 1, *commands: dict[str, Any], stage: str = "backend", **gate: Any
) -> None:
    value = {"agent": "roy", "req_number": "REQ-1", "status": "COMPLETE", "attempt": attempt, "stage": stage}
    book.stored("results.roy.REQ-1", {**value, "gate": {"verdict": verdict, "commands": list(commands), **gate}})


def built(book: Book, what: str, attempt: int = 1, *commands: dict[str, Any], stage: str = "backend") -> None:
    value = {"reqNumber": "REQ-1", "stage": stage, "agentId": "roy", "attempt": attempt, "commands": list(commands)}
    book.stored(f"agog.orchestration.events.build.{what}", value)


def twice(book: Book) -> None:
    book.stored("results.roy.REQ-1", {"agent": "roy", "status": "COMPLETE"})
    built(book, "failed", 1, BROKEN)
    gated(book, "rejected", 1, BROKEN)
    built(book, "passed", 2, FINE)
    gated(book, "accepted", 2, FINE)


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        ({"verdict": "accepted"}, True),
        ({"verdict": "accepted", "output_contains": "built", "attempts": 2}, True),
        ({"verdict": "rejected", "output_contains": "error TS2304", "attempts": 2}, True),
        ({"verdict": "rejected", "output_contains": "built"}, False),
        ({"verdict": "accepted", "output_contains": "error"}, False),
        ({"verdict": "rejected", "attempts": 1}, False),
        ({"verdict": "escalated"}, False),
        ({"verdict": "escalated", "requirement": "REQ-2"}, False),
    ],
)
def test_verdicts_output_and_attempts(book: Book, arguments: dict[str, Any], passed: bool) -> None:
    twice(book)
    verdict = book.judge("gate", **{"requirement": "REQ-1", **arguments})
    assert verdict.passed is passed, told(verdict)


def test_every_stage_must_be_accepted_in_the_end(book: Book) -> None:
    twice(book)
    gated(book, "accepted", 1, FINE, stage="frontend")
    assert book.judge("gate", requirement="REQ-1", verdict="accepted").passed
    gated(book, "escalated", 3, BROKEN)
    verdict = book.judge("gate", requirement="REQ-1", verdict="accepted")
    assert not verdict.passed
    assert "escalated (backend, attempt 3)" in verdict.observed
    assert book.judge("gate", requirement="REQ-1", verdict="escalated").passed


def test_accepted_with_a_command_that_failed(book: Book) -> None:
    gated(book, "accepted", 1, FINE, BROKEN)
    verdict = book.judge("gate", requirement="REQ-1", verdict="accepted")
    assert not verdict.passed
    assert "although npm run build ended with 2" in verdict.observed


@pytest.mark.parametrize(("verdict", "event"), [("accepted", "failed"), ("rejected", "passed")])
def test_the_event_says_otherwise(book: Book, verdict: str, event: str) -> None:
    gated(book, verdict)
    built(book, event, 2)
    built(book, event, 1, stage="frontend")
    assert book.judge("gate", requirement="REQ-1", verdict=verdict).passed, "those are other attempts"
    built(book, event, 1)
    found = book.judge("gate", requirement="REQ-1", verdict=verdict)
    assert f"the event says that the build {event}" in found.observed


def test_output_of_the_event_and_what_is_missing(book: Book) -> None:
    gated(book, "escalated", 1, missing=["folder Implementation/backend"])
    built(book, "failed", 1, BROKEN)
    for words in ("Implementation/backend", "TS2304"):
        assert book.judge("gate", requirement="REQ-1", verdict="escalated", output_contains=words).passed


@pytest.mark.parametrize("odd", [None, "maybe", 7])
def test_a_verdict_that_is_none(book: Book, odd: Any) -> None:
    gated(book, odd)
    assert "is no verdict" in book.judge("gate", requirement="REQ-1", verdict="accepted").observed


def test_nothing_gated(book: Book) -> None:
    verdict = book.judge("gate", requirement="REQ-1", verdict="accepted")
    assert verdict.observed.startswith("nothing to judge")
    book.stored("results.roy.REQ-1", {"agent": "roy", "status": "COMPLETE"})
    assert "1 result of it without a gate" in book.judge("gate", requirement="REQ-1", verdict="accepted").nearest
    built(book, "passed")
    assert "1 build event" in book.judge("gate", requirement="REQ-1", verdict="accepted").nearest
    book.stored("results.roy.REQ-1", {"gate": ["accepted"]})
    assert not book.judge("gate", requirement="REQ-1", verdict="accepted").passed
