from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from pytest_agog.checks.readers import PageArguments, SseArguments
from pytest_agog.ledger.answers import PageSeen
from pytest_agog.ledger.facts import EventSeen, ReaderConnected, ReaderLost
from pytest_agog.ledger.probes import PageProbe
from tests.checks.builders import CHECKS, START, Book, told

URL = "http://127.0.0.1:1/api/agents/events?runId=r"


def _open(book: Book, reader: str = "live") -> None:
    book.fact(ReaderConnected(reader, URL, 200))


def _event(book: Book, number: int | str | None, reader: str = "live", at: float | None = None, **data: Any) -> None:
    name = None if number is None else str(number)
    fact = EventSeen(reader, book.put(json.dumps({"content": f"message {number}", **data})), name)
    if at is None:
        book.fact(fact)
    else:
        book.ledger.append(fact, at)


def _read(book: Book, *numbers: int | str | None) -> None:
    _open(book)
    for number in numbers:
        _event(book, number)


@pytest.mark.parametrize(
    ("numbers", "arguments", "problem"),
    [
        ([1, 2, 3], {}, ""),
        ([1, 2, 3], {"count": 3}, ""),
        ([1, 2, 3], {"count": 4}, "3 events"),
        ([1, 2, 3], {"count": {"at_most": 2}}, "3 events"),
        ([], {}, "0 events"),
        ([1, 2, 3], {"where": {"content": "message 2"}, "count": 1}, ""),
        ([1, 2, 3], {"where": {"content": "message 4"}}, "0 events of 3 fit"),
        ([1, 2, 3], {"where": {"$id": "2", "$event": "message"}}, ""),
        ([1, 2, 5], {"once": True, "ordered": True, "count": 3}, ""),
        ([1, 2, 2], {"once": True}, "1 event came more than once (ids 2)"),
        ([1, 2, 2], {"ordered": True}, ""),
        ([1, 3, 2], {"once": True}, ""),
        ([1, 3, 2], {"ordered": True}, "event 2 came after event 3"),
        ([9, 10], {"ordered": True}, ""),
        ([1, None], {"once": True}, "1 event without an id"),
        ([1, None], {"ordered": True}, "an event has no id"),
        ([1, "b7"], {"ordered": True}, "the id 'b7', which is no number"),
        ([], {"once": True}, "nothing to judge: it got no event"),
        ([], {"count": 0}, ""),
    ],
)
def test_events(book: Book, numbers: list[int | str | None], arguments: dict[str, Any], problem: str) -> None:
    _read(book, *numbers)
    verdict = book.judge("sse", reader="live", **arguments)
    assert verdict.passed is (problem == ""), told(verdict)
    assert problem in verdict.observed


def test_a_reader_that_nobody_opened(book: Book) -> None:
    _read(book, 1)
    verdict = book.judge("sse", reader="life")
    assert verdict.observed == "nothing to judge: no reader life was opened; there were: live"
    assert verdict.nearest == "did you mean live?"


def test_the_events_of_other_readers_do_not_count(book: Book) -> None:
    _read(book, 1, 2)
    _open(book, "other")
    _event(book, 2, "other")
    assert book.judge("sse", reader="live", count=2, once=True).passed
    assert book.judge("sse", reader="other", count=1).passed


def test_the_nearest_event_is_named(book: Book) -> None:
    _open(book)
    _event(book, 1, kind="status", content="done")
    _event(book, 2, kind="error", content="done")
    verdict = book.judge("sse", reader="live", where={"kind": "message", "content": "done"})
    assert verdict.nearest.startswith("one event meets 1 of 2 conditions: kind is 'status'")
    assert "event 1" in verdict.evidence[0].text


def test_how_it_was_connected_is_told(book: Book) -> None:
    _read(book, 1)
    book.fact(ReaderLost("live", "the server ended it"))
    book.fact(ReaderConnected("live", URL, 503, "1", "away"))
    verdict = book.judge("sse", reader="live", count=2)
    assert "connected 2 times, lost 1 · last status 503" in verdict.evidence[-1].text


def test_latency_counts_from_the_publish(book: Book) -> None:
    _open(book)
    for number in range(1, 101):
        book.publish("argo.workflow.general.message", json.dumps({"message_id": f"m{number}", "content": "x"}))
        left = book.ledger[len(book.ledger) - 3].at
        late = 0.2 if number == 100 else 0.01
        _event(book, number, at=left + late, stream_seq=number)
    verdict = book.judge("sse", reader="live", latency_p99={"at_most": "100ms"})
    assert verdict.passed, told(verdict)
    assert verdict.observed == "100 events; p99 10.0 ms over 100 events (median 10.0 ms)"
    _event(book, 101, at=START + 10_000, stream_seq=1)
    assert not book.judge("sse", reader="live", latency_p99={"at_most": "100ms"}).passed


