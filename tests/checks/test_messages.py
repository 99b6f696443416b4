from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pytest_agog.checks.messages import MessageArguments, NeverArguments
from pytest_agog.ledger.facts import MessageSeen, WatchInterrupted
from tests.checks.builders import CHECKS, Book, told


@pytest.fixture
def results(book: Book) -> Book:
    book.stored("results.roy.REQ-1", {"status": "COMPLETE", "attempt": 1, "nested": {"ok": True}})
    book.stored("results.roy.REQ-2", {"status": "FAILED", "attempt": 2}, headers={"Agog-Digest": "abc"})
    book.stored("results.jen.REQ-2", {"status": "COMPLETE", "attempt": 2})
    return book


@pytest.mark.parametrize(
    ("arguments", "passes"),
    [
        ({"subject": "results.roy.REQ-1"}, True),
        ({"subject": "results.*.*", "count": 3}, True),
        ({"subject": "results.>", "count": {"at_most": 2}}, False),
        ({"subject": "results.*"}, False),
        ({"subject": "results.>", "where": {"status": "COMPLETE"}, "count": 2}, True),
        ({"subject": "results.>", "where": {"status": "COMPLETE", "attempt": {"at_least": 2}}, "count": 1}, True),
        ({"subject": "results.>", "where": {"status": "complete"}}, False),
        ({"subject": "results.>", "where": {"nested.ok": True}, "count": 1}, True),
        ({"subject": "results.>", "where": {"nested.ok": 1}}, False),
        ({"subject": "results.>", "where": {"nested": {"exists": False}}, "count": 2}, True),
        ({"subject": "results.>", "where": {"attempt": {"one_of": [1, 3]}}, "count": 1}, True),
        ({"subject": "results.>", "where": {"$headers.agog-digest": {"matches": "^a"}}, "count": 1}, True),
        ({"subject": "results.roy.REQ-9", "count": 0}, True),
    ],
)
def test_messages_are_counted(results: Book, arguments: dict[str, Any], passes: bool) -> None:
    verdict = results.judge("message", **arguments)
    assert verdict.passed is passes, told(verdict)


def test_evidence_names_subject_sequence_size_and_shows_the_payload(results: Book) -> None:
    verdict = results.judge("message", subject="results.roy.REQ-2")
    evidence = verdict.evidence[0]
    assert evidence.details["stream"] == "RESULTS"
    assert evidence.details["sequence"] == 2
    assert "results.roy.REQ-2 · RESULTS #2 · " in evidence.text
    assert '"status": "FAILED"' in evidence.excerpt
    assert evidence.at is not None


def test_the_nearest_miss_meets_most_conditions(results: Book) -> None:
    where = {"status": "COMPLETE", "attempt": 1, "nested.ok": False}
    verdict = results.judge("message", subject="results.>", where=where)
    assert not verdict.passed
    assert verdict.nearest.startswith("RESULTS #1 on results.roy.REQ-1 meets 2 of 3 conditions")
    assert "nested.ok is true, which is not “is False”" in verdict.nearest
    assert any("nearest miss" in item.text for item in verdict.evidence)


def test_without_a_message_the_likest_subjects_are_named(results: Book) -> None:
    verdict = results.judge("message", subject="results.roi.REQ-1")
    assert verdict.observed == "no message on the subject"
    assert "results.roy.REQ-1" in verdict.nearest
    assert "no message was seen at all" in Book().judge("message", subject="x").nearest


def test_a_payload_that_is_no_json_is_named(book: Book) -> None:
    book.stored("results.roy.REQ-1", b"\xff\x00")
    assert " has a payload that is no JSON" in book.judge("message", subject="results.>", where={"a": 1}).nearest


def test_a_message_that_a_stream_takes_counts_once(book: Book) -> None:
    book.stream("RESULTS", config={"subjects": ["results.>"]})
    payload = book.put("{}")
    seen = book.fact(MessageSeen("results.a", payload, 2))
    assert not book.judge("message", subject="results.a").passed, "refused by the stream"
    book.fact(MessageSeen("core.a", payload, 2))
    book.stored("results.a", "{}")
    assert seen == 1
    assert book.judge("message", subject="results.a", count=1).passed
    core = book.judge("message", subject="core.a", count=1)
    assert core.passed
    assert core.evidence[0].details["stream"] is None


def test_secrets_are_masked_and_control_characters_visible(book: Book) -> None:
    book.stored("results.a", {"url": "nats://roy:hunter2@host", "text": "\u202e"})
    book.stored("results.b", "one\ttwo\x1b[31m\r\nthree" + "\n" * 30 + "x" * 9000)
    for verdict in (
        book.judge("message", subject="results.>", where={"url": "nats://roy:hunter2@host", "nope": 1}),
        book.judge("message", subject="results.>"),
    ):
        said = told(verdict)
        assert "hunter2" not in said
        assert "\x1b" not in said
        assert "\u202e" not in said
    excerpt = verdict.evidence[1].excerpt
    assert "one\\ttwo\\e[31m\nthree" in excerpt
    assert len(excerpt.splitlines()) <= 11
    assert excerpt.endswith("…")


