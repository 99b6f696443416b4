"""What can only wait for ever goes to a human; what nobody here can judge does so at once. [O12] [O14]"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.gate.config import GateConfig
from pytest_agog.reference.orchestrator.running.gating import Gate
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire.orchestration import CommandRun
from tests.reference.orchestrator.engine.records import begin, notice, ready
from tests.reference.orchestrator.running.scenes import scene

RULES: dict[str, Any] = {"review": False, "retry": {"backoff": "10ms", "longest": "10ms"}}


def blocked_by(*needs: str) -> Any:
    """An agent that waits for others whenever it is asked."""
    return lambda _: {"status": "BLOCKED", "blockers": [f"needs {', '.join(needs)}"]}


async def test_an_agent_that_waits_for_what_was_complete_is_not_started_again(
    link: Link, nats_server: NatsServer
) -> None:
    async with scene(link, nats_server.url, rules=RULES, agents={"jen": blocked_by("REQ-1")}) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        await play.state("REQ-1", "COMPLETE")
        await play.submit("REQ-2", assignedAgent="jen")
        await play.until(lambda: bool(play.messages["agog.strategic.escalations.REQ-2"]))
        assert "complete before it began" in play.messages["agog.strategic.escalations.REQ-2"][0]["reason"]
        await play.submit("REQ-3", assignedAgent="roy")
        await play.state("REQ-3", "COMPLETE")
        assert [one for one, _, _ in play.host.spawned].count("REQ-2") == 1
        assert play.record("REQ-2").state == "BLOCKED"


@pytest.mark.parametrize(
    ("said", "why"),
    [("REQ-NOPE-7", "REQ-NOPE-7, which nobody has stated"), ("ISO-REQ-3 of the law", "roy is blocked")],
)
async def test_an_agent_that_waits_for_what_is_not_there(
    said: str, why: str, link: Link, nats_server: NatsServer
) -> None:
    async with scene(link, nats_server.url, rules=RULES, agents={"roy": blocked_by(said)}) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        await play.until(lambda: bool(play.messages["agog.strategic.escalations.REQ-1"]))
        assert why in play.messages["agog.strategic.escalations.REQ-1"][0]["reason"]


async def test_what_was_not_there_may_come_after_all(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules=RULES, agents={}) as play:
        play.host.agents["jen"] = blocked_by("REQ-2")
        await play.submit("REQ-1", assignedAgent="jen")
        await play.until(lambda: bool(play.messages["agog.strategic.escalations.REQ-1"]))
        del play.host.agents["jen"]
        await play.submit("REQ-2", assignedAgent="roy")
        await play.state("REQ-1", "COMPLETE")


async def test_two_that_wait_for_each_other(link: Link, nats_server: NatsServer) -> None:
    agents = {"roy": blocked_by("REQ-2"), "jen": blocked_by("REQ-1")}
    asked: list[dict[str, Any]] = []
    async with scene(link, nats_server.url, rules=RULES, agents={}) as play:
        play.host.agents |= {"roy": asked.append, "jen": asked.append}
        await play.submit("REQ-1", assignedAgent="roy")
        await play.submit("REQ-2", assignedAgent="jen")
        await play.until(lambda: len(asked) == 2)
        for one in asked:
            await play.host.answer(one, agents[one["agentId"]](one))

        def told() -> bool:
            found = [one for subject, some in play.messages.items() if "escalations" in subject for one in some]
            return any("wait for each other" in one["reason"] for one in found)

        await play.until(told)


async def test_what_needs_something_that_was_given_up(link: Link, nats_server: NatsServer) -> None:
    def fails(_: dict[str, Any]) -> dict[str, Any]:
        return {"status": "FAILED"}

    async with scene(link, nats_server.url, rules=RULES, agents={"roy": fails}) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        await play.submit("REQ-2", assignedAgent="jen", dependencies=["REQ-1"])
        await play.state("REQ-1", "ESCALATED")
        await play.tell("decision", {"reqId": "REQ-1", "action": "abandon"})
        held = await play.state("REQ-2", "BLOCKED")
        assert held.blockers == ("waits for REQ-1, which was given up",)
        await play.until(lambda: bool(play.messages["agog.strategic.escalations.REQ-2"]))
        play.host.agents.clear()
        await play.tell("decision", {"reqId": "REQ-1", "action": "retry"})
        await play.state("REQ-2", "COMPLETE")


async def test_a_gate_that_cannot_judge_asks_a_human_and_blames_nobody(link: Link, nats_server: NatsServer) -> None:
    async def unable(_: Record) -> Judged:
        run = CommandRun(command=["nothere"], exit=127, seconds=0, output_tail="no such program")
        return Judged(False, (run,), (), "Rejected by the gate", "there is no program 'nothere'", unable=True)

    async with scene(link, nats_server.url, rules=RULES, judge=unable) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        record = await play.state("REQ-1", "ESCALATED")
        assert (record.rejections, len(play.host.spawned)) == (0, 1)
        assert "no program 'nothere'" in play.messages["agog.strategic.escalations.REQ-1"][0]["reason"]


async def test_without_reviews_nobody_is_asked_for_one(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules=RULES) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        record = await play.state("REQ-1", "COMPLETE")
        assert record.review == "none"
        await play.until(lambda: bool(play.messages["integration.release.merge-ready"]))
        assert not play.messages["requirements.review.REQ-1"]


async def test_an_estimate_is_at_most_what_a_task_may_cost(link: Link, nats_server: NatsServer) -> None:
    def chatty(_: dict[str, Any]) -> dict[str, Any]:
        return {"tokens": {"estimated": 6_352_360}}

    async with scene(link, nats_server.url, rules=RULES, agents={"roy": chatty}) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        record = await play.state("REQ-1", "COMPLETE")
        assert record.tokens == {"estimated": play.orchestrator.desk.task_limit}
        await play.submit("REQ-2", assignedAgent="roy")
        await play.state("REQ-2", "COMPLETE")


async def test_the_gate_of_a_relative_folder(link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands run where the settings say, wherever its keeper started."""
    (tmp_path / "here.txt").write_text("3 passed in 0.1s\n")
    monkeypatch.chdir(tmp_path)
    config = GateConfig.model_validate({
        "deliverable": False, "commands": [{"name": "tests", "run": ["cat", "here.txt"], "proves": ["tests"]}],
    })  # fmt: skip
    record = begin(ready(assigned=True))
    record = Record(**{**{name: getattr(record, name) for name in record.__slots__}, "notice": notice(record).raw})
    verdict = await Gate(config, Path(), link).judge(record)
    assert verdict.accepted, verdict.feedback


