from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pytest_agog.checks.deliverables import DeliverableArguments
from pytest_agog.checks.evidence import differing
from pytest_agog.ledger.facts import Barrier, ObjectSeen
from pytest_agog.ledger.probes import FileProbe
from pytest_agog.wire import deliverables
from tests.checks.builders import CHECKS, Book, told

SUBJECT = "agog.deliverables.cynthia.research.search"
WHICH = {"agent": "cynthia", "type": "research", "feature": "search"}
REPORT = "# Research\n\nUse an index.\nMeasure it.\n"


@pytest.fixture
def stored(book: Book) -> Book:
    book.report(SUBJECT, REPORT)
    book.file("research.md", REPORT)
    return book


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, ""),
        ({"equals": "research.md"}, ""),
        ({"contains": "an index"}, ""),
        ({"contains": "no index"}, "'no index' does not stand in its 38 bytes"),
        ({"tokens": {"at_least": 5}}, ""),
        ({"tokens": 3}, "it has 7 tokens"),
        ({"revisions": 1}, ""),
        ({"revisions": 2}, "the stream holds 1 revision"),
        ({"digest": True}, ""),
    ],
)
def test_one_report(stored: Book, arguments: dict[str, Any], problem: str) -> None:
    verdict = stored.judge("deliverable", **WHICH, **arguments)
    assert verdict.passed is (problem == ""), told(verdict)
    assert problem in verdict.observed
    assert verdict.evidence[0].details["sequence"] == 1


def test_the_url_names_it_too(stored: Book) -> None:
    assert stored.judge("deliverable", url=f"nats://{SUBJECT}", equals="research.md").passed


@pytest.mark.parametrize(
    ("content", "told_of"),
    [
        (REPORT[:-5], "cut: 5 B are missing at the end"),
        (REPORT + "x", "1 B too many at the end"),
        (REPORT.replace("\n", "\r\n"), "only line endings differ"),
        (REPORT.replace("index", "Index"), "line 3"),
        ("\ufeff" + REPORT, "only a byte order mark differs"),
    ],
)
def test_a_difference_is_explained(book: Book, content: str, told_of: str) -> None:
    book.report(SUBJECT, content)
    book.file("research.md", REPORT)
    verdict = book.judge("deliverable", **WHICH, equals="research.md")
    assert not verdict.passed
    assert told_of in verdict.observed
    side = verdict.evidence[1].excerpt
    assert side.count("SHA-256") == 2
    assert "▸" in side


def test_the_last_revision_counts(stored: Book) -> None:
    stored.report(SUBJECT, "# Second\n")
    verdict = stored.judge("deliverable", **WHICH, equals="research.md", revisions=2)
    assert not verdict.passed
    assert "differs from research.md" in verdict.observed
    assert stored.judge("deliverable", **WHICH, contains="Second", revisions=2).passed


def test_a_file_that_is_not_there(book: Book) -> None:
    book.report(SUBJECT, REPORT)
    book.file("research.md", None)
    assert "was not there to compare with" in book.judge("deliverable", **WHICH, equals="research.md").observed


def test_a_missing_report_names_what_is_stored(stored: Book) -> None:
    verdict = stored.judge("deliverable", agent="cynthia", type="research", feature="searches")
    assert not verdict.passed
    assert verdict.observed == "no deliverable is stored on agog.deliverables.cynthia.research.searches"
    assert SUBJECT in verdict.nearest


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("# bare markdown", "no JSON object"),
        ({"metadata": {}}, "neither content nor an object"),
        ({"content": "text"}, "metadata: field required"),
        ({"content": "text", "metadata": {"agent": "cynthia"}}, "metadata.taskType: field required"),
        ({"content": 7, "metadata": {}}, "neither content nor an object"),
    ],
)
def test_a_payload_of_another_shape(book: Book, payload: Any, why: str) -> None:
    book.stored(SUBJECT, payload)
    verdict = book.judge("deliverable", **WHICH)
    assert not verdict.passed
    assert why in verdict.observed


NOTICE = {
    "agent": "cynthia",
    "req_number": "search",
    "status": "COMPLETE",
    "deliverable": f"nats://{SUBJECT}",
    "summary": "x",
}


def test_a_notice_is_no_report(book: Book) -> None:
    book.stored(SUBJECT, NOTICE)
    assert "a completion notice stands where the report should be" in book.judge("deliverable", **WHICH).observed
    book.report(SUBJECT, f"```json\n{json.dumps(NOTICE)}\n```\n")
    assert "the content is a completion notice" in book.judge("deliverable", **WHICH).observed


def test_an_empty_report_is_none(book: Book) -> None:
    book.report(SUBJECT, " \n")
    assert book.judge("deliverable", **WHICH).observed == "the content is empty"


LONG = "# Research\n\nThe quick brown fox jumps over the lazy dog, and so on for many lines.\n\n"


@pytest.mark.parametrize(
    "content",
    [
        "[truncated]",
        "TODO",
        "N/A",
        "Lorem ipsum",
        "[Insert report here]",
        "Full report content goes here.",
        LONG + "[truncated]",
        LONG + "… (truncated)",
        LONG + "*[output truncated]*",
        LONG + "... [truncated 1234 chars]",
        LONG + "[... remaining sections omitted for brevity]",
        LONG + "Report truncated at 4096 characters.",
    ],
)
def test_a_placeholder_or_a_cut_report_is_none(book: Book, content: str) -> None:
    """[F15]"""
    book.report(SUBJECT, content)
    verdict = book.judge("deliverable", **WHICH)
    assert not verdict.passed
    assert "the content is not the whole report" in verdict.observed
    book.file("same.md", content)
    assert book.judge("deliverable", **WHICH, equals="same.md").passed, "what was asked for byte for byte is right"


