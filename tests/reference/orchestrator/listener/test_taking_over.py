"""Crashes between the steps of an attempt's end, and claims of listeners elsewhere. [O16] [F44]"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from pytest_agog.reference.orchestrator.listener import attempts as room_of_attempts
from pytest_agog.reference.orchestrator.listener import telling
from pytest_agog.reference.orchestrator.listener.claims import Claim, Claims, Note
from pytest_agog.reference.orchestrator.listener.identity import Identity
from tests.reference.orchestrator.listener.rooms import REQ, Room, notice, shell

KEY = f"{REQ}.backend.1"
AGENT = {"roy": shell("echo ran >> log", said=notice())}


async def leave(room: Room, claim: Claim) -> None:
    """What a listener that died has left."""
    claims = Claims(room.link)
    await claims.open()
    await claims.write(KEY, claim, None)


def notes() -> tuple[Note, ...]:
    result = {**json.loads(notice()), "attempt": 1, "stage": "backend", "tokens": {"reported": 1}}
    event = {"reqNumber": REQ, "stage": "backend", "agentId": "roy", "attempt": 1, "status": "COMPLETE", "summary": "s"}
    return (
        Note(f"results.roy.{REQ}", result, f"{REQ}:backend:1:result"),
        Note("agog.orchestration.events.stage.completed", event, f"{REQ}:backend:1:ended"),
    )


@pytest.mark.parametrize("published", [0, 1, 2])
async def test_a_crash_after_the_last_word_runs_nothing_again(room: Room, published: int) -> None:
    await room.start()
    # Message ids are forgotten after the duplicate window; ids of another kind stand for that.
    for note in notes()[:published]:
        await room.link.nc.jetstream().publish(
            note.subject, json.dumps(note.payload).encode(), headers={"Nats-Msg-Id": note.msg_id}
        )
    info = await room.link.nc.jetstream().stream_info("RESULTS")
    await leave(room, Claim("ending", listener="dead", domain="x", run=1, outcome="completed", notes=notes()))
    async with room.listening(AGENT):
        await room.heard("agog.orchestration.events.stage.completed")
        await room.heard("results.")
        await room.acked()
        claim = await room.claim(KEY)
    assert room.log() == []
    assert len(room.said) == 2
    assert claim is not None
    assert (claim.state, claim.notes) == ("ended", ())
    after = await room.link.nc.jetstream().stream_info("RESULTS")
    assert after.state.messages == 1
    assert info.state.messages == (1 if published else 0)


async def test_what_was_told_is_found_without_the_duplicate_window(room: Room) -> None:
    sequence = await room.start()
    first, second = notes()
    await telling.tell(room.link, (first, second))
    for stream in ("RESULTS", "agog_orchestration_events"):
        config = (await room.link.nc.jetstream().stream_info(stream)).config
        await room.link.nc.jetstream().update_stream(replace(config, duplicate_window=0.1))
    await asyncio.sleep(0.3)  # the server forgets ids in its own time, and says nothing of it
    await telling.tell(room.link, (first, second), since=sequence)
    assert (await room.link.nc.jetstream().stream_info("RESULTS")).state.messages == 1
    assert (await room.link.nc.jetstream().stream_info("agog_orchestration_events")).state.messages == 2


async def test_a_claim_of_the_same_folder_is_taken_over_at_once(room: Room) -> None:
    settings = room.settings(AGENT)
    settings.data.mkdir(parents=True)
    here = Identity.of(settings.data)
    await leave(room, Claim("running", listener="dead", domain=here.domain, run=1))
    async with room.listening(AGENT, lease="600s"):
        await room.start()
        await room.heard("results.")
        await room.acked()
        claim = await room.claim(KEY)
    assert claim is not None
    assert claim.run == 2


async def test_a_claim_elsewhere_is_taken_over_when_its_lease_is_over(room: Room) -> None:
    await leave(room, Claim("running", listener="dead", domain="another machine", run=1))
    async with room.listening(AGENT, lease="300ms"):
        await room.start()
        await room.heard("results.")
        await room.acked()


async def test_a_listener_elsewhere_that_answers_keeps_its_attempt(room: Room) -> None:
    asked = asyncio.Event()
    alive = True

    async def answer(message: Any) -> None:
        asked.set()
        await message.respond(json.dumps({"alive": alive}).encode())

    await room.link.nc.subscribe(f"{room_of_attempts.ALIVE}.elsewhere", cb=answer)
    await leave(room, Claim("running", listener="elsewhere", domain="another machine", run=1))
    async with room.listening(AGENT, ack_wait="500ms", lease="600s") as listener:
        await room.start()
        await asked.wait()
        await room.until(lambda: not listener.attempts.hands)
        assert room.log() == []
        alive = False  # it does not work at it any more; the message is delivered again after the ack wait
        await room.heard("results.")
    assert room.log() == ["ran"]


@pytest.mark.parametrize("state", ["free", "running", None])
async def test_an_attempt_that_nobody_runs_can_be_killed_before_it_begins(room: Room, state: Any) -> None:
    if state is not None:
        await leave(room, Claim(state, listener="dead", domain="another machine"))
    async with room.listening(AGENT):
        asked = {"reqNumber": REQ, "stage": "backend", "attempt": 1}
        assert await room.ask("agog.spawn.kill", asked) == {"killed": True}
        assert await room.ask("agog.spawn.kill", asked) == {"killed": True}
        await room.start()
        error = await room.heard("errors.")
        await room.heard("agog.orchestration.events.stage.failed")
        await room.acked()
    assert (error["kind"], error["transient"]) == ("killed", True)
    assert room.log() == []


@pytest.mark.parametrize(
    "asked",
    [
        None, [], {}, {"reqNumber": "x", "stage": "a", "attempt": 1},
        {"reqNumber": "REQ-1", "stage": "a.b", "attempt": 1}, {"reqNumber": "REQ-1", "stage": "a", "attempt": 0},
        {"reqNumber": "REQ-1", "stage": "a", "attempt": True},
    ],
)  # fmt: skip
async def test_odd_requests_to_kill_are_answered(room: Room, asked: Any) -> None:
    async with room.listening(AGENT):
        assert set(await room.ask("agog.spawn.kill", asked)) == {"error"}


async def test_values_in_the_bucket_that_are_no_claims_are_replaced(room: Room) -> None:
    claims = Claims(room.link)
    await claims.open()
    await room.link.nc.jetstream().publish(f"$KV.agog_spawns.{KEY}", b"[1, 2")
    async with room.listening(AGENT):
        await room.start()
        await room.heard("results.")


# --- spawn requests ---------------------------------------------------------------------------------------------------
def request(**changes: Any) -> dict[str, Any]:
    return {
        "agentId": "roy", "reqNumber": REQ, "priority": "HIGH", "description": "Build the search",
        "contextData": {"previousStages": []}, **changes,
    }  # fmt: skip


async def test_a_spawn_request_becomes_stage_started(room: Room) -> None:
    async with room.listening(AGENT), room.listening(AGENT):
        reply = await room.ask("agog.spawn.request", request())
        again = await room.ask("agog.spawn.request", request())
        await room.heard("results.")
        stored = await room.link.nc.jetstream().get_msg("agog_orchestration_events", reply["sequence"])
        await room.acked()
    said = json.loads(stored.data or b"")
    assert stored.subject == "agog.orchestration.events.stage.started"
    assert (said["stage"], said["attempt"], said["contextData"]["title"]) == ("backend", 1, "Build the search")
    assert again == reply
    assert room.log() == ["ran"]


async def test_stage_and_attempt_of_a_spawn_request(room: Room) -> None:
    async with room.listening({"vic": shell("", said=notice("vic", "vic"))}):
        reply = await room.ask(
            "agog.spawn.request",
            request(agentId="vic", contextData={"stage": "vic", "attempt": 4, "timeout": 5, "title": "T"}),
        )
        assert isinstance(reply["sequence"], int)
        result = await room.heard("results.vic.")
    assert (result["stage"], result["attempt"]) == ("vic", 4)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (None, "payload"), ({}, "agentId"), (request(priority="URGENT"), "priority"),
        (request(agentId="a.b"), "agentId"), (request(reqNumber="x"), "reqNumber"),
        (request(contextData={"attempt": -1}), "attempt"), (request(contextData={"stage": "../x"}), "stage"),
        (request(contextData={"previousStages": [1]}), "previousStages"),
    ],
)  # fmt: skip
async def test_spawn_requests_that_cannot_be_met_are_answered(room: Room, asked: Any, word: str) -> None:
    async with room.listening(AGENT):
        reply = await room.ask("agog.spawn.request", asked)
    assert set(reply) == {"error"}
    assert word in reply["error"]
