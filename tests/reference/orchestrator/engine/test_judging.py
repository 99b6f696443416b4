"""Gate and review. [O12] [O13]"""

from __future__ import annotations

import pytest

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.engine import judging, stages, working
from pytest_agog.reference.orchestrator.engine.ending import decided
from pytest_agog.reference.orchestrator.engine.working import Cost
from pytest_agog.reference.orchestrator.state.record import Record, dump, load, showing
from pytest_agog.wire.notices import Notice, create
from pytest_agog.wire.orchestration import Failure, StateValue
from tests.reference.orchestrator.engine.records import BAD, NOW, RULES, begin, finish, ready, sent, subjects, until

FREE = Cost(0, reported=False)


def reviewing() -> Record:
    done = finish(begin(ready(assigned=True)))
    return sent(judging.review_started(sent(done), NOW, RULES))


def review(status: str = "COMPLETE", **fields: object) -> Notice:
    return create("review", "REQ-7", status, "agog.deliverables.review.review.REQ-7", "read it", **fields)


def test_accepted_work_is_complete_and_goes_to_review() -> None:
    done = finish(begin(ready(assigned=True)))
    assert (done.state, done.review) == ("COMPLETE", "pending")
    assert subjects(done) == [
        "build.passed", "results.roy.REQ-7", "workflow.completed", "requirements.review.REQ-7",
    ]  # fmt: skip
    assert done.outbox[1].payload["gate"]["verdict"] == "accepted"


def test_rejected_work_goes_back_with_the_exact_output() -> None:
    rejected = finish(begin(ready(assigned=True)), verdict=BAD)
    assert (rejected.state, rejected.rejections) == ("REJECTED", 1)
    assert subjects(rejected) == ["build.failed", "results.roy.REQ-7", "integration.roy.rejected"]
    assert rejected.outbox[1].payload["gate"]["commands"][0]["output_tail"] == "error TS2304"
    again = working.started(sent(rejected), NOW, RULES)
    assert "error TS2304" in again.outbox[-1].payload["contextData"]["feedback"][0]["text"]


def test_the_third_rejection_goes_to_a_human() -> None:
    record = ready(assigned=True)
    for _ in range(RULES.rejections):
        record = finish(begin(sent(record)), verdict=BAD)
    assert record.state == "ESCALATED"
    verdicts = [one.payload["gate"]["verdict"] for one in record.outbox if one.subject.startswith("results.")]
    assert verdicts == ["escalated"]


def test_work_that_waits_for_no_gate_cannot_be_judged() -> None:
    running = begin(ready(assigned=True))
    assert judging.judged(running, BAD, NOW, RULES) is running


def test_in_the_chain_each_implementer_passes_the_gate_before_the_next_starts() -> None:
    record = finish(until(ready("backend", "frontend"), "backend"), verdict=BAD)
    assert stages.next_stage(record) == "backend"


# --- review -----------------------------------------------------------------------------------------------------------
def test_a_review_that_passes_leaves_the_work_complete() -> None:
    passed = judging.reviewed(reviewing(), review(), FREE, NOW, RULES)
    assert (passed.state, passed.review) == ("COMPLETE", "passed")


def test_a_review_that_fails_sends_the_work_back_to_its_author() -> None:
    back = judging.reviewed(reviewing(), review("FAILED", blockers=["no tests"]), FREE, NOW, RULES)
    assert (back.state, stages.next_stage(back), back.feedback[0].by) == ("REJECTED", "backend", "review")
    again = finish(begin(sent(back)))
    assert (again.state, again.review, again.attempts) == ("COMPLETE", "pending", 2)


def test_only_the_review_that_runs_counts() -> None:
    record = reviewing()
    assert judging.awaits_review(record, "review", 1)
    assert not judging.awaits_review(record, "review", 2)
    assert not judging.awaits_review(record, "backend", 1)


def test_a_reviewer_that_comes_to_nothing_is_tried_again_and_then_a_human_is_told() -> None:
    record = reviewing()
    failure = Failure(
        req_id="REQ-7", agent="review", attempt=1, error="exit 1", transient=True, output="", timestamp=NOW
    )  # fmt: skip
    for _ in range(RULES.retry.most):
        record = judging.review_failed(record, failure, NOW, RULES)
        assert record.review == "pending"
        record = sent(judging.review_started(record, NOW, RULES))
    record = judging.review_failed(record, failure, NOW, RULES)
    assert (record.state, record.review, subjects(record)) == (
        "COMPLETE", "failed", ["agog.strategic.escalations.REQ-7"],
    )  # fmt: skip


@pytest.mark.parametrize("lane", ["review", "release"])
def test_reviews_and_releases_are_not_reviewed(lane: str) -> None:
    assert finish(begin(ready(lane, assigned=True))).review == "none"


# --- a human decides --------------------------------------------------------------------------------------------------
def test_a_human_says_again() -> None:
    record = ready(assigned=True)
    for _ in range(RULES.rejections):
        record = finish(begin(sent(record)), verdict=BAD)
    again = decided(sent(record), "retry", None, "ann", NOW)
    assert (again.state, again.rejections, subjects(again)) == ("READY", 0, ["workflow.resumed"])


def test_a_human_gives_up() -> None:
    over = decided(ready(), "abandon", None, "ann", NOW)
    assert (over.state, over.over) == ("FAILED", True)


def test_a_human_assigns_somebody() -> None:
    record = decided(ready(), "assign", "jen", "ann", NOW)
    assert (record.agent, record.lane, record.chain) == ("jen", "frontend", ("frontend",))
    assert begin(sent(record)).stage_agent == "jen"


# --- as it is stored --------------------------------------------------------------------------------------------------
def test_a_record_is_what_was_stored_and_keeps_the_contract() -> None:
    record = judging.reviewed(reviewing(), review(), Cost(9, reported=True), NOW, RULES)
    record = showing(record)
    assert load(dump(record)) == record
    value = StateValue.model_validate_json(dump(record))
    assert (value.state, value.lane, value.attempts, value.tokens) == ("COMPLETE", "backend", 1, {"reported": 9})


def test_others_see_a_state_when_it_is_told() -> None:
    done = showing(finish(begin(ready(assigned=True))))
    assert load(dump(done)).state == "COMPLETE"
    assert StateValue.model_validate_json(dump(done)).state != "COMPLETE"
    told = showing(sent(done))
    assert StateValue.model_validate_json(dump(told)).state == "COMPLETE"
    reviewed_now = showing(judging.review_started(told, NOW, RULES))
    assert reviewed_now.outbox
    assert StateValue.model_validate_json(dump(reviewed_now)).state == "COMPLETE"


def test_a_value_of_somebody_else_is_told() -> None:
    with pytest.raises(BadInput, match="state"):
        load(b'{"id": "REQ-1"}')
