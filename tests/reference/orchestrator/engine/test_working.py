"""Attempts and their ends: blocked, failed, late, stuck. [O10] [O14] [O15]"""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_agog.reference.orchestrator.engine import stages, working
from pytest_agog.reference.orchestrator.engine.working import Cost
from pytest_agog.wire.orchestration import Failure
from tests.reference.orchestrator.engine.records import (
    NOW,
    RULES,
    begin,
    finish,
    later,
    notice,
    ready,
    sent,
    subjects,
    until,
)


def failure(*, transient: bool = True, error: str = "exit 1", output: str = "") -> Failure:
    return Failure(
        req_id="REQ-7", agent="roy", attempt=1, error=error, transient=transient, output=output, timestamp=NOW
    )  # fmt: skip


def test_the_first_start_tells_of_the_workflow_and_the_stage() -> None:
    begun = working.started(ready(assigned=True), NOW, RULES)
    assert subjects(begun) == ["workflow.started", "stage.started"]
    assert (begun.state, begun.attempts) == ("ASSIGNED", 1)
    assert working.dispatched(begun, NOW).state == "IN_PROGRESS"


def test_effects_of_the_same_step_have_the_same_ids() -> None:
    record = ready(assigned=True)
    once, again = (working.started(record, moment, RULES) for moment in (NOW, later(60)))
    assert [one.msg_id for one in once.outbox] == [one.msg_id for one in again.outbox]


@pytest.mark.parametrize(
    ("stage", "attempt", "agent", "expected"),
    [
        ("backend", 1, "roy", True),
        ("backend", 2, "roy", False),
        ("qa", 1, "roy", False),
        ("backend", 1, "jen", False),
        (None, None, "roy", True),
        (None, None, "jen", False),
    ],
)
def test_only_the_running_attempt_can_end(stage: str | None, attempt: int | None, agent: str, expected: bool) -> None:
    assert working.concerns(begin(ready(assigned=True)), stage, attempt, agent) is expected


def test_nothing_ends_twice() -> None:
    ended = finish(begin(ready(assigned=True)))
    assert not working.concerns(ended, "backend", 1, "roy")


def test_the_cost_of_an_attempt_is_kept_with_its_kind() -> None:
    record = begin(ready(assigned=True))
    record = working.spent(working.spent(record, Cost(70, reported=True), NOW), Cost(5, reported=False), NOW)
    assert record.tokens == {"reported": 70, "estimated": 5}
    assert [(one.agent, one.tokens, one.kind) for one in record.spent] == [
        ("roy", 70, "reported"), ("roy", 5, "estimated"),
    ]  # fmt: skip


# --- blocked ----------------------------------------------------------------------------------------------------------
def test_a_blocker_that_names_a_requirement_waits_for_it_and_resumes() -> None:
    blocked = finish(begin(ready(assigned=True)), status="BLOCKED", blockers=["needs REQ-8-SUB1 first"])
    assert (blocked.state, blocked.waits_for) == ("BLOCKED", ("REQ-8-SUB1",))
    resumed = working.resumed(blocked, NOW)
    assert (resumed.state, subjects(resumed)) == ("READY", ["workflow.resumed"])
    assert begin(sent(resumed)).attempt == 2


def test_a_blocker_goes_to_the_agent_that_can_remove_it() -> None:
    blocked = finish(begin(ready("frontend", assigned=True)), status="BLOCKED", blockers=["no API"], next_agent="roy")
    assert subjects(blocked) == ["integration.roy.blocker"]
    helping = begin(sent(blocked))
    assert (helping.stage, helping.stage_agent) == (working.UNBLOCK, "roy")
    freed = finish(helping)
    assert (freed.state, freed.blockers) == ("READY", ())
    again = begin(sent(freed))
    assert (again.stage, again.stage_agent, again.attempt) == ("frontend", "jen", 2)


def test_one_that_cannot_be_unblocked_goes_to_a_human() -> None:
    blocked = finish(begin(ready("frontend", assigned=True)), status="BLOCKED", blockers=["no API"], next_agent="roy")
    stopped = finish(begin(sent(blocked)), status="FAILED")
    assert (stopped.state, stopped.helper) == ("ESCALATED", None)


def test_a_blocker_that_nobody_can_remove_goes_to_a_human() -> None:
    blocked = finish(begin(ready(assigned=True)), status="BLOCKED", blockers=["no credentials"])
    assert (blocked.state, blocked.blockers) == ("BLOCKED", ("no credentials",))
    assert subjects(blocked) == ["agog.strategic.escalations.REQ-7"]


def test_complete_with_blockers_is_blocked() -> None:
    assert finish(begin(ready(assigned=True)), blockers=["no credentials"]).state == "BLOCKED"


# --- failed -----------------------------------------------------------------------------------------------------------
def test_transient_failures_are_tried_again_ever_later_and_then_go_to_a_human() -> None:
    record, pauses = begin(ready(assigned=True)), []
    for number in range(RULES.retry.most):
        record = working.broken(record, failure(), NOW, RULES)
        assert (record.state, record.retries) == ("READY", number + 1)
        assert record.due is not None
        pauses.append((record.due - NOW).total_seconds())
        record = begin(sent(record))
    assert pauses == [1, 2, 4]
    assert record.attempt == 4
    assert working.broken(record, failure(), NOW, RULES).state == "ESCALATED"


def test_other_failures_go_to_a_human_at_once() -> None:
    stopped = working.broken(begin(ready(assigned=True)), failure(transient=False), NOW, RULES)
    assert subjects(stopped) == ["workflow.failed", "agog.strategic.escalations.REQ-7"]


def test_a_stage_that_went_well_starts_the_next_with_all_its_retries() -> None:
    record = working.broken(until(ready(), "research"), failure(), NOW, RULES)
    assert finish(begin(sent(record))).retries == 0


def test_a_merge_conflict_is_noted() -> None:
    output = "CONFLICT (content): Merge conflict in src/util.ts"
    assert working.broken(begin(ready(assigned=True)), failure(output=output), NOW, RULES).conflicted


def test_a_stuck_agent_is_started_anew() -> None:
    record = begin(ready(assigned=True))
    stuck = working.stuck(record, later(7200), RULES)
    assert (stuck.state, subjects(stuck)) == ("READY", ["stage.timeout"])
    assert not working.concerns(stuck, "backend", 1, "roy")
    assert begin(sent(stuck)).attempt == 2


def test_a_stage_without_a_gate_in_the_chain_passes_without_one() -> None:
    ended = working.ended(until(ready(), "research"), notice(until(ready(), "research")), NOW, RULES)
    assert (ended.state, stages.next_stage(ended)) == ("READY", "critique")


@pytest.mark.parametrize("lane", ["backend", "frontend", "database", "documentation", "review", "release"])
def test_nothing_of_a_single_lane_is_complete_without_the_gate(lane: str) -> None:
    record = begin(ready(lane, assigned=True))
    assert working.ended(record, notice(record), NOW, RULES).state == "GATING"


def test_a_failed_notice_is_not_tried_again() -> None:
    record = begin(ready(assigned=True))
    assert working.ended(record, notice(record, "FAILED"), NOW, RULES).state == "ESCALATED"


def test_the_history_keeps_the_newest() -> None:
    record = replace(ready(), history=())
    for number in range(300):
        record = record.now(NOW, "READY", str(number))
    assert (len(record.history), record.history[-1].why) == (200, "299")