def test_latency_by_message_id_and_without_any(book: Book) -> None:
    _open(book)
    book.stored("argo.workflow.general.message", {"id": "m1", "content": "x"}, time=START)
    _event(book, 1, at=START + 0.05, attrs={"message_id": "m1"})
    assert book.judge("sse", reader="live", latency_p99={"at_most": "50.1ms"}).passed
    _open(book, "blind")
    _event(book, 1, "blind")
    assert "no event could be matched" in book.judge("sse", reader="blind", latency_p99={"at_most": 1}).observed


def test_what_cannot_fail_or_can_break_is_known() -> None:
    check = CHECKS["sse"]

    def arguments(**given: Any) -> SseArguments:
        return SseArguments.model_validate({"reader": "live", **given})

    assert check.vacuous(arguments(count={"at_least": 0})) is not None
    assert check.vacuous(arguments(where={})) is not None
    assert check.vacuous(arguments(count={"at_least": 0}, once=True)) is None
    assert check.growth_can_break(arguments(once=True))
    assert not check.growth_can_break(arguments(count={"at_least": 3}))
    with pytest.raises(ValidationError, match="once can only be true"):
        arguments(once=False)


# --- pages ------------------------------------------------------------------------------------------------------------
def _page(book: Book, text: str = "Agents\nResearch is   done", **given: Any) -> None:
    payload = book.put(text)
    book.fact(
        PageSeen("page:/agents", "/agents", "http://127.0.0.1:1/agents", given.pop("status", 200), payload, **given)
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, ""),
        ({"text": "Research is done"}, ""),
        ({"text": ["Agents", "Research is done"]}, ""),
        ({"text": ["Agents", "Critique"]}, "people do not see 'Critique'"),
        ({"absent": "Critique"}, ""),
        ({"absent": "Research"}, "people see 'Research'"),
        ({"no_script": True}, ""),
    ],
)
def test_a_page(book: Book, arguments: dict[str, Any], problem: str) -> None:
    _page(book)
    verdict = book.judge("page", path="/agents", **arguments)
    assert verdict.passed is (problem == ""), told(verdict)
    assert problem in verdict.observed


def test_a_script_out_of_content(book: Book) -> None:
    _page(book, scripts=("alert(1)", '<img onerror="x">'))
    assert book.judge("page", path="/agents").passed
    verdict = book.judge("page", path="/agents", no_script=True)
    assert verdict.observed == '2 scripts from content: alert(1), <img onerror="x">'


def test_a_page_that_is_not_there(book: Book) -> None:
    assert "was not looked at" in book.judge("page", path="/agents").observed
    _page(book, status=404)
    assert book.judge("page", path="/agents").observed == "it was answered with status 404"


def test_a_page_that_stays_is_judged_by_what_it_shows_now(book: Book) -> None:
    payload = book.put("A run: Research is done")
    book.fact(PageSeen("page:live", "live", "http://127.0.0.1:1/agents/r", 404, payload))
    assert book.judge("page", reader="live", text="Research is done").passed
    assert book.judge("page", reader="live", absent="Error").passed
    assert book.judge("page", reader="live", no_script=True).passed
    assert not book.judge("page", reader="live", text="Error").passed
    assert book.judge("page", reader="live").observed == "it was answered with status 404"


def test_a_page_that_nobody_served(book: Book) -> None:
    book.fact(PageSeen("page:live", "live", "http://127.0.0.1:1/", None, book.put("no site"), reason="refused"))
    assert book.judge("page", reader="live", absent="Error").observed == "no answer: refused"


def test_when_waiting_can_only_break_a_claim(book: Book) -> None:
    def holds_of_nothing(**given: Any) -> bool:
        return CHECKS["sse"].holds_of_nothing(SseArguments.model_validate({"reader": "live", **given}))

    assert holds_of_nothing(count={"at_most": 3})
    assert holds_of_nothing(count=0)
    assert not holds_of_nothing(count=3)
    assert not holds_of_nothing(count=0, once=True)
    assert not holds_of_nothing(once=True)
    book.fact(PageSeen("page:/agents", "/agents", "", None, reason="connection refused"))
    assert "connection refused" in book.judge("page", path="/agents").observed


def test_without_a_browser_the_claim_is_skipped_with_the_remedy(book: Book) -> None:
    book.fact(PageSeen("page:/agents", "/agents", "", None, reason="install Chromium", browser=False))
    verdict = book.judge("page", path="/agents", text="x")
    assert (verdict.outcome, verdict.observed, verdict.missing) == ("skipped", "install Chromium", "browser")


def test_a_page_is_given_by_reader_or_path() -> None:
    assert PageArguments.model_validate({"reader": "tab", "screenshot": True}).probe == PageProbe(
        "tab", screenshot=True
    )
    for wrong in ({}, {"reader": "a", "path": "/a"}, {"path": "agents"}):
        with pytest.raises(ValidationError):
            PageArguments.model_validate(wrong)