def test_a_secret_is_masked_where_it_is_compared(book: Book) -> None:
    book.stored("results.roy.REQ-1", {"db": {"password": "hunter2-real"}, "apiKey": "key-real"})
    book.stored("results.roy.REQ-1", {"a": 1}, headers={"Authorization": "Bearer real-token"})
    where = {
        "db.password": "hunter2-asked",
        "apiKey": {"matches": "^key-asked"},
        "$headers.Authorization": "asked-token",
    }
    text = told(book.judge("message", subject="results.>", where=where))
    for secret in ("hunter2", "key-real", "key-asked", "real-token", "asked-token"):
        assert secret not in text
    assert "db.password is ****" in text
    assert book.judge("message", subject="results.>", where={"db.password": "hunter2-real"}).passed


def test_growing_the_ledger_renews_what_was_derived(results: Book) -> None:
    assert results.judge("message", subject="results.>", where={"status": "COMPLETE"}, count=2).passed
    results.stored("results.roy.REQ-3", {"status": "COMPLETE"})
    assert results.judge("message", subject="results.>", where={"status": "COMPLETE"}, count=3).passed


def test_never(results: Book) -> None:
    assert results.judge("never", subject="errors.>").passed
    kept = results.judge("never", subject="results.>", where={"status": "BLOCKED"})
    assert kept.passed
    assert "'COMPLETE'" in kept.nearest or "'FAILED'" in kept.nearest
    broken = results.judge("never", subject="results.>", where={"status": "FAILED"})
    assert not broken.passed
    assert broken.evidence[0].details["sequence"] == 2


def test_never_says_when_nobody_listened(book: Book) -> None:
    book.fact(WatchInterrupted(1.5))
    assert "did not listen for 1.50 s" in book.judge("never", subject="core.>").nearest


def test_order(results: Book) -> None:
    first, second, third = "results.roy.REQ-1", "results.roy.REQ-2", "results.jen.REQ-2"
    good = results.judge("order", sequence=[{"subject": first}, {"subject": second}, {"subject": third}])
    assert good.passed, told(good)
    assert "closest were entries" in good.nearest
    swapped = results.judge("order", sequence=[{"subject": first}, {"subject": third}, {"subject": second}])
    assert not swapped.passed
    assert "entry 3 (results.roy.REQ-2) came 1s before entry 2 (results.jen.REQ-2)" in swapped.observed
    missing = results.judge("order", sequence=[{"subject": first}, {"subject": "results.roy.REQ-7"}])
    assert not missing.passed
    assert missing.observed == "entry 2: no message results.roy.REQ-7"
    same = results.judge("order", sequence=[{"subject": first}, {"subject": "results.>"}])
    assert "are one message" in same.observed


def test_order_takes_the_first_match_of_each(book: Book) -> None:
    for subject in ("results.a", "results.b", "results.a"):
        book.stored(subject)
    assert not book.judge("order", sequence=[{"subject": "results.b"}, {"subject": "results.a"}]).passed


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), min_size=1, max_size=5))
def test_order_holds_exactly_when_first_places_rise(arrivals: list[str], sequence: list[str]) -> None:
    book = Book()
    for name in arrivals:
        book.stored(f"results.{name}")
    places = [arrivals.index(name) if name in arrivals else None for name in sequence]
    known = [place for place in places if place is not None]
    rises = len(known) == len(places) and all(a < b for a, b in pairwise(known))
    verdict = book.judge("order", sequence=[{"subject": f"results.{name}"} for name in sequence])
    assert verdict.passed is rises, told(verdict)


def test_what_can_never_fail_is_told() -> None:
    message, never = CHECKS["message"], CHECKS["never"]
    assert message.vacuous(MessageArguments.model_validate({"subject": "a", "count": {"at_least": 0}}))
    assert message.vacuous(MessageArguments.model_validate({"subject": "a", "where": {}}))
    assert message.vacuous(MessageArguments.model_validate({"subject": "a"})) is None
    assert never.vacuous(NeverArguments.model_validate({"subject": "a", "where": {}}))
    assert never.vacuous(NeverArguments.model_validate({"subject": "a"})) is None
    assert message.growth_can_break(MessageArguments.model_validate({"subject": "a", "count": 1}))
    assert not message.growth_can_break(MessageArguments.model_validate({"subject": "a"}))


@pytest.mark.parametrize("subject", ["", "a b", "a..b", ">.a", "a.>.b"])
def test_a_subject_that_is_none_is_refused(subject: str) -> None:
    with pytest.raises(ValidationError, match="is no subject"):
        MessageArguments.model_validate({"subject": subject})
