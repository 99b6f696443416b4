from __future__ import annotations

import json

import pytest

from pytest_agog.checks.prompts import NoInlineReportArguments
from pytest_agog.ledger.facts import MessageSeen
from tests.checks.builders import CHECKS, Book, prose, told

SUBJECT = "agog.deliverables.cynthia.research.search"
REPORT = prose(11, 900)


@pytest.fixture
def reported(book: Book) -> Book:
    book.report(SUBJECT, REPORT)
    return book


def test_urls_and_summaries_are_no_reports(reported: Book) -> None:
    sentence = REPORT.splitlines()[2][:90]
    prompt = {"agent": "roy", "inputs": [{"agent": "cynthia", "url": f"nats://{SUBJECT}", "summary": sentence}]}
    reported.spawn("roy", json.dumps(prompt))
    verdict = reported.judge("no_inline_report")
    assert verdict.passed, told(verdict)
    assert verdict.observed == "1 prompt against 1 report: no report stands in a prompt"


def test_a_pasted_report_is_shown_with_agent_prompt_and_share(reported: Book) -> None:
    reported.spawn("roy", json.dumps({"prompt": REPORT}))
    verdict = reported.judge("no_inline_report")
    assert not verdict.passed
    evidence = verdict.evidence[0]
    assert evidence.details["agent"] == "roy"
    assert evidence.details["report"] == SUBJECT
    assert evidence.details["share"] == 1
    assert "stdin of roy (work, attempt 1)" in evidence.text
    assert evidence.excerpt.startswith("# Report 11")


@pytest.mark.parametrize(
    ("subject", "keys"),
    [
        ("agog.orchestration.events.stage.started", {"agentId": "roy"}),
        ("requirements.backend.REQ-1", {"assignedAgent": "roy"}),
        ("agog.spawn.request", {"agentId": "roy"}),
    ],
)
def test_messages_that_start_agents_are_prompts(reported: Book, subject: str, keys: dict[str, str]) -> None:
    part = REPORT[500 : 500 + len(REPORT) // 5]
    payload = json.dumps({**keys, "contextData": json.dumps({"note": part})})
    if subject == "agog.spawn.request":
        reported.fact(MessageSeen(subject, reported.put(payload), len(payload)))
    else:
        reported.stored(subject, payload)
    verdict = reported.judge("no_inline_report")
    assert not verdict.passed
    assert verdict.evidence[0].details["agent"] == "roy"
    assert reported.judge("no_inline_report", threshold="25%").passed
    assert "below the threshold: " in reported.judge("no_inline_report", threshold="25%").nearest


def test_messages_that_start_nobody_are_no_prompts(reported: Book) -> None:
    reported.spawn("roy", "{}")
    reported.stored("results.roy.REQ-1", json.dumps({"summary": REPORT}))
    assert reported.judge("no_inline_report").passed


def test_every_revision_and_every_report_counts(reported: Book) -> None:
    other = prose(12, 900)
    reported.report(SUBJECT, other)
    reported.spawn("jen", f"{REPORT}\n{other}")
    verdict = reported.judge("no_inline_report")
    assert "and 1 more" in verdict.observed
    assert {item.details["sequence"] for item in verdict.evidence} == {1, 2}


def test_nothing_to_judge(book: Book) -> None:
    assert "no prompt was seen" in book.judge("no_inline_report").observed
    book.spawn("roy", "work")
    verdict = book.judge("no_inline_report")
    assert not verdict.passed
    assert "no report was stored" in verdict.observed
    book.report(SUBJECT, "Done.")
    assert "1 report too short" in book.judge("no_inline_report").observed


def test_a_notice_in_place_of_a_report_is_not_looked_for(book: Book) -> None:
    payload = book.notice(
        "cynthia", summary="A summary that is long enough to be found in the prompt of another agent."
    )
    notice = book.ledger.payloads.text(payload)
    book.report(SUBJECT, notice)
    book.report("agog.deliverables.roy.backend.search", REPORT)
    book.spawn("roy", json.dumps({"notices": [notice]}))
    assert book.judge("no_inline_report").passed


def test_a_threshold_that_cannot_be_passed_is_told() -> None:
    check = CHECKS["no_inline_report"]
    assert check.vacuous(NoInlineReportArguments.model_validate({"threshold": "100%"}))
    assert check.vacuous(NoInlineReportArguments()) is None
    assert check.growth_can_break(NoInlineReportArguments())
