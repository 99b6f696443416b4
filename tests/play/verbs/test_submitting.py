"""The steps `submit` and `advance`, on a real orchestrator where one is needed."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.ledger.facts import PublishAcked, PublishAttempted
from pytest_agog.stage.needs import needs_listener, needs_orchestrator, roadmap_of
from tests.play.scenes import Scene, claim, of, outcomes

LOTS = {"id": "REQ-1", "title": "Lots", "assignedAgent": "roy"}
ALONE = {"orchestrator": {"config": {"orchestrator": {"review": False}}}}
DONE = {"wait": {"until": {"requirement": {"id": "REQ-1", "state": "COMPLETE"}}, "within": "30s"}}
ROADMAP = "# Plan\r\n\r\n### REQ-1: Lots\r\n- Status: Pending\r\n- Agent: roy\r\n\r\nLast words"


async def test_a_requirement_is_submitted_done_and_judged(scene: Scene) -> None:
    result = await scene.play(
        services=ALONE,
        steps=[{"submit": {"requirement": LOTS}}, DONE],
        proof=[
            claim("requirement", "done", id="REQ-1", state="COMPLETE", attempts=1, agent="roy"),
            claim("spawn", "once", requirement="REQ-1", agent="roy", count=1, once=True, tokens={"at_most": 200}),
            claim("gate", "gate", requirement="REQ-1", verdict="accepted", attempts=1),
            claim("http", "ready", path="/readyz", status=200),
            claim("deliverable", "report", agent="roy", type="backend", feature="REQ-1"),
        ],
    )
    assert (result.outcome, result.failure) == ("passed", None)
    assert outcomes(result) == dict.fromkeys(("done", "once", "gate", "ready", "report"), "passed")
    (attempt,) = (seen for seen in result.ledger.of(PublishAttempted) if seen.fact.by == "step 1")
    assert (attempt.fact.subject, attempt.fact.headers) == ("integration.orchestrator.requirement", {})
    assert result.ledger.payloads.json(attempt.fact.payload) == LOTS
    assert [seen.fact.stream for seen in result.ledger.of(PublishAcked) if seen.fact.attempt == attempt.index] == [
        "INTEGRATION"
    ]


async def test_a_roadmap_is_kept_in_a_copy(scene: Scene) -> None:
    file = scene.file("plans/plan.md", ROADMAP.encode())
    result = await scene.play(
        services=ALONE,
        steps=[{"submit": {"file": "plans/plan.md"}}, DONE],
        proof=[
            claim("roadmap", "kept", "5s", file="plans/plan.md", id="REQ-1", status="Complete", rest_unchanged=True),
            claim("roadmap", "other", file="plans/plan.md", id="REQ-1", status="Pending"),
            claim("file", "copy", path="$AGENT_OUTPUT_DIR/roadmap/plan.md", contains="Last words"),
        ],
    )
    assert outcomes(result) == {"kept": "passed", "other": "failed", "copy": "passed"}, result.failure
    assert file.read_bytes() == ROADMAP.encode(), "the scenario's own file stays as it is"


async def test_a_file_of_requirements_is_published_one_by_one(scene: Scene) -> None:
    scene.file("two.json", b'[{"id": "REQ-1", "title": "A", "assignedAgent": "roy"}, {"id": "REQ-2", "title": "B"}]')
    result = await scene.play(
        services=ALONE,
        steps=[{"submit": {"file": "two.json"}}],
        proof=[claim("message", subject="integration.orchestrator.requirement", count=2)],
    )
    assert outcomes(result) == {"it": "passed"}


@pytest.mark.parametrize("content", [b"# No JSON", b"\xff", b""])
async def test_a_file_that_is_neither_ends_the_play(scene: Scene, content: bytes) -> None:
    scene.file("work.txt", content)
    result = await scene.play(services=ALONE, steps=[{"submit": {"file": "work.txt"}}])
    assert result.failure is not None
    assert "work.txt is no JSON" in result.failure.message


async def test_time_passes_on_the_orchestrators_clock(scene: Scene) -> None:
    result = await scene.play(
        services={"orchestrator": {"config": {"orchestrator": {"retry": {"most": 0}, "review": False}}}},
        agents={"roy": {"hangs": 1}},
        steps=[
            {"submit": {"requirement": LOTS}},
            {"wait": {"until": {"requirement": {"id": "REQ-1", "state": "IN_PROGRESS"}}, "within": "10s"}},
            {"advance": {"by": "119m"}},
            {"advance": {"by": "2m"}},
        ],
        proof=[claim("message", within="10s", subject="errors.roy.REQ-1", where={"kind": "killed"}, count=1)],
    )
    assert result.failure is None, result.failure
    assert of(result).verdict.passed, of(result).verdict


async def test_advance_says_when_nobody_answers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_agog.play.verbs.advancing._LEADER_WITHIN", 0.2)
    result = await scene.play(steps=[{"kill": {"component": "orchestrator"}}, {"advance": {"by": "1h"}}])
    assert result.failure is not None
    assert "no orchestrator answers on agog.control.orchestrator.advance" in result.failure.message


@pytest.mark.parametrize(
    ("parts", "orchestrator", "listener", "roadmap"),
    [
        ({}, False, False, None),
        ({"steps": [{"submit": {"requirement": LOTS}}]}, True, True, None),
        ({"steps": [{"submit": {"file": "plan.md"}}]}, True, True, "plan.md"),
        ({"steps": [{"advance": {"by": "1m"}}]}, True, True, None),
        ({"steps": [{"kill": {"component": "orchestrator"}}]}, True, True, None),
        ({"steps": [{"restart": {"component": "listener"}}]}, False, True, None),
        ({"services": {"orchestrator": None}}, True, True, None),
        ({"services": {"listener": {"instances": 2}}}, False, True, None),
        ({"services": {"components": ["orchestrator"]}}, True, True, None),
        ({"services": {"components": ["listener"]}}, False, True, None),
    ],
)
def test_what_is_brought_up(
    scene: Scene, parts: dict[str, Any], orchestrator: bool, listener: bool, roadmap: str | None
) -> None:
    scene.file("plan.md", ROADMAP)
    scenario = scene.load(**parts)
    assert (needs_orchestrator(scenario), needs_listener(scenario)) == (orchestrator, listener)
    assert roadmap_of(scenario) == roadmap
