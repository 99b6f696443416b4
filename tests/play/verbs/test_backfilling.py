"""The step `backfill`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_agog.ledger.facts import ProcessOutput, ProcessStarted
from tests.play.scenes import Scene, claim, exits, outcomes

SAMPLE = Path(__file__).parents[3] / "fixtures" / "codex" / "failed" / ".codex-implementation-events.jsonl"


async def test_a_run_is_backfilled(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_ID", "the harness's own")
    monkeypatch.setenv("AGENT_ID", "another")
    scene.file("runs/1/.codex-implementation-events.jsonl", SAMPLE.read_bytes())
    step = {"dir": "runs/1", "run_id": "run-1", "workflow_uid": "-u"}
    result = await scene.play(
        services={"nats": {}, "postgres": {}},
        steps=[{"backfill": step}, {"backfill": step}],
        proof=[
            claim("rows", table="workflow_comms.agent_messages", where={"run_id": "run-1"}, count=16),
            claim("process", "process", name="backfill", exit=0),
        ],
    )
    assert (result.outcome, set(outcomes(result).values())) == ("passed", {"passed"})
    assert [item.exit for item in exits(result)] == [0, 0]
    assert result.ledger.of(ProcessStarted)[0].fact.command[:2] == ("agog", "backfill")
    printed = [json.loads(result.ledger.payloads[item.fact.payload]) for item in result.ledger.of(ProcessOutput)]
    assert [(told["stored"], told["workflow_uid"], told["agent_id"]) for told in printed] == [
        (16, "-u", "codex"),
        (0, "-u", "codex"),
    ]


async def test_an_exit_status_that_was_expected(scene: Scene) -> None:
    scene.file("runs/1/other", b"")
    plan = {"services": {"nats": {}, "postgres": {}}, "proof": [claim("process", name="backfill", exit=2)]}
    good = await scene.play(steps=[{"backfill": {"dir": "runs/1", "expect_exit": 2}}], **plan)
    assert good.outcome == "passed"
    bad = await scene.play(steps=[{"backfill": {"dir": "runs/1"}}], **plan)
    assert bad.outcome == "failed"
    assert bad.failure is not None
    assert bad.failure.message == "backfill: exit status 2, expected exit status 0"
    assert "holds neither" in bad.failure.detail
