from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from nats.aio.client import Client

from pytest_agog.errors import AmbiguousReplay, DigestMismatch, InvalidToken, JetStreamRefused, UsageError
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.deliverables.subscribing import Subscription
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import deliverables as wire


async def take(subscription: Subscription, count: int) -> list[str]:
    """The contents of the next `count` reports."""
    async with asyncio.timeout(10):
        return [(await anext(subscription)).content for _ in range(count)]


async def test_from_now_on(engine: DeliverableEngine) -> None:
    await engine.publish("roy", "backend", "old", "before")
    async with await engine.subscribe() as subscription:
        await engine.publish("roy", "backend", "new", "A")
        await engine.publish("jen", "frontend", "new", "B")
        assert sorted(await take(subscription, 2)) == ["A", "B"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("roy",), ["roy a", "roy b"]),
        (("*", "frontend"), ["jen a"]),
        (("*", "*", "a"), ["jen a", "roy a"]),
        (("*", "backend", "b"), ["roy b"]),
    ],
)
async def test_filters(engine: DeliverableEngine, wanted: tuple[str, ...], found: list[str]) -> None:
    async with await engine.subscribe(*wanted) as subscription:
        await engine.publish("roy", "backend", "a", "roy a")
        await engine.publish("jen", "frontend", "a", "jen a")
        await engine.publish("roy", "backend", "b", "roy b")
        assert sorted(await take(subscription, len(found))) == found
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(subscription)


async def test_replay_from_a_sequence(engine: DeliverableEngine) -> None:
    for number in range(5):
        await engine.publish("roy", "backend", f"f{number}", str(number))
    async with await engine.subscribe("roy", from_sequence=3) as subscription:
        assert await take(subscription, 3) == ["2", "3", "4"]
        await engine.publish("roy", "backend", "live", "live")
        assert await take(subscription, 1) == ["live"]


async def test_replay_from_a_time(engine: DeliverableEngine) -> None:
    await engine.publish("roy", "backend", "a", "A")
    first = await engine.report("roy", "backend", "a")
    assert first is not None
    await engine.publish("jen", "frontend", "b", "B")
    async with await engine.subscribe(from_time=first.time - timedelta(seconds=1)) as subscription:
        assert sorted(await take(subscription, 2)) == ["A", "B"]
    async with await engine.subscribe(from_time=datetime.now(UTC) + timedelta(hours=1)) as subscription:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(subscription)


async def test_wrong_use(engine: DeliverableEngine) -> None:
    with pytest.raises(AmbiguousReplay, match="agog_features_backend"):
        await engine.subscribe(from_sequence=1)
    with pytest.raises(UsageError, match="not both"):
        await engine.subscribe("roy", from_sequence=1, from_time=datetime.now(UTC))
    with pytest.raises(UsageError, match="time zone"):
        await engine.subscribe("roy", from_time=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(InvalidToken):
        await engine.subscribe("roy.>")


async def test_a_close_leaves_no_consumer(engine: DeliverableEngine, client: Client) -> None:
    js = client.jetstream()
    subscription = await engine.subscribe()
    assert (await js.stream_info("agog_features_backend")).state.consumer_count == 1
    await subscription.close()
    await engine.publish("roy", "backend", "a", "A")
    for stream in await js.streams_info():
        if stream.config.name and stream.config.name.startswith("agog_features"):
            assert stream.state.consumer_count == 0
    with pytest.raises(StopAsyncIteration):
        await anext(subscription)


async def test_large_reports_arrive_whole(server: NatsServer) -> None:
    async with await DeliverableEngine.connect(server.url, object_threshold=1000) as engine:
        await engine.init_streams()
        async with await engine.subscribe("roy") as subscription:
            await engine.publish("roy", "backend", "big", "z" * 400_000)
            assert await take(subscription, 1) == ["z" * 400_000]


async def test_an_altered_report_does_not_end_the_subscription(engine: DeliverableEngine, client: Client) -> None:
    async with await engine.subscribe("roy") as subscription:
        await client.jetstream().publish(
            "agog.deliverables.roy.backend.a", wire.payload("x", {}), headers={"Agog-Digest": wire.digest("y")}
        )
        await engine.publish("roy", "backend", "b", "B")
        with pytest.raises(DigestMismatch):
            await take(subscription, 1)
        assert await take(subscription, 1) == ["B"]


async def test_no_gap_and_no_repeat_over_a_restart(engine: DeliverableEngine, server: NatsServer) -> None:
    async with await engine.subscribe("roy") as subscription:
        for number in range(10):
            await engine.publish("roy", "backend", "f", str(number))
        assert await take(subscription, 5) == ["0", "1", "2", "3", "4"]
        await asyncio.to_thread(server.restart)
        for number in range(10, 20):
            await engine.publish("roy", "backend", "f", str(number))
        assert await take(subscription, 15) == [str(number) for number in range(5, 20)]


async def test_no_gap_when_its_consumer_is_deleted(engine: DeliverableEngine, client: Client) -> None:
    js = client.jetstream()
    async with await engine.subscribe("roy") as subscription:
        await engine.publish("roy", "backend", "f", "A")
        assert await take(subscription, 1) == ["A"]
        (consumer,) = await js.consumers_info("agog_features_backend")
        await js.delete_consumer("agog_features_backend", consumer.name)
        await engine.publish("roy", "backend", "f", "B")
        assert await take(subscription, 1) == ["B"]


async def test_more_than_one_batch_comes_in_order(engine: DeliverableEngine) -> None:
    for number in range(300):
        await engine.publish("roy", "backend", f"f{number}", str(number))
    async with await engine.subscribe("roy", from_sequence=1) as subscription:
        assert await take(subscription, 300) == [str(number) for number in range(300)]
    assert len(await engine.revisions("roy", "backend", "f7")) == 1


async def test_a_stream_that_goes_away_ends_the_subscription(engine: DeliverableEngine, client: Client) -> None:
    async with await engine.subscribe("roy") as subscription:
        await engine.publish("roy", "backend", "f", "A")
        assert await take(subscription, 1) == ["A"]
        await client.jetstream().delete_stream("agog_features_backend")
        with pytest.raises(JetStreamRefused, match="stream not found"):
            await take(subscription, 1)
        with pytest.raises(StopAsyncIteration):
            await take(subscription, 1)