async def test_who_did_not_change_the_gate_is_not_blamed(link: Link, tmp_path: Path) -> None:
    script = tmp_path / "check.sh"
    script.write_text("echo 3 passed\n")
    config = GateConfig.model_validate({
        "deliverable": False, "commands": [{"name": "tests", "run": ["sh", "check.sh"], "proves": ["tests"]}],
    })  # fmt: skip
    gate = Gate(config, tmp_path, link)
    record = begin(ready(assigned=True))
    fields = {name: getattr(record, name) for name in record.__slots__} | {"notice": notice(record).raw}
    script.write_text("echo 99 passed\n")
    first = await gate.judge(Record(**fields))
    assert (first.accepted, first.unable) == (False, False)
    second = await gate.judge(Record(**{**fields, "id": "REQ-8"}))
    assert second.unable
    assert "since REQ-7" in second.reason
    assert not (await gate.judge(Record(**fields))).unable


async def test_an_entry_that_takes_no_change_keeps_no_other_from_its_own(
    link: Link, nats_server: NatsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    roadmap = tmp_path / "roadmap.md"
    odd = "### REQ-1: One\n- **Agent:** roy\n"
    roadmap.write_text(f"{odd}\n### REQ-2: Two\n- **Agent:** jen\n- **Status:** PENDING\n")
    async with scene(link, nats_server.url, rules=RULES, roadmap=roadmap) as play:
        keeper = play.orchestrator.roadmap
        assert keeper is not None
        refused = {"Status": "x" * 501}
        keeper._update({"REQ-1": refused, "REQ-2": {"Status": "IN_PROGRESS"}})
    assert "Status:** " in roadmap.read_text().partition("REQ-2")[2]
    assert odd in roadmap.read_text()
    assert sum("left alone" in one.message for one in caplog.records) == 1
