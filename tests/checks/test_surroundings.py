from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pytest_agog.checks.surroundings import FileArguments, HttpArguments, ProcessArguments
from pytest_agog.ledger.answers import FileSeen, HttpSeen
from pytest_agog.ledger.facts import ProcessExited, ProcessOutput, ProcessStarted
from pytest_agog.ledger.probes import FileProbe, HttpProbe
from tests.checks.builders import CHECKS, Book, told


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, ""),
        ({"contains": "two"}, ""),
        ({"contains": "three"}, "'three' does not stand in its 8 bytes"),
        ({"equals": "same.txt"}, ""),
        ({"equals": "other.txt"}, "it differs from other.txt: 8 bytes, as many as wanted; first difference at byte 4"),
        ({"exists": False}, "it is there"),
    ],
)
def test_a_file(book: Book, arguments: dict[str, Any], problem: str) -> None:
    for path, text in (("out.txt", "one\ntwo\n"), ("same.txt", "one\ntwo\n"), ("other.txt", "one\nTwo\n")):
        book.file(path, text)
    verdict = book.judge("file", path="out.txt", **arguments)
    assert verdict.passed is (problem == ""), told(verdict)
    assert problem in verdict.observed


def test_a_file_that_is_not_there(book: Book) -> None:
    assert "was not looked up" in book.judge("file", path="out.txt").observed
    book.file("out.txt", None)
    assert book.judge("file", path="out.txt").observed == "it is not there"
    assert book.judge("file", path="out.txt", exists=False).passed
    book.fact(FileSeen("file:out.txt", "out.txt", exists=False, reason="it leaves the data root"))
    assert not book.judge("file", path="out.txt", exists=False).passed, "not looked up is not the same as not there"
    with pytest.raises(ValidationError, match="has no content"):
        FileArguments.model_validate({"path": "a", "exists": False, "contains": "x"})
    probes = CHECKS["file"].probes(FileArguments.model_validate({"path": "a", "equals": "b"}))
    assert list(probes) == [FileProbe("a"), FileProbe("b")]


def _process(book: Book, exit_status: int | None, output: str = "") -> None:
    book.fact(ProcessStarted("roy", ("python", "agents/roy.py"), 123))
    if output:
        book.fact(ProcessOutput("roy", "stdout", book.put(output)))
    if exit_status is not None:
        book.fact(ProcessExited("roy", exit_status, 0.25))


def test_a_process(book: Book) -> None:
    _process(book, 1, "first try\n")
    _process(book, 0, "all\ngood \x07password=hunter2\n")
    verdict = book.judge("process", name="roy", exit=0, running=False, output_contains="good")
    assert verdict.passed, told(verdict)
    assert "the last of 2 starts" in verdict.evidence[0].text
    assert "good \\x07password=****" in verdict.evidence[1].excerpt
    assert "it ended with exit status 0" in book.judge("process", name="roy", exit=1).observed
    assert "it ended" in book.judge("process", name="roy", running=True).observed
    assert "'first try' does not stand" in book.judge("process", name="roy", output_contains="first try").observed


def test_a_process_that_runs_or_was_killed(book: Book) -> None:
    _process(book, None)
    assert book.judge("process", name="roy", running=True).passed
    assert book.judge("process", name="roy", exit=0).observed == "it still runs"
    book.fact(ProcessExited("roy", -9, 2.0, timed_out=True))
    assert "was ended by signal 9" in book.judge("process", name="roy", exit=0).observed
    assert book.judge("process", name="roy", exit=-9).passed


def test_output_that_came_in_pieces(book: Book) -> None:
    book.fact(ProcessStarted("roy", ("roy",), 1))
    for piece in ("spawn sav", "ings"):
        book.fact(ProcessOutput("roy", "stdout", book.put(piece)))
    assert book.judge("process", name="roy", output_contains="spawn savings").passed


def test_a_process_that_was_never_started(book: Book) -> None:
    _process(book, 0)
    verdict = book.judge("process", name="ray", exit=0)
    assert not verdict.passed
    assert "there were: roy" in verdict.observed
    assert verdict.nearest == "did you mean roy?"
    assert CHECKS["process"].growth_can_break(ProcessArguments.model_validate({"name": "a", "running": True}))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, ""),
        ({"status": 200}, ""),
        ({"status": {"between": [400, 499]}}, "status 200"),
        ({"json": {"jetstream.streams": {"at_least": 1}}}, ""),
        ({"json": {"jetstream.streams": 3, "name": "x"}}, "jetstream.streams is 2, which is not “is 3”"),
        ({"json": {"$headers.content-type": {"contains": "json"}}}, ""),
        ({"contains": "nats"}, ""),
        ({"contains": "Nats"}, "'Nats' does not stand in its body"),
    ],
)
def test_http(book: Book, arguments: dict[str, Any], problem: str) -> None:
    body = book.put({"name": "nats", "jetstream": {"streams": 2}})
    headers = {"Content-Type": "application/json"}
    book.fact(HttpSeen("http:GET:/varz", "GET", "http://127.0.0.1/varz", 200, headers, body))
    verdict = book.judge("http", path="/varz", **arguments)
    assert verdict.passed is (problem == ""), told(verdict)
    assert problem in verdict.observed


def test_a_body_that_was_not_read_shows_nothing(book: Book) -> None:
    reason = "the answer is larger than 64 MB; not kept"
    book.fact(HttpSeen("http:GET:/a", "GET", "http://h/a", 200, {"X": "y"}, reason=reason))
    assert book.judge("http", path="/a", status=200, json={"$headers.x": "y"}).passed
    for arguments in ({"json": {"error": {"exists": False}}}, {"contains": "x"}):
        assert book.judge("http", path="/a", **arguments).observed == f"its body was not read: {reason}"


def test_http_that_fails(book: Book) -> None:
    assert "the request was not made" in book.judge("http", path="/a").observed
    book.fact(HttpSeen("http:GET:/a", "GET", "http://h/a", None, reason="connection refused"))
    assert book.judge("http", path="/a").observed == "no answer: connection refused"
    book.fact(HttpSeen("http:GET:/a", "GET", "http://h/a", 503, payload=book.put("<html>")))
    assert book.judge("http", path="/a").observed == "status 503"
    assert book.judge("http", path="/a", status=503).passed
    verdict = book.judge("http", path="/a", status=503, json={"a": 1})
    assert verdict.observed.startswith("its body is no JSON")
    assert not book.judge("http", path="/a", status=503, json={"a": {"exists": False}}).passed, "no JSON lacks nothing"
    for wrong in (
        {},
        {"path": "/a", "url": "http://a"},
        {"path": "a"},
        {"url": "ftp://a"},
        {"path": "/", "method": "get"},
    ):
        with pytest.raises(ValidationError):
            HttpArguments.model_validate(wrong)
    assert HttpArguments.model_validate({"url": "http://a", "method": "POST"}).probe == HttpProbe("http://a", "POST")
