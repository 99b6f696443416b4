"""What a user may do, asked of a real server: told apart from silence, and without harm to what runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from pytest_agog.ledger.access import Access
from pytest_agog.ledger.answers import AuthSeen
from pytest_agog.ledger.probes import AuthProbe
from pytest_agog.ledger.probing.permissions import Permissions
from pytest_agog.stage.connect import close_nats, connect_nats
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer

STREAM, CONSUMER = "work", "worker"
NEVER = "1.9999999999.9999999999.1.0"
PASSWORD = "only-in-this-test"


def user(name: str, publish: list[str], subscribe: list[str]) -> dict[str, Any]:
    return {"user": name, "password": PASSWORD, "permissions": {"publish": publish, "subscribe": subscribe}}


USERS = [
    user("system", [">"], [">"]),
    user("agents", ["work.>"], ["_INBOX_agents.>"]),
    # What J24 is about: names that were meant to be harmless.
    user("careless", ["$JS.API.STREAM.PURGE.>", "$JS.API.STREAM.MSG.DELETE.*"], ["_INBOX.>"]),
    user("mute", ["$JS.API.>"], ["nothing"]),
    user("restorer", ["$JS.API.STREAM.RESTORE.*"], ["_INBOX.>"]),
    user("spy", [f"$JS.API.CONSUMER.CREATE.{STREAM}"], ["_INBOX_system.*.*"]),
    user("filter", [f"$JS.API.CONSUMER.CREATE.{STREAM}.{CONSUMER}.>"], ["*.*.*"]),
    user("newer", [f"$JS.ACK.*.*.{STREAM}.{CONSUMER}.*.*.*.*.*"], ["_INBOX_agents.>"]),
    user("half", [f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{CONSUMER}"], ["_INBOX.>"]),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats", NatsOptions(security={"authorization": {"users": USERS}})) as running:
        yield running


def access(server: NatsServer, name: str) -> Access:
    return Access(server.url, user=name, password=PASSWORD)


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    connected = await connect_nats(server.url, access=access(server, "system"))
    await connected.jetstream().add_stream(name=STREAM, subjects=["work.>"])
    await connected.jetstream().add_consumer(
        STREAM, ConsumerConfig(durable_name=CONSUMER, ack_policy=AckPolicy.EXPLICIT)
    )
    for number in range(3):
        await connected.jetstream().publish("work.item", str(number).encode())
    yield connected
    await close_nats(connected)


@pytest.fixture
def permissions(server: NatsServer, client: Client) -> Permissions:
    known = {one["user"] for one in USERS}
    return Permissions(lambda name: access(server, name) if name in known else None)


def outcomes(seen: AuthSeen) -> list[str]:
    return [one.outcome for one in seen.tries]


async def ask(permissions: Permissions, name: str, operation: str, on: str = "") -> AuthSeen:
    return await permissions.ask(AuthProbe(name, operation, on))


HARMLESS = [
    ("create", STREAM), ("create", f"{STREAM}/{CONSUMER}"), ("create", ""), ("delete", STREAM),
    ("delete", f"{STREAM}/{CONSUMER}"), ("purge", STREAM), ("consume", f"{STREAM}/{CONSUMER}"),
    ("publish", "work.item"), ("publish", f"$JS.API.STREAM.PURGE.{STREAM}"),
    ("publish", f"$JS.API.STREAM.DELETE.{STREAM}"), ("publish", f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{CONSUMER}"),
    ("publish", f"$JS.ACK.{STREAM}.{CONSUMER}.1.1.1.1.0"), ("subscribe", "work.>"),
]  # fmt: skip


async def state(js: JetStreamContext) -> Mapping[str, Any]:
    stream, consumer = await js.stream_info(STREAM), await js.consumer_info(STREAM, CONSUMER)
    return {
        "streams": [one.config.name for one in await js.streams_info()],
        "consumers": [one.name for one in await js.consumers_info(STREAM)],
        "config": stream.config,
        "messages": (stream.state.messages, stream.state.first_seq, stream.state.last_seq),
        "waiting": (consumer.num_pending, consumer.num_ack_pending, consumer.num_redelivered),
    }


async def test_system_may_everything_and_nothing_comes_to_harm(client: Client, permissions: Permissions) -> None:
    before = await state(client.jetstream())
    for operation, on in HARMLESS:
        seen = await ask(permissions, "system", operation, on)
        assert set(outcomes(seen)) == {"allowed"}, seen
    assert await state(client.jetstream()) == before


async def test_an_ack_of_a_message_that_is_out_is_not_given(client: Client, permissions: Permissions) -> None:
    puller = await client.jetstream().pull_subscribe_bind(CONSUMER, STREAM)
    [message] = await puller.fetch(1)
    await ask(permissions, "system", "consume", f"{STREAM}/{CONSUMER}")
    await ask(permissions, "system", "publish", message.reply)
    info = await client.jetstream().consumer_info(STREAM, CONSUMER)
    assert (info.num_ack_pending, info.num_pending) == (1, 2)


async def test_agents_may_speak_and_nothing_else(client: Client, permissions: Permissions) -> None:
    assert outcomes(await ask(permissions, "agents", "publish", "work.item")) == ["allowed"]
    for operation, on in HARMLESS:
        if (operation, on) != ("publish", "work.item"):
            seen = await ask(permissions, "agents", operation, on)
            assert set(outcomes(seen)) == {"denied"}, seen
            assert all("Permissions Violation" in one.said for one in seen.tries)


async def test_another_way_to_the_same_end_is_found(permissions: Permissions) -> None:
    seen = await ask(permissions, "careless", "delete", STREAM)
    assert outcomes(seen) == ["denied", "allowed"]
    assert outcomes(await ask(permissions, "careless", "purge", STREAM)) == ["allowed"]


@pytest.mark.parametrize(
    ("name", "operation", "on", "tried"),
    [
        ("restorer", "create", STREAM, f"publish to $JS.API.STREAM.RESTORE.{STREAM}"),
        ("spy", "create", f"{STREAM}/{CONSUMER}", f"publish to $JS.API.CONSUMER.CREATE.{STREAM}"),
        (
            "filter", "create", f"{STREAM}/{CONSUMER}",
            f"publish to $JS.API.CONSUMER.CREATE.{STREAM}.{CONSUMER}.agog_probe",
        ),
        ("newer", "consume", f"{STREAM}/{CONSUMER}", f"publish to $JS.ACK._.agog.{STREAM}.{CONSUMER}.{NEVER}"),
        ("spy", "subscribe", "_INBOX_system.>", "subscribe to _INBOX_system.agog_probe.agog_probe"),
        ("filter", "subscribe", "_INBOX_system.>", "subscribe to _INBOX_system.agog_probe.agog_probe"),
        ("newer", "subscribe", "_INBOX_system.>", ""),
    ],
)  # fmt: skip
async def test_the_one_door_that_was_left_open_is_found(
    client: Client, permissions: Permissions, name: str, operation: str, on: str, tried: str
) -> None:
    before = await state(client.jetstream())
    seen = await ask(permissions, name, operation, on)
    assert [one.what for one in seen.tries if one.outcome == "allowed"] == ([tried] if tried else [])
    assert {one.outcome for one in seen.tries if one.what != tried} == {"denied"}
    assert not any(one.needed for one in seen.tries if one.what == tried)
    assert await state(client.jetstream()) == before


async def test_who_hears_no_answer_may_still_do_it(permissions: Permissions) -> None:
    assert outcomes(await ask(permissions, "mute", "purge", STREAM)) == ["allowed"]


async def test_fetching_without_acknowledging_is_half_of_consuming(permissions: Permissions) -> None:
    seen = await ask(permissions, "half", "consume", f"{STREAM}/{CONSUMER}")
    assert [one.outcome for one in seen.tries if one.needed] == ["allowed", "denied"]


async def test_nobody(permissions: Permissions) -> None:
    seen = await ask(permissions, "nobody", "connect")
    assert outcomes(seen) == ["denied", "denied"]
    assert all("Authorization Violation" in one.said for one in seen.tries)
    assert seen.asked


async def test_a_user_that_nobody_knows_is_not_tried(permissions: Permissions) -> None:
    seen = await ask(permissions, "stranger", "purge", STREAM)
    assert not seen.tries
    assert "no credentials of a user 'stranger'" in seen.reason


async def test_silence_and_absence_are_no_denial(server: NatsServer, permissions: Permissions) -> None:
    server.kill("STOP")
    assert outcomes(await ask(permissions, "agents", "purge", STREAM)) == ["unreachable"]
    server.kill("KILL")
    seen = await ask(permissions, "agents", "purge", STREAM)
    assert outcomes(seen) == ["unreachable"]
    assert "Connect call failed" in seen.tries[0].said


async def test_no_secret_is_in_what_is_said(permissions: Permissions) -> None:
    for name in ("system", "agents", "nobody"):
        assert PASSWORD not in repr(await ask(permissions, name, "connect"))
