"""What an orchestrator sees around it: a comms that stops fetching, a listener that comes, works and is killed."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.observing.beats import Beat
from pytest_agog.reference.orchestrator.surroundings import COMMS, Surroundings
from pytest_agog.stage.servers.nats import NatsServer


async def _waits(link: Link, count: int) -> None:
    """Until so many requests wait at the consumer; nobody tells when."""
    async with asyncio.timeout(30):
        while (await jetstream.call(link, f"CONSUMER.INFO.{COMMS[0]}.{COMMS[1]}"))["num_waiting"] != count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_comms_is_unknown_until_somebody_fetches_and_down_when_nobody_does(link: Link) -> None:
    stream, name = COMMS
    around = Surroundings(link)
    await around.watch.look()
    assert around.watch.told["comms"] == "unknown"
    waiting = await link.nc.subscribe(link.nc.new_inbox())
    pull = json.dumps({"batch": 1, "expires": 60_000_000_000}).encode()
    await link.nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}", pull, reply=waiting.subject)
    await _waits(link, 1)
    for _ in range(3):
        await around.watch.look()
        assert around.watch.told["comms"] == "ok"
    await waiting.unsubscribe()
    await _waits(link, 0)
    await around.watch.look()
    assert around.watch.told["comms"] == "ok", "between two requests there is a moment without any"
    await around.watch.look()
    assert around.watch.told["comms"] == "not working"
    comms = next(one for one in around.health().parts if one.name == "comms")
    assert (comms.condition, comms.about) == ("down", "0 messages behind")


async def test_listeners_are_told_with_what_they_take(link: Link) -> None:
    around = Surroundings(link, own={"orchestrator": lambda: True})
    await around.watch.look()
    assert around.watch.told["listener"] == "unknown", "it is too early to tell"
    now = datetime.now(UTC)
    beat = Beat(
        kind="listener", name="l-1", started_at=now - timedelta(hours=1), at=now, running=2, memory=5_000_000
    )  # fmt: skip
    around.roster.hear(beat.model_dump_json().encode())
    health = around.health()
    parts = {one.name: one for one in health.parts}
    assert list(parts) == ["nats", "jetstream", "comms", "orchestrator", "listener"]
    assert (parts["listener"].condition, parts["listener"].about) == ("up", "1 is there, 2 agents at work")
    assert [(one.name, one.memory) for one in health.taken if one.memory] == [("l-1", 5_000_000)]
    assert [one.name for one in health.taken if one.storage is not None] == ["JetStream"]
    await link.close()
    assert around.watch.told["listener"] == "unknown", "nobody can be heard"
    assert around.watch.told["nats"] == "not working"


async def test_a_nats_that_hangs_is_down_though_it_is_connected(link: Link, nats_server: NatsServer) -> None:
    """Also for who listens: nobody can be heard. And a late PONG does no harm."""
    around = Surroundings(link)
    await around.watch.look()
    assert (around.watch.told["nats"], around.watch.told["jetstream"]) == ("ok", "ok")
    nats_server.kill("STOP")
    try:
        await around.watch.look()
        assert link.nc.is_connected
        assert {one: around.watch.told[one] for one in ("nats", "jetstream", "listener", "comms")} == {
            "nats": "not working", "jetstream": "not working", "listener": "unknown", "comms": "unknown",
        }  # fmt: skip
        assert not around.connected
    finally:
        nats_server.kill("CONT")
    await around.watch.look()
    assert (around.watch.told["nats"], around.watch.told["jetstream"]) == ("ok", "ok")
