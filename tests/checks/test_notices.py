from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pytest_agog.checks.notices import NoticeArguments, notices_of
from pytest_agog.ledger.facts import NoticeSeen
from tests.checks.builders import CHECKS, Book, told

URL = "nats://agog.deliverables.roy.work.search"


def _reported(book: Book, agent: str = "roy") -> None:
    book.report(f"agog.deliverables.{agent}.work.search", "# A report\n\nWith text.\n")


def test_every_notice_as_claimed(book: Book) -> None:
    for agent in ("roy", "jen"):
        _reported(book, agent)
        book.notice(agent)
    verdict = book.judge("notice", tokens={"at_most": 20}, resolves=True, status="complete", consistent=True)
    assert verdict.passed, told(verdict)
    assert "2 notices as claimed" in verdict.observed
    assert "the largest notice has" in verdict.nearest
    assert verdict.evidence[0].details["requirement"] == "search"


@pytest.mark.parametrize(
    ("arguments", "fields", "problem"),
    [
        ({"tokens": {"at_most": 20}}, {"summary": "word " * 40}, "its notice has 50 tokens"),
        ({"status": "COMPLETE"}, {"status": "failed"}, "its notice says FAILED"),
        ({"consistent": True}, {"blockers": ["no schema"]}, "COMPLETE with blockers"),
        ({"consistent": True}, {"status": "BLOCKED"}, "BLOCKED without blockers"),
        ({"consistent": True}, {"critique_verdict": "REJECTED", "next_agent": "roy"}, "REJECTED with"),
        ({"resolves": True}, {"deliverable": "nats://agog.features.search"}, "leads to nothing"),
        ({"resolves": True}, {"deliverable": "agog.deliverables.roy.work.search"}, "does not begin with nats://"),
        ({"resolves": True}, {"deliverable": "nats://a b"}, "names no subject"),
        ({}, {"summary": None}, "it has no summary"),
    ],
)
def test_one_guilty_notice_is_enough(
    book: Book, arguments: dict[str, Any], fields: dict[str, Any], problem: str
) -> None:
    for agent in ("roy", "jen"):
        _reported(book, agent)
    book.notice("jen")
    book.notice("roy", **fields)
    verdict = book.judge("notice", **arguments)
    assert not verdict.passed
    assert f"roy: {problem}" in verdict.observed or problem in verdict.observed
    assert verdict.nearest == "1 of 2 notices are as claimed"
    assert "returned by roy" in verdict.evidence[0].text
    assert book.judge("notice", agent="jen", **arguments).passed, "the other agent's is fine"


def test_a_url_that_leads_to_a_notice_does_not_resolve(book: Book) -> None:
    payload = book.notice("roy")
    book.stored("agog.deliverables.roy.work.search", book.ledger.payloads[payload])
    assert "stands where the report should be" in book.judge("notice", resolves=True).observed
    book.report("agog.deliverables.roy.work.search", book.ledger.payloads.text(payload))
    assert "leads to a completion notice" in book.judge("notice", resolves=True).observed
    _reported(book)
    assert book.judge("notice", resolves=True).passed


def test_a_url_that_leads_to_another_agents_report_does_not_resolve(book: Book) -> None:
    _reported(book, "jen")
    book.notice("roy", deliverable="nats://agog.deliverables.jen.work.search")
    assert "leads to a report of jen" in book.judge("notice", resolves=True).observed
    book.report("agog.deliverables.jen.work.search", "# Roy's part\n\nIn Jen's place.\n", agent="Roy")
    assert book.judge("notice", resolves=True).passed, "its metadata says that it is roy's"


