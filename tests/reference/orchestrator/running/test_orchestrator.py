"""What an orchestrator does with requirements, over real JetStream. [O1] [O11] to [O17]"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire.orchestration import CommandRun
from tests.reference.orchestrator.running.scenes import accepts, scene

FAST = {"retry": {"backoff": "10ms", "longest": "10ms"}}


async def test_the_chain_from_request_to_release(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url) as play:
        await play.submit("REQ-1", "API endpoint and service for lots with a page")
        await play.until(lambda: bool(play.messages["integration.release.merge-ready"]))
        assert [stage for _, stage, _ in play.host.spawned] == [
            "research", "critique", "backend", "frontend", "qa", "statistics", "review",
        ]  # fmt: skip
        await play.until(lambda: not play.record("REQ-1").outbox)
        record = play.record("REQ-1")
        assert (record.state, record.review, record.attempts) == ("COMPLETE", "passed", 6)
        assert record.tokens == {"reported": 700}
        for event in ("workflow.started", "workflow.completed", "requirements.review.REQ-1"):
            assert len(play.messages[event]) == 1


async def test_what_depends_starts_when_it_may(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules={"review": False}) as play:
        await play.submit("REQ-2", assignedAgent="jen", dependencies=["REQ-1"])
        held = await play.state("REQ-2", "BLOCKED")
        assert held.waits_for == ("REQ-1",)
        await play.submit("REQ-1", assignedAgent="roy")
        await play.state("REQ-2", "COMPLETE")
        assert [one for one, _, _ in play.host.spawned] == ["REQ-1", "REQ-2"]
        assert play.messages["agog.strategic.decisions.REQ-1"][-1]["priority"] == "HIGH"


async def test_a_cycle_is_told_and_others_go_on(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules={"review": False}) as play:
        await play.submit("REQ-1", assignedAgent="roy", dependencies=["REQ-2"])
        await play.submit("REQ-2", assignedAgent="roy", dependencies=["REQ-1"])
        await play.submit("REQ-3", assignedAgent="roy")
        await play.state("REQ-3", "COMPLETE")
        await play.state("REQ-1", "BLOCKED")
        assert [one for one, _, _ in play.host.spawned] == ["REQ-3"]


async def test_overlapping_work_of_different_agents_is_serialised(link: Link, nats_server: NatsServer) -> None:
    asked: list[dict[str, Any]] = []

    def silent(message: dict[str, Any]) -> None:
        asked.append(message)

    async with scene(link, nats_server.url, rules={"review": False}, agents={"roy": silent}) as play:
        await play.submit("REQ-1", assignedAgent="roy", files=["src/a.ts", "src/b.ts"])
        await play.submit("REQ-2", assignedAgent="jen", files=["src/b.ts", "src/c.ts"])
        await play.submit("REQ-3", assignedAgent="database", files=["src/d.ts"])
        await play.state("REQ-3", "COMPLETE")
        assert play.record("REQ-2").state == "READY"
        assert "src/b.ts" in play.orchestrator.passes.held["REQ-2"]
        await play.host.answer(asked[0], {})
        await play.state("REQ-2", "COMPLETE")


async def test_five_of_one_agent_are_done_one_after_the_other(link: Link, nats_server: NatsServer) -> None:
    running = most = 0

    async def slow(record: Record) -> Judged:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return await accepts(record)

    async with scene(link, nats_server.url, rules={"review": False}, judge=slow) as play:
        for number in range(1, 6):
            await play.submit(f"REQ-{number}", assignedAgent="roy", files=[f"src/{number}.ts"])
        await play.until(lambda: len(play.messages["workflow.completed"]) == 5)
        assert [one for one, _, _ in play.host.spawned] == [f"REQ-{number}" for number in range(1, 6)]
        assert most == 1


async def test_what_waits_for_a_human_keeps_its_agent_from_nothing(link: Link, nats_server: NatsServer) -> None:
    def fails_once(asked: dict[str, Any]) -> dict[str, Any]:
        return {"error": "broken", "transient": False} if asked["reqNumber"] == "REQ-1" else {}

    async with scene(link, nats_server.url, rules={"review": False}, agents={"roy": fails_once}) as play:
        await play.submit("REQ-1", assignedAgent="roy", files=["src/a.ts"], priority="CRITICAL")
        await play.submit("REQ-2", assignedAgent="roy", files=["src/a.ts"])
        await play.state("REQ-1", "ESCALATED")
        await play.state("REQ-2", "COMPLETE")


async def test_work_that_its_own_agent_waits_for_is_done(link: Link, nats_server: NatsServer) -> None:
    def needs_more(asked: dict[str, Any]) -> dict[str, Any]:
        if (asked["reqNumber"], asked["attempt"]) == ("REQ-1", 1):
            return {"status": "BLOCKED", "blockers": ["needs REQ-1-SUB1"]}
        return {}

    async with scene(link, nats_server.url, rules={"review": False}, agents={"roy": needs_more}) as play:
        await play.submit("REQ-1", assignedAgent="roy", files=["src/a.ts"])
        await play.state("REQ-1", "BLOCKED")
        await play.submit("REQ-1-SUB1", assignedAgent="roy", files=["src/a.ts"])
        await play.state("REQ-1", "COMPLETE")
        assert [one for one, _, _ in play.host.spawned] == ["REQ-1", "REQ-1-SUB1", "REQ-1"]


async def test_a_long_queue_gets_another_instance(link: Link, nats_server: NatsServer) -> None:
    rules = {"review": False, "max_instances": 2}
    async with scene(link, nats_server.url, rules=rules, agents={"roy": lambda _: None}) as play:
        for number in range(1, 9):
            await play.submit(f"REQ-{number}", assignedAgent="roy", files=[f"src/{number}.ts"], effort="S")
        await play.until(lambda: len(play.host.spawned) == 2)
        await play.until(lambda: len(play.orchestrator.passes.held) == 6)


# --- the gate ---------------------------------------------------------------------------------------------------------
async def test_rejected_work_goes_back_until_a_human_is_asked_and_the_human_decides(
    link: Link, nats_server: NatsServer
) -> None:
    async def refuses(record: Record) -> Judged:
        run = CommandRun(command="build", exit=2, seconds=0, output_tail="error TS2304")
        return Judged(record.rejections == 0 and record.attempts > 3, (run,), (), "error TS2304")

    async with scene(link, nats_server.url, rules={"review": False}, judge=refuses) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        held = await play.state("REQ-1", "ESCALATED")
        assert (held.attempts, held.rejections) == (3, 3)
        assert len(play.messages["build.failed"]) == 3
        await play.tell("decision", {"reqId": "REQ-1", "action": "retry", "by": "ann"})
        await play.state("REQ-1", "COMPLETE")
        assert len(play.messages["build.passed"]) == 1


async def test_a_result_that_comes_twice_or_late_changes_nothing(link: Link, nats_server: NatsServer) -> None:
    asked: list[dict[str, Any]] = []

    def keep(message: dict[str, Any]) -> dict[str, Any]:
        asked.append(message)
        return {"error": "exit 1"} if len(asked) == 1 else {}

    async with scene(link, nats_server.url, rules={"review": False, **FAST}, agents={"roy": keep}) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        done = await play.state("REQ-1", "COMPLETE")
        await play.host.answer(asked[0], {})
        await play.host.answer(asked[1], {})
        await play.submit("REQ-2", assignedAgent="roy")
        await play.state("REQ-2", "COMPLETE")
        now = play.record("REQ-1")
        assert (now.state, now.attempts, now.tokens) == ("COMPLETE", 2, done.tokens)
        assert len(play.messages["workflow.completed"]) == 2


async def test_what_cannot_be_read_is_told_and_harms_nobody(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules={"review": False}) as play:
        stream = link.nc.jetstream()
        for subject in (
            "results.roy.REQ-1",
            "errors.roy.REQ-1",
            "results.roy",
            "errors.a.b.c",
            "results.roy.odd id"[:14],
        ):
            await stream.publish(subject, b"\xff\x00 no JSON")
        await stream.publish("results.roy.REQ-9", json.dumps({"agent": "roy"}).encode())
        await stream.publish("integration.orchestrator.x", b"[]")
        await stream.publish("requirements.backend.REQ-5", b"{}")
        await play.submit("REQ-1", assignedAgent="roy")
        await play.state("REQ-1", "COMPLETE")
        await play.until(lambda: bool(play.messages["integration.broadcast.unreadable"]))


async def test_requirements_that_others_publish_are_taken_in(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules={"review": False}) as play:
        payload = json.dumps({"id": "REQ-7", "title": "Lots", "type": "backend"}).encode()
        await link.nc.jetstream().publish("work.requirements.backend.REQ-7", payload)
        await play.state("REQ-7", "COMPLETE")
        assert play.host.spawned == [("REQ-7", "backend", 1)]


# --- failures, the clock ----------------------------------------------------------------------------------------------
async def test_the_breaker_opens_and_after_its_rest_one_attempt_decides(link: Link, nats_server: NatsServer) -> None:
    def breaks(asked: dict[str, Any]) -> dict[str, Any]:
        return {"error": "exit 1"} if asked["attempt"] <= 6 else {}

    rules = {"review": False, "retry": {"most": 20, "backoff": "10ms", "longest": "10ms"}}
    async with scene(link, nats_server.url, rules=rules, agents={"roy": breaks}) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        await play.until(
            lambda: play.orchestrator.desk.breakers.position("roy", play.orchestrator.desk.clock.now()) == "open"
        )
        assert len(play.host.spawned) == 6
        await play.advance(5.1)
        await play.state("REQ-1", "COMPLETE")
        assert len(play.host.spawned) == 7


async def test_a_stuck_agent_is_started_anew(link: Link, nats_server: NatsServer) -> None:
    def stuck(asked: dict[str, Any]) -> dict[str, Any] | None:
        return None if asked["attempt"] == 1 else {}

    async with scene(link, nats_server.url, rules={"review": False, **FAST}, agents={"roy": stuck}) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        await play.state("REQ-1", "IN_PROGRESS")
        await play.advance(100)
        await play.tell("progress", {"reqId": "REQ-1"})
        seen = play.record("REQ-1").active_at
        await play.until(lambda: play.record("REQ-1").active_at != seen)
        await play.advance(100)
        assert play.record("REQ-1").attempt == 1
        await play.advance(30)
        await play.state("REQ-1", "COMPLETE")
        assert play.messages["stage.timeout"][0]["attempt"] == 1


async def test_turns_give_each_agent_its_minute(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules={"mode": "turns"}) as play:
        await play.submit("REQ-1", assignedAgent="roy", files=["a"])
        await play.submit("REQ-2", assignedAgent="jen", files=["b"])
        await play.until(lambda: len(play.orchestrator.records) == 2)
        assert play.record("REQ-1").lane is None
        assert (await play.advance(30))["turns"] == 6
        await play.state("REQ-1", "COMPLETE")
        assert play.record("REQ-2").state == "READY"
        assert [one for one, _, _ in play.host.spawned] == ["REQ-1"]
        await play.advance(5)
        await play.state("REQ-2", "COMPLETE")
        assert play.record("REQ-2").review == "pending"
        await play.advance(15)
        await play.until(lambda: play.record("REQ-2").review == "passed")


@pytest.mark.parametrize("by", [0, -5, 1e12, "soon", None, True])
async def test_a_time_that_cannot_pass_is_told(link: Link, nats_server: NatsServer, by: object) -> None:
    async with scene(link, nats_server.url):
        answer = await link.nc.request(
            "agog.control.orchestrator.advance", json.dumps({"by": by}).encode(), timeout=10
        )  # fmt: skip
        assert "error" in json.loads(answer.data)


async def test_a_day_ends_with_a_report(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules={"review": False}) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        await play.state("REQ-1", "COMPLETE")
        await play.advance(24 * 60)
        await play.until(lambda: bool(play.messages["integration.project-manager.daily-status"]))
        (report,) = play.messages["integration.project-manager.daily-status"]
        assert report["progress"]["completed"] == 1


# --- budget -----------------------------------------------------------------------------------------------------------
async def test_conservation_mode_defers_documentation_and_tells_a_human(link: Link, nats_server: NatsServer) -> None:
    rules = {"review": False, "start_at": "2026-03-02T22:30:00Z"}
    async with scene(link, nats_server.url, rules=rules) as play:
        await play.submit("REQ-1", assignedAgent="documentation")
        await play.submit("REQ-2", assignedAgent="roy", effort="S")
        await play.state("REQ-2", "COMPLETE")
        assert play.record("REQ-1").state == "READY"
        assert play.record("REQ-2").model == "haiku"
        (alert,) = play.messages["agog.strategic.escalations.REQ-BUDGET-20260302"]
        assert "conservation" in alert["reason"]
        await play.advance(8 * 60)
        await play.state("REQ-1", "COMPLETE")


async def test_nothing_starts_beyond_a_share(link: Link, nats_server: NatsServer) -> None:
    budget = {"shares": {"roy": 50_000}}
    async with scene(link, nats_server.url, rules={"review": False}, budget=budget) as play:
        await play.submit("REQ-1", assignedAgent="roy", estimatedTokens=60_000)
        await play.submit("REQ-2", assignedAgent="roy", estimatedTokens=40_000)
        await play.state("REQ-2", "COMPLETE")
        await play.state("REQ-1", "ESCALATED")  # no day's share will ever pay for it
        assert [one for one, _, _ in play.host.spawned] == ["REQ-2"]


async def test_a_requirement_that_costs_too_much_goes_to_a_human(link: Link, nats_server: NatsServer) -> None:
    def fails_dearly(asked: dict[str, Any]) -> dict[str, Any]:
        return {"status": "COMPLETE", "tokens": {"reported": 60_000}}

    async def refuses(record: Record) -> Judged:
        return Judged(accepted=False, commands=(), missing=(), feedback="no")

    rules = {"review": False, "task_limit": 100_000}
    async with scene(link, nats_server.url, rules=rules, agents={"roy": fails_dearly}, judge=refuses) as play:
        await play.submit("REQ-1", assignedAgent="roy", effort="S")
        held = await play.state("REQ-1", "ESCALATED")
        assert (held.attempts, held.tokens) == (2, {"reported": 120_000})
        (told,) = play.messages["agog.strategic.escalations.REQ-1"]
        assert told["context"]["limit"] == 100_000


# --- the roadmap ------------------------------------------------------------------------------------------------------
async def test_a_roadmap_is_worked_off_and_kept_true(link: Link, nats_server: NatsServer, tmp_path: Path) -> None:
    roadmap = tmp_path / "roadmap.md"
    text = (
        "# Plan\r\n\r\n### REQ-1: Lots\r\n- Status: NEW\r\n- Agent: roy\r\n\r\n### REQ-2: Old\r\n- Status: COMPLETE\r\n"
    )
    roadmap.write_bytes(text.encode())
    async with scene(link, nats_server.url, rules={"review": False}, roadmap=roadmap) as play:
        await play.state("REQ-1", "COMPLETE")
        expected = text.replace("Status: NEW", "Status: COMPLETE").encode()
        await play.until(lambda: roadmap.read_bytes() == expected)
        roadmap.write_bytes(roadmap.read_bytes() + b"\r\n### REQ-3: More\r\n- Status: NEW\r\n- Agent: jen\r\n")
        await play.state("REQ-3", "COMPLETE")
        assert "REQ-2" not in play.orchestrator.records


async def test_what_a_roadmap_calls_complete_holds_nobody_up(
    link: Link, nats_server: NatsServer, tmp_path: Path
) -> None:
    roadmap = tmp_path / "roadmap.md"
    text = (
        "### REQ-2: New\n- Status: Pending\n- Agent: roy\n- Dependencies: REQ-1\n\n### REQ-1: Old\n- Status: Complete\n"
    )
    roadmap.write_text(text)
    async with scene(link, nats_server.url, rules={"review": False}, roadmap=roadmap) as play:
        await play.state("REQ-2", "COMPLETE")
        await play.until(lambda: roadmap.read_text() == text.replace("Pending", "Complete"))
        assert [one for one, _, _ in play.host.spawned] == ["REQ-2"]


async def test_what_is_submitted_as_complete_is_not_done_again(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules={"review": False}) as play:
        await play.submit("REQ-1", assignedAgent="roy", status="Complete")
        await play.submit("REQ-2", assignedAgent="roy", dependencies=["REQ-1"])
        await play.state("REQ-2", "COMPLETE")
        assert [one for one, _, _ in play.host.spawned] == ["REQ-2"]
        told = play.messages["integration.release.merge-ready"]
        await play.until(lambda: bool(told))
        assert [one["reqId"] for one in told] == ["REQ-2"]


async def test_agents_work_while_a_clock_is_advanced(link: Link, nats_server: NatsServer) -> None:
    async with scene(link, nats_server.url, rules={"mode": "turns"}) as play:
        await play.submit("REQ-1", assignedAgent="roy")
        await play.submit("REQ-2", assignedAgent="jen", dependencies=["REQ-1"])
        await play.until(lambda: len(play.orchestrator.records) == 2)
        await play.advance(8 * 60)
        assert {one.review for one in play.orchestrator.records.values()} == {"passed"}
        assert [(one, attempt) for one, stage, attempt in play.host.spawned if stage != "review"] == [
            ("REQ-1", 1), ("REQ-2", 1),
        ]  # fmt: skip
