"""The board as data: the seed's example, and what it does not show. [O18]"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pytest_agog.reference.orchestrator.board.board import board, critical_path
from pytest_agog.reference.orchestrator.board.model import AgentActivity, Board
from pytest_agog.reference.orchestrator.engine.stages import chain
from pytest_agog.reference.orchestrator.state.record import Done, Happened, Record
from tests.reference.orchestrator.board.making import (
    NOW,
    ago,
    complete,
    record,
    seed,
    situation,
    spending,
    working,
)


def agent(shown: Board, name: str) -> AgentActivity:
    (found,) = (one for one in shown.agents if one.agent == name)
    return found


@pytest.fixture
def example() -> Board:
    return board(situation(*seed()))


def test_queues_of_the_example(example: Board) -> None:
    assert {priority: [one.id for one in items] for priority, items in example.queues.items()} == {
        "CRITICAL": [], "HIGH": ["REQ-042", "REQ-043"], "MEDIUM": ["REQ-052", "REQ-050", "REQ-051"], "LOW": ["REQ-065"],
    }  # fmt: skip
    running, waiting = example.queues["HIGH"]
    assert (running.state, running.elapsed, running.blocked_by) == ("IN_PROGRESS", 900, ())
    assert (waiting.state, waiting.elapsed, waiting.blocked_by) == ("PENDING", None, ("REQ-042",))


def test_the_queue_as_json_has_the_seeds_shape(example: Board) -> None:
    assert example.queue() == {
        "critical": [],
        "high": [
            {"id": "REQ-042", "title": "Title of REQ-042", "agent": "roy", "estimatedTokens": 10_000, "blockedBy": []},
            {"id": "REQ-043", "title": "Title of REQ-043", "agent": "database", "estimatedTokens": 10_000,
             "blockedBy": ["REQ-042"]},
        ],
        "medium": [
            {"id": "REQ-052", "title": "Title of REQ-052", "agent": "roy", "estimatedTokens": 10_000, "blockedBy": []},
            {"id": "REQ-050", "title": "Title of REQ-050", "agent": "jen", "estimatedTokens": 10_000,
             "blockedBy": ["REQ-042"]},
            {"id": "REQ-051", "title": "Title of REQ-051", "agent": "documentation", "estimatedTokens": 10_000,
             "blockedBy": ["REQ-042"]},
        ],
        "low": [
            {"id": "REQ-065", "title": "Title of REQ-065", "agent": "documentation", "estimatedTokens": 10_000,
             "blockedBy": []},
        ],
    }  # fmt: skip


def test_budget_counts_the_utc_day_of_all_agents(example: Board) -> None:
    assert (example.budget.daily, example.budget.used, example.budget.remaining) == (1_000_000, 20_887, 979_113)
    assert example.budget.remaining_share == 0.979113
    yesterday = replace(record("REQ-1"), spent=(spending("roy", 500, ago(hours=11)), spending("roy", 7, ago(hours=1))))
    assert board(situation(yesterday)).budget.used == 7
    blown = replace(record("REQ-1"), spent=(spending("roy", 2_000_000),))
    assert (board(situation(blown)).budget.remaining, board(situation(blown)).budget.remaining_share) == (0, 0)


def test_agents_of_the_example(example: Board) -> None:
    assert [one.agent for one in example.agents] == ["roy", "jen", "database", "documentation", "review", "release"]
    assert example.active_agents == ("roy", "jen", "database", "documentation")
    roy, jen = agent(example, "roy"), agent(example, "jen")
    assert (roy.status, roy.working_on, roy.tokens, roy.share, roy.queue_depth) == (
        "ACTIVE", ("REQ-042",), 18_542, 300_000, 1,
    )  # fmt: skip
    assert roy.estimated_completion == 15 * 60  # the other one took half an hour, and this one runs for 15 minutes
    assert (jen.status, jen.next_task, jen.next_blocked_by, jen.next_ready) == (
        "WAITING", "REQ-050", ("REQ-042",), False,
    )  # fmt: skip
    writer = agent(example, "documentation")
    assert (writer.status, writer.next_task, writer.next_ready, writer.queue_depth) == ("IDLE", "REQ-065", True, 2)
    assert agent(example, "release").next_task is None


def test_completions_are_those_of_the_last_hour_newest_first(example: Board) -> None:
    assert [one.id for one in example.completions] == ["REQ-041", "REQ-040"]
    edge = board(situation(complete("REQ-1", ago(hours=1)), complete("REQ-2", ago(minutes=59, seconds=59))))
    assert [one.id for one in edge.completions] == ["REQ-2"]
    assert edge.completed == 2


def test_an_agent_waits_while_its_work_is_at_the_gate() -> None:
    shown = board(situation(replace(working("REQ-1", 5), state="GATING")))
    assert (agent(shown, "roy").status, agent(shown, "roy").before_gate) == ("WAITING", ("REQ-1",))
    assert agent(shown, "roy").working_on == ()


def test_reviews_are_the_reviewers_queue_critical_first() -> None:
    shown = board(situation(
        complete("REQ-1", ago(minutes=9), review="pending"), complete("REQ-2", ago(minutes=8), review="running"),
        complete("REQ-3", ago(minutes=7), review="pending", priority="CRITICAL"),
        complete("REQ-4", ago(minutes=6), review="passed"),
    ))  # fmt: skip
    reviewer = agent(shown, "review")
    assert (reviewer.status, reviewer.working_on, reviewer.next_task, reviewer.queue_depth) == (
        "ACTIVE", ("REQ-2",), "REQ-3", 2,
    )  # fmt: skip


def test_work_between_stages_waits_for_the_agent_of_the_next() -> None:
    stages = chain("backend", (), assigned=False)
    half = record(
        "REQ-1", chain=stages, started_at=ago(minutes=30),
        done=(Done("research", "cynthia", "nats://a"), Done("critique", "sylvia", "nats://b")),
        skipped=("performance",), due=NOW + timedelta(minutes=3),
    )  # fmt: skip
    shown = board(situation(half))
    assert agent(shown, "roy").next_task == "REQ-1"
    assert agent(shown, "roy").status == "WAITING"  # its back-off is not over
    (item,) = shown.queues["MEDIUM"]
    assert [(step.stage, step.passage) for step in item.steps] == [
        ("research", "done"), ("critique", "done"), ("backend", "next"), ("qa", "ahead"), ("performance", "skipped"),
        ("security", "ahead"), ("statistics", "ahead"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "passage"),
    [({"state": "REJECTED"}, "failed"), ({"state": "ESCALATED"}, "failed"), ({"state": "READY"}, "next")],
)
def test_where_a_chain_stands_still(changes: dict[str, Any], passage: str) -> None:
    found = replace(record("REQ-1", chain=("backend", "qa"), started_at=ago(minutes=5)), **changes)
    (item,) = board(situation(found)).queues["MEDIUM"]
    assert [step.passage for step in item.steps] == [passage, "ahead"]


def test_blockers_escalations_and_resting_agents() -> None:
    held = record("REQ-1", "BLOCKED", held_by="agent", blockers=("No key.", "No host."))
    waits = record("REQ-2", "BLOCKED", held_by="agent", waits_for=("REQ-3",), blockers=("Needs REQ-3.",))
    shown = board(situation(
        held, waits, record("REQ-3"),
        record("REQ-4", "ESCALATED", history=(Happened(ago(minutes=5), "ESCALATED", "exit 1"),)),
        record("REQ-5", "REJECTED", stopped=True),
        complete("REQ-6", ago(minutes=5), review="failed"),
        breakers={"jen": "open", "todd": "half-open"},
    ))  # fmt: skip
    assert [(one.id, one.agent, one.held) for one in shown.blockers] == [
        ("REQ-1", "roy", True), ("REQ-2", "roy", False), (None, "jen", False), (None, "todd", False),
    ]  # fmt: skip
    assert shown.blockers[0].reason == "No key.; No host."
    assert [one.id for one in shown.escalations] == ["REQ-5", "REQ-4", "REQ-6"]  # who waits longest comes first
    assert shown.escalations[1].reason == "exit 1"
    assert agent(shown, "todd").breaker == "half-open"
    # What waits for a human is still to be done: no queue that holds it is empty.
    assert {one.id for one in shown.queues["MEDIUM"]} == {"REQ-1", "REQ-2", "REQ-3", "REQ-4", "REQ-5"}


def test_what_blocks_is_gone_when_it_is_complete_and_not_when_it_failed() -> None:
    needs = ("REQ-1", "REQ-2", "REQ-404")
    shown = board(situation(complete("REQ-1", NOW), record("REQ-2", "FAILED"), record("REQ-3", depends_on=needs)))
    assert shown.queues["MEDIUM"][0].blocked_by == ("REQ-2", "REQ-404")


def test_what_was_given_up_is_on_no_queue() -> None:
    shown = board(situation(record("REQ-1", "FAILED")))
    assert not any(shown.queues.values())
    assert shown.active_agents == ()


def test_secrets_are_masked_wherever_they_stand() -> None:
    secret = "postgres://agog:hunter2@db/agog"
    found = record("REQ-1", "BLOCKED", title=f"Use {secret}", blockers=(f"{secret} refused",), held_by="agent")
    shown = board(situation(found, alerts=(f"{secret} is away",)))
    told = json.dumps([shown.as_json(), shown.queue()])
    assert "hunter2" not in told
    assert told.count("postgres://agog:****@db/agog") >= 4


def test_as_json_has_everything_in_camel_case(example: Board) -> None:
    told = json.loads(json.dumps(example.as_json()))
    assert told["at"] == "2026-03-02T10:25:00.000Z"
    assert told["nextTurn"] == "2026-03-02T10:30:00.000Z"
    assert told["budget"]["remainingShare"] == 0.979113
    assert told["queues"]["HIGH"][1]["blockedBy"] == ["REQ-042"]
    assert told["agents"][0]["workingOn"] == ["REQ-042"]
    assert told["metrics"]["completionTime"]["XL"] is None
    assert told["metrics"]["perDay"] == {"2026-03-02": 3}


# --- critical path ----------------------------------------------------------------------------------------------------
def chained(**needs: tuple[int, tuple[str, ...]]) -> dict[str, Record]:
    found = [
        record(f"REQ-{one}", "PENDING", estimated_tokens=tokens, depends_on=tuple(f"REQ-{n}" for n in before))
        for one, (tokens, before) in needs.items()
    ]
    return {one.id: one for one in found}


def test_the_critical_path_costs_most() -> None:
    found = chained(A=(10, ()), B=(20, ("A",)), C=(500, ()), D=(5, ("C",)), E=(1, ("B", "D")), F=(600, ()))
    assert critical_path(found) == ("REQ-C", "REQ-D", "REQ-E")


def test_nothing_waits_so_there_is_no_critical_path() -> None:
    assert critical_path(chained(A=(10, ()), B=(20, ()))) == ()


def test_cycles_and_what_waits_for_them_are_left_out() -> None:
    found = chained(A=(9, ("B",)), B=(9, ("A",)), C=(9, ("A",)), D=(1, ()), E=(1, ("D",)))
    assert critical_path(found) == ("REQ-D", "REQ-E")


def test_what_is_complete_is_on_no_path() -> None:
    found = chained(B=(1, ("A",)), C=(1, ("B",))) | {"REQ-A": complete("REQ-A", NOW)}
    assert critical_path(found) == ("REQ-B", "REQ-C")
