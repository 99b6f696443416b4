from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pytest_agog.checks.compose import ComposeArguments
from tests.checks.builders import Book

FILE = "compose/x.yaml"
WRONG = "services:\n  one: {image: x, environment: {DB_PASSWORD: mine}, ports: ['1:1', '1:2']}\n"
NOTED = "services:\n  one: {image: x, healthcheck: {test: exit 0}}\n"


@pytest.mark.parametrize(
    ("text", "arguments", "passed"),
    [
        (WRONG, {"findings": 2}, True),
        (WRONG, {"findings": 1}, False),
        (WRONG, {"rules": ["port-clash", "secret-in-file"]}, True),
        (WRONG, {"rules": ["port-clash"]}, False),
        (WRONG, {"rules": ["port-clash", "secret-in-file", "nats-flag"]}, False),
        (WRONG, {"rules": []}, False),
        (NOTED, {"findings": 0, "rules": [], "notes": ["healthcheck-cannot-fail"]}, True),
        (NOTED, {"notes": []}, False),
        ("a: b\n", {"findings": 0}, False),
        (None, {"findings": 0}, False),
    ],
)
def test_what_the_rules_find(book: Book, text: str | None, arguments: dict[str, Any], passed: bool) -> None:
    book.file(FILE, text)
    verdict = book.judge("compose", files=[FILE], **arguments)
    assert verdict.passed == passed
    assert passed or verdict.observed


def test_evidence_has_the_place_and_never_the_secret(book: Book) -> None:
    book.file(FILE, WRONG.replace("mine", "Qm4x9Zt2"))
    verdict = book.judge("compose", files=[FILE], findings=0)
    assert [item.details["rule"] for item in verdict.evidence] == ["port-clash", "secret-in-file"]
    assert "Qm4x9Zt2" not in str(verdict)


def test_files_that_nobody_looked_up_prove_nothing(book: Book) -> None:
    assert "was not read" in book.judge("compose", files=[FILE], findings=0).observed


@pytest.mark.parametrize(
    "arguments",
    [
        {"findings": 0},
        {"files": [], "findings": 0},
        {"files": [FILE]},
        {"files": [FILE], "rules": ["no-such-rule"]},
        {"files": ["/etc/x.yaml"], "findings": 0},
        {"files": ["$AGENT_OUTPUT_DIR/../x.yaml"], "findings": 0},
    ],
)
def test_arguments_that_say_nothing_or_leave_the_folder(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ComposeArguments.model_validate(arguments)
