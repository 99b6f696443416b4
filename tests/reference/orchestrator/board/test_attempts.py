"""Attempts as they are read back from histories that the engine itself wrote."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pytest_agog.reference.orchestrator.board.attempts import attempts
from pytest_agog.reference.orchestrator.engine import judging, working
from pytest_agog.reference.orchestrator.engine.config import OrchestratorConfig
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.engine.working import Cost
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire import notices
from pytest_agog.wire.orchestration import Failure
from tests.reference.orchestrator.board.making import NOW, record

CONFIG = OrchestratorConfig()
CHAIN = ("research", "critique", "backend", "qa", "statistics")


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def notice(agent: str, **more: Any) -> notices.Notice:
    said = {
        "agent": agent,
        "req_number": "REQ-1",
        "status": "COMPLETE",
        "deliverable": "nats://a.b",
        "summary": "Done.",
    }
    return notices.parse({**said, **more})


def begun(found: Record, minutes: float) -> Record:
    return working.dispatched(working.started(found, at(minutes), CONFIG), at(minutes))


def ended(found: Record, minutes: float, **more: Any) -> Record:
    agent = found.stage_agent or ""
    spent = working.spent(found, Cost(100, reported=True), at(minutes))
    return working.ended(spent, notice(agent, **more), at(minutes), CONFIG)


def judged(found: Record, minutes: float, *, accepted: bool) -> Record:
    return judging.judged(found, Judged(accepted, (), (), "exact output"), at(minutes), CONFIG)


def seen(found: Record, minutes: float = 100) -> list[tuple[str, str, int, float, str]]:
    return [(a.stage, a.agent, a.number, a.seconds / 60, a.outcome) for a in attempts(found, at(minutes))]


def test_a_single_stage_to_the_end() -> None:
    found = begun(record("REQ-1"), 0)
    assert seen(found, 7) == [("backend", "roy", 1, 7, "running")]
    found = ended(found, 20)
    assert seen(found) == [("backend", "roy", 1, 20, "judged")]
    found = judged(found, 25, accepted=True)
    assert found.state == "COMPLETE"
    assert seen(found) == [("backend", "roy", 1, 20, "done")]


def test_work_that_the_gate_refuses_and_its_second_attempt() -> None:
    found = judged(ended(begun(record("REQ-1"), 0), 10), 12, accepted=False)
    assert found.state == "REJECTED"
    found = judged(ended(begun(found, 15), 20), 21, accepted=True)
    assert seen(found) == [("backend", "roy", 1, 10, "rejected"), ("backend", "roy", 2, 5, "done")]


def test_work_refused_too_often_is_the_authors_and_not_a_failure() -> None:
    found = record("REQ-1")
    for number in range(3):
        found = judged(ended(begun(found, number * 10), number * 10 + 5), number * 10 + 6, accepted=False)
    assert found.state == "ESCALATED"
    assert [outcome for *_, outcome in seen(found)] == ["rejected"] * 3


def test_a_whole_chain_with_a_refusal_by_qa() -> None:
    found = begun(record("REQ-1", chain=CHAIN), 0)
    found = begun(ended(found, 1), 2)
    found = begun(ended(found, 3, critique_verdict="APPROVED"), 4)
    found = begun(judged(ended(found, 6), 7, accepted=True), 8)
    found = begun(ended(found, 9, blockers=["A button does nothing."]), 10)
    assert seen(found, 11) == [
        ("research", "cynthia", 1, 1, "done"),
        ("critique", "sylvia", 1, 1, "done"),
        ("backend", "roy", 1, 2, "done"),
        ("qa", "billy", 1, 1, "done"),
        ("backend", "roy", 2, 1, "running"),
    ]
    assert [one.builds for one in attempts(found, at(11))] == [False, False, True, False, True]


def test_a_judge_whose_refusal_was_the_last_one_did_not_fail() -> None:
    found = replace(record("REQ-1", chain=CHAIN), rejections=2)
    found = begun(ended(begun(found, 0), 1), 2)
    found = begun(ended(found, 3, critique_verdict="APPROVED"), 4)
    found = begun(judged(ended(found, 5), 6, accepted=True), 7)
    found = ended(found, 8, blockers=["No."])
    assert found.state == "ESCALATED"
    assert seen(found)[-1] == ("qa", "billy", 1, 1, "done")


def test_a_critique_that_stops_the_chain_did_its_work() -> None:
    found = begun(ended(begun(record("REQ-1", chain=CHAIN), 0), 1), 2)
    found = ended(found, 3, critique_verdict="REJECTED")
    assert found.stopped
    assert seen(found)[-1] == ("critique", "sylvia", 1, 1, "done")


def test_failures_are_told_from_work() -> None:
    failure = Failure(req_id="REQ-1", agent="roy", attempt=1, error="exit 1", transient=True, output="", timestamp=NOW)
    found = working.broken(begun(record("REQ-1"), 0), failure, at(1), CONFIG)
    assert found.state == "READY"
    found = working.stuck(begun(found, 2), at(122), CONFIG)
    lasting = failure.model_copy(update={"transient": False})
    found = working.broken(begun(found, 130), lasting, at(131), CONFIG)
    assert found.state == "ESCALATED"
    assert [outcome for *_, outcome in seen(found)] == ["failed", "failed", "failed"]


def test_an_agent_that_gives_up_failed() -> None:
    found = ended(begun(record("REQ-1"), 0), 1, status="FAILED")
    assert seen(found)[-1][-1] == "failed"


def test_blocked_work_and_the_helper() -> None:
    found = ended(begun(record("REQ-1"), 0), 1, status="BLOCKED", blockers=["Needs a table."], next_agent="database")
    assert found.helper == "database"
    found = begun(found, 2)
    found = ended(found, 4)
    assert seen(begun(found, 5), 6) == [
        ("backend", "roy", 1, 1, "blocked"), ("unblock", "database", 1, 2, "done"), ("backend", "roy", 2, 1, "running")
    ]  # fmt: skip
    held = ended(begun(record("REQ-2"), 0), 1, status="BLOCKED", blockers=["Needs REQ-9."])
    assert held.state == "BLOCKED"
    assert seen(held)[-1][-1] == "blocked"


def test_a_record_without_work_has_no_attempts() -> None:
    assert seen(record("REQ-1", "PENDING")) == []


def test_a_helper_that_was_stuck_is_named_though_it_cost_nothing() -> None:
    found = ended(begun(record("REQ-1"), 0), 1, status="BLOCKED", blockers=["Needs a table."], next_agent="database")
    found = working.stuck(begun(found, 2), at(122), CONFIG)
    assert seen(begun(found, 130), 131)[1] == ("unblock", "database", 1, 120, "failed")
