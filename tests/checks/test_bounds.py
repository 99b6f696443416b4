"""Limits on what is counted, in the arguments of every check that counts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.checks.builders import CHECKS

COUNTS: list[tuple[str, dict[str, Any], str]] = [
    ("message", {"subject": "a"}, "count"),
    ("stream", {"name": "A"}, "messages"),
    ("consumer", {"stream": "A", "name": "b"}, "pending"),
    ("consumer", {"stream": "A", "name": "b"}, "ack_pending"),
    ("consumer", {"stream": "A", "name": "b"}, "redelivered"),
    ("deliverable", {"url": "nats://a"}, "tokens"),
    ("deliverable", {"url": "nats://a"}, "revisions"),
    ("notice", {}, "tokens"),
    ("rows", {}, "count"),
    ("http", {"path": "/"}, "status"),
]


@pytest.mark.parametrize(("check", "given", "name"), COUNTS)
@pytest.mark.parametrize("bound", [-1, 1.5, "50%", {"at_least": -1}, {"at_most": 2.5}, {"between": [0.5, 3]}])
def test_a_count_is_whole_and_not_negative(check: str, given: dict[str, Any], name: str, bound: Any) -> None:
    with pytest.raises(ValidationError, match=r"is no whole number|is at least 0"):
        CHECKS[check].arguments.model_validate({**given, name: bound})


@pytest.mark.parametrize(("check", "given", "name"), COUNTS)
@pytest.mark.parametrize("bound", [0, 3, 3.0, {"at_least": 1}, {"between": [1, 1]}])
def test_a_count_may_be_any_other(check: str, given: dict[str, Any], name: str, bound: Any) -> None:
    assert CHECKS[check].arguments.model_validate({**given, name: bound})


def test_an_exit_status_is_whole_and_may_be_a_signal() -> None:
    arguments = CHECKS["process"].arguments
    assert arguments.model_validate({"name": "x", "exit": -9})
    with pytest.raises(ValidationError, match="is no whole number"):
        arguments.model_validate({"name": "x", "exit": 0.5})


def test_a_threshold_is_not_negative() -> None:
    with pytest.raises(ValidationError):
        CHECKS["no_inline_report"].arguments.model_validate({"threshold": "-1%"})


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "$AGENT_OUTPUT_DIR/../x", "a\\b", "..", "a\0b"])
def test_a_file_does_not_leave_its_folder(path: str) -> None:
    with pytest.raises(ValidationError, match=r"leaves the folder|is no path relative"):
        CHECKS["file"].arguments.model_validate({"path": path})


@pytest.mark.parametrize("path", ["x", "./x", "a/../x", "$AGENT_OUTPUT_DIR/x", "..x", "a/..b"])
def test_a_file_may_stand_anywhere_in_it(path: str) -> None:
    assert CHECKS["file"].arguments.model_validate({"path": path})
