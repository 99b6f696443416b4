"""The permissions of the three users, as a real server enforces them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig

from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import streams, subjects, users

PASSWORD = "only-in-this-test"


class GuardedServer(NatsServer):
    """A server that knows the three users."""

    def _configuration(self) -> dict[str, Any]:
        allowed = [
            {
                "user": user.name,
                "password": PASSWORD,
                "permissions": {"publish": {"allow": [*user.publish]}, "subscribe": {"allow": [*user.subscribe]}},
            }
            for user in users.USERS
        ]
        return super()._configuration() | {"authorization": {"users": allowed}}


class Visitor:
    """A connection as one of the users, which notes what the server refuses."""

    def __init__(self, user: users.User) -> None:
        self.user = user
        self.client = Client()
        self.refused: asyncio.Queue[str] = asyncio.Queue()

    async def connect(self, url: str) -> None:
        async def note(error: Exception) -> None:
            self.refused.put_nowait(str(error))

        await self.client.connect(
            url, user=self.user.name, password=PASSWORD, inbox_prefix=self.user.inbox_prefix.encode(), error_cb=note
        )

    async def is_refused(self, subject: str) -> bool:
        """Whether a publish to `subject` is a permissions violation, which the server says by itself."""
        await self.client.publish(subject, b"")
        return await self._was_refused(subject)

    async def may_not_subscribe(self, subject: str) -> bool:
        """Whether a subscription to `subject` is one."""
        await self.client.subscribe(subject)
        return await self._was_refused(subject)

    async def _was_refused(self, subject: str) -> bool:
        await self.client.flush()
        try:
            refusal = await asyncio.wait_for(self.refused.get(), 5)
        except TimeoutError:
            return False
        return "permissions violation" in refusal and f'"{subject}"'.casefold() in refusal.casefold()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[NatsServer]:
    with GuardedServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def visitors(
    guarded: NatsServer, make_streams: Callable[[Client], Awaitable[None]]
) -> AsyncIterator[dict[str, Visitor]]:
    async with AsyncExitStack() as stack:
        found = {user.name: Visitor(user) for user in users.USERS}
        for visitor in found.values():
            await visitor.connect(guarded.url)
            stack.push_async_callback(visitor.client.close)
        await make_streams(found["system"].client)
        yield found


async def test_agents_publish_and_fetch(visitors: dict[str, Visitor]) -> None:
    js = visitors["agents"].client.jetstream()
    report = subjects.deliverable("cynthia", "research", "x")
    for subject in ("argo.workflow.general.status", "agentrun.general.log", "results.roy.REQ-1", "errors.roy.REQ-1",
                    report, "agog.features.devops.REQ-1"):  # fmt: skip
        ack = await js.publish(subject, b"{}")
    ack = await js.publish(report, b"last")
    assert (await js.get_last_msg(ack.stream, report, direct=True)).data == b"last"
    assert (await js.get_last_msg(ack.stream, report)).data == b"last"
    assert (await js.get_msg(ack.stream, ack.seq, direct=True)).data == b"last"
    assert visitors["agents"].refused.empty()


async def test_agents_reach_reports_in_the_object_store(visitors: dict[str, Visitor]) -> None:
    await visitors["system"].client.jetstream().create_object_store(streams.OBJECT_BUCKET)
    store = await visitors["agents"].client.jetstream().object_store(streams.OBJECT_BUCKET)
    data = b"report " * 100_000
    await store.put("name", data)
    assert (await store.get("name")).data == data


async def test_jangar_consumes_with_its_one_consumer(visitors: dict[str, Visitor]) -> None:
    await visitors["agents"].client.jetstream().publish("argo.workflow.general.status", b"hello")
    js = visitors["jangar"].client.jetstream()
    config = ConsumerConfig(durable_name="jangar-agent-comms", ack_policy=AckPolicy.EXPLICIT)
    await js.add_consumer("agent-comms", config)
    subscription = await js.pull_subscribe_bind("jangar-agent-comms", "agent-comms")
    (message,) = await subscription.fetch(1, timeout=5)
    assert message.data == b"hello"
    await message.in_progress()
    await message.ack_sync(timeout=5)
    assert (await js.consumer_info("agent-comms", "jangar-agent-comms")).num_ack_pending == 0
    assert visitors["jangar"].refused.empty()


async def test_only_system_administers_streams(visitors: dict[str, Visitor]) -> None:
    for stream in ("agent-comms", "agog_features_research", "RESULTS"):
        for operation in ("CREATE", "UPDATE", "MSG.DELETE", "PURGE", "DELETE"):
            subject = f"$JS.API.STREAM.{operation}.{stream}"
            for name in ("agents", "jangar"):
                assert await visitors[name].is_refused(subject), (name, subject)
            assert (await visitors["system"].client.request(subject, timeout=5)).data


async def test_what_else_is_denied(visitors: dict[str, Visitor]) -> None:
    agents, jangar = visitors["agents"], visitors["jangar"]
    for subject in ("requirements.backend.REQ-1", "agog.orchestration.events.stage.started", "agog.spawn.request",
                    "agog.deliverables.stranger.research.x", "$KV.agog_state.requirement.REQ-1",
                    "integration.roy.x",
                    "$JS.API.CONSUMER.CREATE.agent-comms.mine", "$JS.API.DIRECT.GET.agent-comms",
                    "$JS.API.CONSUMER.MSG.NEXT.agent-comms.jangar-agent-comms",
                    "$JS.ACK.agent-comms.jangar-agent-comms.1.1.1.1.0",
                    f"{users.inbox_prefix('jangar')}.x"):  # fmt: skip
        assert await agents.is_refused(subject), subject
    for subject in ("argo.workflow.general.status", "results.roy.REQ-1", "$JS.API.CONSUMER.CREATE.agent-comms.mine",
                    "$JS.API.CONSUMER.CREATE.agent-comms.jangar-agent-comms.argo.workflow.general.>",
                    "$JS.API.CONSUMER.DELETE.agent-comms.jangar-agent-comms",
                    "$JS.ACK.REQUIREMENTS.roy-backend.agent-comms.jangar-agent-comms.1.1.1",
                    "$JS.ACK.agent-comms.jangar-agent-comms.REQUIREMENTS.roy-backend.1.1.1.1.0",
                    "$JS.ACK.agent-comms.jangar-agent-comms.REQUIREMENTS.roy-backend.1.1.1.1.0.x",
                    "$JS.API.CONSUMER.MSG.NEXT.RESULTS.orchestrator", "$JS.API.STREAM.NAMES"):  # fmt: skip
        assert await jangar.is_refused(subject), subject
    for one, other in ((agents, jangar), (jangar, agents)):
        for subject in (">", "_INBOX.>", "argo.workflow.>", f"{other.user.inbox_prefix}.>", "results.>"):
            assert await one.may_not_subscribe(subject), subject


def test_feature_streams_are_enumerated() -> None:
    for user in users.USERS:
        assert not any("agog_features_*" in subject for subject in user.publish)
        assert all(subjects.is_valid(subject, wildcards=True) for subject in (*user.publish, *user.subscribe))
        assert len(set(user.publish)) == len(user.publish)
        assert users.by_name(user.name) is user
    assert users.by_name("root") is None
