"""What orchestrator, listener and agents tell each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from pytest_agog.errors import BadInput, InvalidToken
from pytest_agog.wire import orchestration as wire
from pytest_agog.wire.times import parse_time

STARTED: dict[str, Any] = {
    "eventType": "stage.started", "reqNumber": "REQ-042", "stage": "backend", "agentId": "roy", "attempt": 1,
    "contextData": {"reqNumber": "REQ-042", "title": "t", "previousStages": []}, "timeout": 60,
    "timestamp": "2026-01-31T12:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    "good", ["REQ-042", "REQ-I18N-001", "REQ-P0-7-SUB2-1767084329266", "REQ-a", "REQ-" + "x" * 124]
)
def test_ids_of_requirements(good: str) -> None:
    assert wire.requirement_id(good) == good


@pytest.mark.parametrize(
    "bad", ["", "REQ-", "REQ", "req-1", "REQ-1.2", "REQ-1 ", "REQ-é", "REQ-1\n", "REQ-" + "x" * 125]
)
def test_what_is_no_id(bad: str) -> None:
    with pytest.raises(BadInput, match="requirement id"):
        wire.requirement_id(bad)
    with pytest.raises(ValidationError):
        wire.Requirement.model_validate({"id": bad, "priority": "LOW", "title": "t"})


def test_camel_case_is_read_and_written_and_unknown_fields_are_kept() -> None:
    started = wire.StageStarted.model_validate(STARTED | {"moodOfTheDay": "fine"})
    assert (started.agent_id, started.context_data.previous_stages) == ("roy", [])
    written = json.loads(started.payload())
    assert written == STARTED | {"moodOfTheDay": "fine", "timestamp": "2026-01-31T12:00:00.000Z", "timeout": 60.0}


def test_a_message_can_be_made_in_python_words() -> None:
    moment = parse_time("2026-01-31T13:00:00+01:00")
    failure = wire.Failure(
        req_id="REQ-1", agent="roy", attempt=2, error="e", transient=True, output="", timestamp=moment
    )
    assert json.loads(failure.payload())["timestamp"] == "2026-01-31T12:00:00.000Z"
    decision = wire.Decision.model_validate({"reqId": "REQ-1", "lane": None, "agent": None, "priority": "LOW",
                                             "reasons": ["tie"], "timestamp": "2026-01-31T12:00:00Z"})  # fmt: skip
    assert json.loads(decision.payload())["lane"] is None


@pytest.mark.parametrize(
    "wrong", [{"attempt": 0}, {"timeout": 0}, {"timestamp": "noon"}, {"contextData": {}}, {"agentId": None}]
)
def test_wrong_fields_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        wire.StageStarted.model_validate(STARTED | wrong)


def test_results_are_notices() -> None:
    notice = {"agent": "roy", "req_number": "REQ-1", "status": "complete", "deliverable": "nats://a", "summary": "s"}
    result = wire.Result.model_validate(notice | {"attempt": 2, "gate": {"verdict": "rejected"}})
    assert result.notice().status == "COMPLETE"
    assert result.gate is not None
    with pytest.raises(ValidationError, match="summary"):
        wire.Result.model_validate({key: value for key, value in notice.items() if key != "summary"})
    with pytest.raises(ValidationError):
        wire.Result.model_validate(notice | {"gate": {"verdict": "perhaps"}})


def test_a_reply_to_a_spawn_request_says_something() -> None:
    assert wire.SpawnReply(sequence=3).payload() == b'{"sequence":3}'
    with pytest.raises(ValidationError):
        wire.SpawnReply()


def test_subjects() -> None:
    assert wire.requirement_subject("backend", "REQ-1") == "requirements.backend.REQ-1"
    assert wire.result_subject("roy", "REQ-1") == "results.roy.REQ-1"
    assert wire.error_subject("roy", "REQ-1") == "errors.roy.REQ-1"
    assert wire.integration_subject("news") == "integration.broadcast.news"
    assert wire.integration_subject("question", "roy") == "integration.roy.question"
    assert wire.escalation_subject("REQ-1") == "agog.strategic.escalations.REQ-1"
    assert wire.decision_subject("REQ-1") == "agog.strategic.decisions.REQ-1"
    assert wire.state_key("REQ-1") == "requirement.REQ-1"
    with pytest.raises(InvalidToken, match="agent"):
        wire.result_subject("a.b", "REQ-1")
