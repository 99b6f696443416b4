"""The chain: order, conditional stages, rejection, rework. [O11]"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.reference.orchestrator.engine import stages, working
from tests.reference.orchestrator.engine.records import NOW, RULES, begin, finish, notice, ready, sent, subjects, until


def test_the_stages_come_in_order_and_the_next_one_starts_from_urls() -> None:
    record, seen = begin(ready("backend", "frontend")), []
    while record.state != "COMPLETE":
        seen.append((record.stage, record.stage_agent))
        record = finish(record)
        record = begin(sent(record)) if record.state == "READY" else record
    assert seen == [
        ("research", "cynthia"), ("critique", "sylvia"), ("backend", "roy"), ("frontend", "jen"), ("qa", "billy"),
        ("statistics", "priya"),
    ]  # fmt: skip
    assert [one.deliverable_url for one in record.done][:2] == [
        "nats://agog.deliverables.cynthia.x.REQ-7", "nats://agog.deliverables.sylvia.x.REQ-7",
    ]  # fmt: skip
    assert record.attempts == 6


def test_a_spawn_names_earlier_work_by_url_only() -> None:
    begun = working.started(sent(finish(until(ready("backend"), "research"))), NOW, RULES)
    (spawn,) = [effect for effect in begun.outbox if effect.subject.endswith("stage.started")]
    assert spawn.payload["contextData"]["previousStages"] == [
        {"stage": "research", "agent": "cynthia", "deliverableUrl": "nats://agog.deliverables.cynthia.x.REQ-7"}
    ]
    assert (spawn.payload["attempt"], spawn.payload["agentId"]) == (1, "sylvia")


@pytest.mark.parametrize(
    ("lane", "matter", "expected"),
    [
        ("backend", (), ["backend"]),
        ("frontend", ("backend",), ["backend", "frontend"]),
        ("database", ("frontend", "backend"), ["database", "backend", "frontend"]),
    ],
)
def test_who_implements_follows_from_what_is_touched(lane: str, matter: tuple[str, ...], expected: list[str]) -> None:
    chain = stages.chain(lane, matter, assigned=False)
    assert [stage for stage in chain if stage in stages.IMPLEMENTING] == expected


@pytest.mark.parametrize("lane", ["backend", "frontend", "database", "documentation", "review", "release"])
def test_an_assigned_requirement_takes_its_lane_alone(lane: str) -> None:
    assert stages.chain(lane, ("backend", "frontend"), assigned=True) == (lane,)


@pytest.mark.parametrize(("flag", "agent"), [("needs_todd", "todd"), ("needs_vic", "vic")])
def test_a_conditional_stage_that_a_notice_asks_for_runs(flag: str, agent: str) -> None:
    asks: dict[str, Any] = {flag: True}
    record = finish(until(ready(), "backend"), **asks)
    seen = []
    while record.state != "COMPLETE":
        record = begin(sent(record))
        seen.append(record.stage_agent)
        record = finish(record)
    assert seen == ["billy", agent, "priya"]


def test_a_conditional_stage_that_nobody_asks_for_is_skipped_and_says_so() -> None:
    record = finish(until(ready(), "qa"))
    skips = [effect.payload["stage"] for effect in record.outbox if effect.subject.endswith("stage.skipped")]
    assert skips == ["performance", "security"]


# --- the critic -------------------------------------------------------------------------------------------------------
def test_a_rejected_critique_stops_the_chain() -> None:
    record = finish(until(ready(), "critique"), critique_verdict="REJECTED", blockers=["no index"])
    assert (record.state, record.stopped) == ("REJECTED", True)
    assert subjects(record) == ["workflow.failed", "agog.strategic.escalations.REQ-7"]


def test_a_critique_without_a_verdict_is_no_approval() -> None:
    record = until(ready(), "critique")
    silent = notice(record, critique_verdict=None)
    ended = working.ended(record, silent, NOW, RULES)
    assert (ended.state, stages.next_stage(ended), ended.retries) == ("READY", "critique", 1)


def test_an_approval_with_blockers_is_no_approval() -> None:
    record = finish(until(ready(), "critique"), critique_verdict="APPROVED", blockers=["no index"])
    assert record.stopped


def test_conditions_of_the_critic_reach_the_implementer() -> None:
    record = finish(until(ready(), "critique"), critique_verdict="APPROVED_WITH_CONDITIONS")
    begun = working.started(sent(record), NOW, RULES)
    assert begun.outbox[-1].payload["contextData"]["conditions"] == "done"


# --- quality ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "says",
    [
        {"status": "FAILED"},
        {"blockers": ["login is broken"]},
        {"ready_for_next_stage": False},
        {"critique_verdict": "REJECTED"},
        {"status": "BLOCKED", "blockers": ["login is broken"]},
    ],
)
def test_a_failed_qa_goes_back_to_the_author_with_what_it_found(says: dict[str, Any]) -> None:
    record = finish(until(ready("backend", "frontend"), "qa"), **says)
    assert (record.state, stages.next_stage(record), record.rejections) == ("REJECTED", "backend", 1)
    begun = working.started(sent(record), NOW, RULES)
    (feedback,) = begun.outbox[-1].payload["contextData"]["feedback"]
    assert (feedback["by"], begun.attempt) == ("qa", 2)
    assert feedback["deliverableUrl"] == "nats://agog.deliverables.billy.x.REQ-7"


def test_qa_names_who_goes_on() -> None:
    record = finish(until(ready("backend", "frontend"), "qa"), status="FAILED", next_agent="jen")
    assert stages.next_stage(record) == "frontend"


def test_reworked_work_is_judged_again_by_everyone_after_it() -> None:
    record = finish(until(ready(), "qa"), status="FAILED")
    seen = []
    while record.state != "COMPLETE":
        record = begin(sent(record))
        seen.append((record.stage, record.attempt))
        record = finish(record)
    assert seen == [("backend", 2), ("qa", 2), ("statistics", 1)]


def test_work_that_is_refused_too_often_goes_to_a_human() -> None:
    record = until(ready(), "qa")
    for _ in range(RULES.rejections - 1):
        record = until(sent(finish(record, status="FAILED")), "qa")
    record = finish(record, status="FAILED")
    assert record.state == "ESCALATED"
    assert "agog.strategic.escalations.REQ-7" in subjects(record)