def test_the_older_shape_is_a_notice_too(book: Book) -> None:
    _reported(book)
    channel = "agog.deliverables.roy.work.search"
    value = {
        "status": "complete",
        "agent": "roy",
        "task": "backend",
        "nats_channel": channel,
        "summary": "Done.",
        "complexity": "Simple",
        "files_modified": 2,
        "blockers": [],
        "ready_for_next_stage": True,
    }
    book.fact(NoticeSeen("roy", "search", 1, book.put(value)))
    assert book.judge("notice", resolves=True, consistent=True, status="COMPLETE", requirement="search").passed


def test_results_are_notices_without_what_the_gate_adds(book: Book) -> None:
    notice = {"agent": "roy", "req_number": "REQ-1", "status": "COMPLETE", "deliverable": URL, "summary": "Done."}
    gate = {"attempt": 1, "gate": {"verdict": "accepted", "commands": ["word " * 500]}, "tokens": {"estimated": 1}}
    book.stored("results.roy.REQ-1", {**notice, **gate})
    book.stored("results.roy.REQ-2", {"note": "no notice"})
    seen = notices_of(book.ledger).seen
    assert [(item.agent, item.requirement) for item in seen] == [("roy", "REQ-1")]
    assert book.judge("notice", requirement="REQ-1", tokens={"at_most": 20}).passed
    assert book.judge("notice", requirement="REQ-1", resolves=True).passed is False


@pytest.mark.parametrize(
    "payload",
    [
        {"agent": "jen", "reqId": "REQ-2", "status": "PHASE_1_COMPLETE", "summary": "Done."},
        {"agent": "jen", "status": "COMPLETE"},
    ],
)
def test_a_result_in_words_of_its_own_fails_the_claim(book: Book, payload: dict[str, Any]) -> None:
    """[F18] Beside a good one it must not be passed over."""
    good = {"agent": "roy", "req_number": "REQ-1", "status": "COMPLETE", "deliverable": URL, "summary": "Done."}
    book.stored("results.roy.REQ-1", good)
    assert book.judge("notice").passed
    book.stored("results.jen.REQ-2", payload)
    for arguments in ({}, {"agent": "jen"}, {"requirement": "REQ-2"}):
        verdict = book.judge("notice", **arguments)
        assert not verdict.passed
        assert "jen: what it returned is no notice" in verdict.observed
    assert book.judge("notice", agent="roy").passed


def test_what_is_no_notice_has_no_size_as_one(book: Book) -> None:
    book.stored("results.jen.REQ-2", {"agent": "jen", "status": "COMPLETE"})
    assert "nothing to judge" in book.judge("tokens.notice", value={"at_most": 200}).observed


def test_a_url_that_leads_to_an_empty_report_does_not_resolve(book: Book) -> None:
    book.report("agog.deliverables.roy.work.search", " \n")
    book.notice("roy")
    assert "leads to an empty report" in book.judge("notice", resolves=True).observed


def test_nothing_to_judge(book: Book) -> None:
    verdict = book.judge("notice", agent="roy")
    assert not verdict.passed
    assert verdict.observed == "nothing to judge: no such notice was seen"
    book.notice("jen")
    assert "jen for search" in book.judge("notice", agent="roy").nearest


def test_an_agent_that_never_returned_one_fails_the_claim(book: Book) -> None:
    book.notice("jen")
    book.fact(NoticeSeen("roy", "search", 1, None, "the output is empty"))
    verdict = book.judge("notice")
    assert not verdict.passed
    assert "roy returned no notice for search: the output is empty" in verdict.observed
    book.notice("roy", attempt=2)
    assert book.judge("notice").passed, "a later attempt made up for it"


def test_arguments() -> None:
    with pytest.raises(ValidationError, match="is no status"):
        NoticeArguments.model_validate({"status": "DONE"})
    with pytest.raises(ValidationError, match="True"):
        NoticeArguments.model_validate({"resolves": False})
    assert CHECKS["notice"].growth_can_break(NoticeArguments.model_validate({"tokens": {"at_most": 200}}))
    assert not CHECKS["notice"].growth_can_break(NoticeArguments.model_validate({"resolves": True}))