@pytest.mark.parametrize(
    "content",
    [
        LONG,
        "Nothing to report.",
        "# QA\n\nNone",
        LONG + "TODO",
        LONG + "Rows are truncated.",
        LONG + "- omitted columns: a, b",
        LONG + "The table above is truncated to the ten largest.",
        "The list was truncated to ten rows.",
        LONG + "```\nlog\n[truncated]\n```\n\nThat is all.",
        LONG + "Checks reject `[truncated]` reports.",
    ],
)
def test_reports_that_speak_of_truncation_are_reports(book: Book, content: str) -> None:
    book.report(SUBJECT, content)
    verdict = book.judge("deliverable", **WHICH)
    assert verdict.passed, told(verdict)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"first_seq": 1, "last_seq": 2, "deleted": [2]}, "any longer: agog_features_research #2 was deleted"),
        ({"first_seq": 3, "last_seq": 2}, "any longer: agog_features_research #2 was purged"),
    ],
)
def test_a_report_that_was_deleted_is_not_there(book: Book, state: dict[str, Any], why: str) -> None:
    book.report("agog.deliverables.cynthia.research.other", LONG)
    book.report(SUBJECT, LONG)
    book.notice("cynthia", deliverable=f"nats://{SUBJECT}")
    assert book.judge("deliverable", **WHICH).passed
    book.stream("agog_features_research", config={"retention": "limits"}, state=state)
    verdict = book.judge("deliverable", **WHICH)
    assert not verdict.passed
    assert why in verdict.observed
    assert "leads to nothing" in book.judge("notice", resolves=True).observed


def test_a_digest_must_be_there_and_fit(book: Book) -> None:
    book.stored(SUBJECT, {"content": REPORT, "metadata": {}})
    assert "there is no Agog-Digest header" in book.judge("deliverable", **WHICH, digest=True).observed
    metadata = {"agent": "a", "taskType": "b", "feature": "c", "timestamp": "2026-01-01T00:00:00Z"}
    payload = {"content": REPORT, "metadata": metadata}
    book.stored(SUBJECT, payload, headers={"Agog-Digest": deliverables.digest("other")})
    assert "Agog-Digest says SHA-256=" in book.judge("deliverable", **WHICH, digest=True).observed
    book.stored(SUBJECT, payload, headers={"agog-digest": deliverables.digest(REPORT).rstrip("=")})
    assert book.judge("deliverable", **WHICH, digest=True).passed


def _by_reference(book: Book, content: str | None, digest: str) -> None:
    metadata = {"agent": "a", "taskType": "b", "feature": "c", "timestamp": "2026-01-01T00:00:00Z"}
    reference = {"bucket": "agog_deliverables", "name": "n", "digest": digest, "size": 5}
    book.stored(SUBJECT, {"object": reference, "metadata": metadata}, headers={"Agog-Digest": digest})
    book.fact(ObjectSeen("agog_deliverables", "n", None if content is None else book.put(content), "timeout"))


def test_a_report_by_reference_is_read_from_its_object(book: Book) -> None:
    big = "é" * 1000
    _by_reference(book, big, deliverables.digest(big))
    book.file("big.md", big)
    verdict = book.judge("deliverable", **WHICH, equals="big.md", digest=True, revisions=1)
    assert verdict.passed, told(verdict)
    assert "by reference" in verdict.evidence[0].text


def test_an_object_that_is_cut_or_gone(book: Book) -> None:
    _by_reference(book, "cut", deliverables.digest("whole"))
    verdict = book.judge("deliverable", **WHICH, digest=True)
    assert "the reference says" in verdict.observed
    other = Book()
    _by_reference(other, None, deliverables.digest("whole"))
    assert "cannot be read: timeout" in other.judge("deliverable", **WHICH).observed


def test_what_a_crash_rolled_back_is_not_there(book: Book) -> None:
    book.report(SUBJECT, REPORT)
    assert book.judge("deliverable", **WHICH).passed
    book.fact(Barrier({"agog_features_research": 0}))
    assert not book.judge("deliverable", **WHICH).passed


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "give agent, type and feature, or url"),
        ({"agent": "cynthia", "type": "research"}, "give agent, type and feature, or url"),
        ({**WHICH, "url": "nats://a"}, "give either url"),
        ({**WHICH, "feature": "a.b"}, "cannot be part of a subject"),
        ({"url": "http://a"}, "must begin with nats://"),
        ({"url": "nats://a.*"}, "without wildcards"),
        ({**WHICH, "digest": False}, "True"),
    ],
)
def test_arguments_that_name_nothing(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        DeliverableArguments.model_validate(arguments)


def test_its_file_is_looked_up() -> None:
    given_arguments = DeliverableArguments.model_validate({**WHICH, "equals": "research.md", "revisions": 1})
    assert list(CHECKS["deliverable"].probes(given_arguments)) == [FileProbe("research.md")]
    assert CHECKS["deliverable"].growth_can_break(given_arguments)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_the_first_difference(left: bytes, right: bytes) -> None:
    offset = differing.first_difference(left, right)
    assert left[:offset] == right[:offset]
    assert left[offset : offset + 1] != right[offset : offset + 1] or left == right


def test_secrets_around_a_difference_are_masked() -> None:
    found, wanted = b"password=hunter2secret\n", b"password=hunter2Secret\n"
    assert "hunter2" not in differing.side_by_side(found, wanted)
