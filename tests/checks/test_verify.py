from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_agog.checks.verify import verify
from pytest_agog.ledger import bundle
from tests.checks.builders import Book

CLAIMS: list[dict[str, Any]] = [
    {"id": "done", "check": "message", "with": {"subject": "results.roy.REQ-1", "count": 1}},
    {"id": "quiet", "check": "never", "with": {"subject": "errors.>"}},
    {"id": "saved", "check": "tokens.notice", "with": {"value": {"at_most": 200}}},
]


@pytest.fixture
def saved(book: Book) -> tuple[Book, list[dict[str, Any]]]:
    book.stored("results.roy.REQ-1", {"status": "COMPLETE"})
    verdicts = []
    for claim in CLAIMS:
        verdict = book.judge(claim["check"], **claim["with"])
        told = {"outcome": verdict.outcome, "expected": verdict.expected, "observed": verdict.observed}
        verdicts.append({"id": claim["id"], **told})
    return book, verdicts


def test_what_was_saved_is_borne_out(saved: tuple[Book, list[dict[str, Any]]]) -> None:
    book, verdicts = saved
    assert verify(book.ledger, CLAIMS, verdicts) == []


def test_an_altered_verdict_is_found(saved: tuple[Book, list[dict[str, Any]]]) -> None:
    book, verdicts = saved
    verdicts[2]["outcome"] = "passed"
    verdicts[1]["observed"] = "nothing at all"
    found = [(difference.claim, difference.what) for difference in verify(book.ledger, CLAIMS, verdicts)]
    assert found == [("quiet", "observed"), ("saved", "outcome")]


def test_an_altered_ledger_is_found(saved: tuple[Book, list[dict[str, Any]]]) -> None:
    book, verdicts = saved
    book.stored("errors.roy.REQ-1", {"error": "x"})
    found = [difference.what for difference in verify(book.ledger, CLAIMS, verdicts)]
    assert found == ["outcome", "observed"]


def test_claims_and_verdicts_must_match(saved: tuple[Book, list[dict[str, Any]]]) -> None:
    book, verdicts = saved
    odd = [*verdicts[1:], verdicts[1], {"id": "stray", "outcome": "passed"}]
    claims = [
        *CLAIMS,
        {"id": "alien", "check": "telepathy"},
        {"id": "broken", "check": "message", "with": {"subject": "a b"}},
    ]
    odd += [{"id": "alien", "outcome": "passed"}, {"id": "broken", "outcome": "passed"}]
    told = [str(difference) for difference in verify(book.ledger, claims, odd)]
    assert any(text.startswith("done: claim was saved as 'no verdict'") for text in told)
    assert any("two verdicts" in text for text in told)
    assert any("there is no check 'telepathy'" in text for text in told)
    assert any("its arguments cannot be read: subject" in text for text in told)
    assert any(text.startswith("stray: ") for text in told)


def test_what_was_never_judged_is_passed_over(saved: tuple[Book, list[dict[str, Any]]]) -> None:
    book, verdicts = saved
    verdicts[0] = {"id": "done", "outcome": "error"}
    assert verify(book.ledger, CLAIMS, verdicts) == []


def test_what_held_a_secret_cannot_be_judged_again(book: Book, tmp_path: Path) -> None:
    """Only a masked form of it is saved; that the verdict differs then is nobody's fault."""
    book.stored("results.roy.REQ-1", {"status": "COMPLETE", "password": "hunter2"})
    book.stored("errors.roy.REQ-1", {"error": "timeout"})
    claims: list[dict[str, Any]] = [
        {
            "id": "secret",
            "check": "message",
            "with": {"subject": "results.>", "where": {"password": {"matches": "^hunt"}}},
        },
        {"id": "plain", "check": "message", "with": {"subject": "errors.>", "where": {"error": "timeout"}}},
    ]
    verdicts = []
    for claim in claims:
        verdict = book.judge(claim["check"], **claim["with"])
        assert verdict.passed
        saved = {"outcome": verdict.outcome, "expected": verdict.expected, "observed": verdict.observed}
        verdicts.append({"id": claim["id"], **saved})
    bundle.write(tmp_path, book.ledger, {})
    ledger = bundle.read(tmp_path).ledger
    assert [(one.claim, one.what) for one in verify(ledger, claims, verdicts)] == [("secret", "masked")]
    verdicts[1]["outcome"] = "failed"
    found = [(one.claim, one.what) for one in verify(ledger, claims, verdicts)]
    assert found == [("secret", "masked"), ("plain", "outcome")], "what held no secret is compared all the same"
