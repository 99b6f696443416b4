"""Comms of another system under a play: cut off, killed and restarted, and every claim in the contract's words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.ledger.facts import ComponentActed, EventSeen, StepEnded
from pytest_agog.play.play import play
from pytest_agog.play.result import PlayResult
from pytest_agog.stage.target.parts import PartElsewhere
from pytest_agog.stage.target.target_file import read_target
from tests.play.scenes import Scene, claim, of, outcomes

FOREIGN = Path(__file__).parents[2] / "stage" / "foreign" / "target.yaml"
SUBJECT = "argo.workflow.ns.search%2Ev2.uid-1.agent.roy.message"
LAG: dict[str, Any] = {"stream": "agent-comms", "consumer": "jangar-agent-comms", "pending_and_unacked": 0}


def said(content: str, times: int = 1) -> dict[str, Any]:
    """A message of run-1."""
    message = {"run_id": "run-1", "kind": "message", "content": content}
    return {"publish": {"subject": SUBJECT, "json": message, "times": times}}


def stored(count: int) -> dict[str, Any]:
    return {"wait": {"until": {"rows": {"count": count}}, "within": "30s"}}


async def foreign(scene: Scene, *steps: Any, proof: list[Any]) -> PlayResult:
    scenario = scene.load(steps=list(steps), proof=proof)
    return await play(scenario, scene.options(scenario, target=read_target(FOREIGN)))


def acted(result: PlayResult) -> list[str]:
    return [f"{seen.fact.component} {seen.fact.action}" for seen in result.ledger.of(ComponentActed)]


async def test_a_foreign_system_is_judged_in_the_contracts_words(scene: Scene) -> None:
    result = await foreign(
        scene,
        {"open": {"sse": {"runId": "run-1"}, "as": "live"}},
        said("hello"),
        stored(1),
        {"kill": {"component": "comms"}},
        said("while it is away", times=3),
        {"restart": {"component": "comms"}},
        stored(4),
        proof=[
            claim("rows", "rows", where={"workflow_uid": "uid-1"}, count=4),
            claim("rows", "once", exactly_once=True),
            claim("table", "table", name="workflow_comms.agent_messages", columns={"workflow_uid": "text"},
                  indexes=[["stream_seq"]]),
            claim("table", "no-such", name="workflow_comms.agent_messages", columns={"agent_run_uid": "text"}),
            claim("stream", "stream", name="agent-comms", subjects=["argo.workflow.>", "agentrun.>"]),
            claim("consumer", "consumer", stream="agent-comms", name="jangar-agent-comms", filter="agentrun.>"),
            claim("lag", "lag", "30s", **LAG),
            claim("http", "health", path="/healthz", status=200),
            claim("sse", "seen", "30s", reader="live", count=4, once=True, ordered=True,
                  latency_p99={"at_most": "1m"}),
            claim("no_loss", "kept", subjects=["agentrun.>"]),
            claim("message", "crossed", subject="agentrun.ns.*.uid-1.>", count=4),
            claim("never", "as-written", subject="argo.workflow.>"),
        ],
    )  # fmt: skip
    assert result.failure is None, result.failure
    assert outcomes(result) == dict.fromkeys(outcomes(result), "passed") | {"no-such": "failed"}
    assert acted(result) == ["comms killed", "comms restarted"]
    assert result.environment.target == "foreign"


async def test_a_cut_link_heals_by_itself_and_nothing_is_lost(scene: Scene) -> None:
    result = await foreign(
        scene,
        {"cut": {"link": "comms-postgres", "for": "200ms"}},
        said("while Postgres cannot be reached"),
        {"cut": {"link": "comms-nats"}},
        said("while NATS cannot be reached either"),
        {"cut": {"link": "comms-nats", "heal": True}},
        {"cut": {"link": "comms-nats", "heal": True}},
        proof=[claim("rows", "once", "30s", exactly_once=True, count=2), claim("lag", "lag", "30s", **LAG)],
    )
    assert result.failure is None, result.failure
    assert set(outcomes(result).values()) == {"passed"}
    done = acted(result)
    assert sorted(done) == ["comms-nats cut", "comms-nats healed", "comms-postgres cut", "comms-postgres healed"]
    # The play waits for what heals by itself.
    healed = next(seen for seen in result.ledger.of(ComponentActed) if seen.fact.action == "healed")
    assert healed.index > result.ledger.of(StepEnded)[0].index


async def test_a_reader_that_is_cut_off_resumes(scene: Scene) -> None:
    result = await foreign(
        scene,
        {"open": {"sse": {"runId": "run-1"}, "as": "live"}},
        said("one"),
        stored(1),
        {"cut": {"link": "reader-comms", "for": "100ms"}},
        said("two"),
        stored(2),
        proof=[claim("sse", "seen", "30s", reader="live", count=2, once=True, ordered=True)],
    )
    assert result.failure is None, result.failure
    assert outcomes(result) == {"seen": "passed"}
    assert len(result.ledger.of(EventSeen)) == 2


async def test_what_stays_cut_is_seen(scene: Scene) -> None:
    result = await foreign(
        scene,
        {"cut": {"link": "comms-nats"}},
        said("never heard"),
        proof=[claim("lag", "lag", **LAG), claim("rows", "once", exactly_once=True)],
    )
    assert result.failure is None
    assert outcomes(result) == {"lag": "failed", "once": "failed"}
    # Whether the server had handed it out already, into the cut, is a matter of luck.
    assert of(result, "lag").verdict.observed.startswith("1: ")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"kill": {"component": "comms"}}, "comms at http://comms.example is external and cannot be killed"),
        ({"cut": {"link": "comms-nats"}}, "the link comms-nats cannot be cut"),
    ],
)
async def test_what_runs_elsewhere_is_left_alone(scene: Scene, step: Any, message: str) -> None:
    scenario = scene.load(services={"comms": {}}, steps=[step])
    target = replace(read_target(FOREIGN), comms=PartElsewhere("http://comms.example"))
    result = await play(scenario, scene.options(scenario, target=target))
    assert result.failure is not None
    assert message in result.failure.message


async def test_rows_survive_a_postgres_that_is_killed(scene: Scene) -> None:
    """The embedded server's data is in memory and never flushed: a crash of the server must not lose a commit."""
    result = await foreign(
        scene,
        said("before", times=50),
        stored(50),
        {"kill": {"component": "postgres"}},
        said("while it is away", times=50),
        {"restart": {"component": "postgres"}},
        stored(100),
        proof=[claim("rows", "once", exactly_once=True, count=100), claim("lag", "lag", "30s", **LAG)],
    )
    assert result.failure is None, result.failure
    assert set(outcomes(result).values()) == {"passed"}
