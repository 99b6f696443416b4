from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from pytest_agog.errors import BadInput, InvalidToken, PayloadTooLarge, PublishFailed, StoreFull, StreamMissing
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
from pytest_agog.wire import deliverables as wire

SUBJECT = "agog.deliverables.roy.backend.search"
STREAM = "agog_features_backend"
WHERE = ("roy", "backend", "search")


async def stored(client: Client) -> list[str]:
    """The contents that the stream holds, in order."""
    js = client.jetstream()
    state = (await js.stream_info(STREAM)).state
    messages = [await js.get_msg(STREAM, seq) for seq in range(state.first_seq, state.last_seq + 1)]
    return [json.loads(message.data or b"{}")["content"] for message in messages]


async def test_a_report_is_stored_as_the_contract_says(engine: DeliverableEngine, client: Client, watched: Any) -> None:
    done = await engine.publish(*WHERE, "# Résumé\r\n", {"complexity": "Medium", "agent": "somebody else"})

    message = await client.jetstream().get_last_msg(STREAM, SUBJECT)
    payload = json.loads(message.data or b"")
    assert (done.subject, done.url, done.stream, done.sequence, done.duplicate) == (
        SUBJECT, "nats://" + SUBJECT, STREAM, message.seq, False,
    )  # fmt: skip
    assert payload["content"] == "# Résumé\r\n"
    assert payload["metadata"].items() >= {
        "agent": "roy", "taskType": "backend", "feature": "search", "complexity": "Medium",
    }.items()  # fmt: skip
    assert payload["metadata"]["timestamp"].endswith("Z")
    digest = wire.digest("# Résumé\r\n")
    assert message.headers is not None
    assert message.headers["Agog-Digest"] == digest
    assert message.headers["Nats-Msg-Id"] == f"{SUBJECT}:{digest}"
    assert watched.acks == [(0, STREAM, done.sequence, False)]


async def test_a_retry_stores_nothing(engine: DeliverableEngine, client: Client, watched: Any) -> None:
    first = await engine.publish(*WHERE, "A")
    again = await engine.publish(*WHERE, "A")

    assert await stored(client) == ["A"]
    assert (again.sequence, again.duplicate) == (first.sequence, True)
    assert watched.acks[-1] == (1, STREAM, first.sequence, True)


async def test_a_retry_by_another_engine_stores_nothing(
    engine: DeliverableEngine, client: Client, server: NatsServer
) -> None:
    first = await engine.publish(*WHERE, "A")
    async with await DeliverableEngine.connect(server.url) as other:
        again = await other.publish(*WHERE, "A")

    assert await stored(client) == ["A"]
    assert (again.sequence, again.duplicate) == (first.sequence, True)


async def test_a_retry_outside_the_duplicate_window_stores_nothing(engine: DeliverableEngine, client: Client) -> None:
    # The server knows no message id of this content: as after the window.
    payload = wire.payload("A", {"agent": "roy"})
    await client.jetstream().publish(SUBJECT, payload, headers={"Agog-Digest": wire.digest("A")})

    assert (await engine.publish(*WHERE, "A")).duplicate
    assert await stored(client) == ["A"]


async def test_an_earlier_revision_may_return(engine: DeliverableEngine, client: Client, watched: Any) -> None:
    for content in "ABABBAA":
        await engine.publish(*WHERE, content)

    assert await stored(client) == ["A", "B", "A", "B", "A"]
    ids = [message.headers["Nats-Msg-Id"] for message in watched.attempts]
    assert f"{SUBJECT}:{wire.digest('A')}:2" in ids
    assert len(watched.attempts) == len(watched.acks)
    assert not watched.refusals


async def test_an_earlier_revision_may_return_from_an_engine_that_saw_none(
    engine: DeliverableEngine, client: Client, server: NatsServer
) -> None:
    for content in "ABA":
        async with await DeliverableEngine.connect(server.url) as fresh:
            assert not (await fresh.publish(*WHERE, content)).duplicate
    assert await stored(client) == ["A", "B", "A"]


async def test_a_report_returns_after_a_purge(engine: DeliverableEngine, client: Client) -> None:
    await engine.publish(*WHERE, "A")
    await client.jetstream().purge_stream(STREAM)

    assert not (await engine.publish(*WHERE, "A")).duplicate
    assert await stored(client) == ["A"]


async def test_many_publishers_of_one_subject_lose_nothing(
    engine: DeliverableEngine, client: Client, server: NatsServer
) -> None:
    async with await DeliverableEngine.connect(server.url) as other:
        contents = [f"revision {number}" for number in range(12)]
        await asyncio.gather(
            *(maker.publish(*WHERE, text) for maker, text in zip([engine, other] * 6, contents, strict=True))
        )
    assert sorted(await stored(client)) == sorted(contents)


@pytest.mark.parametrize("kill_after", [1, 7, 23])
async def test_nothing_is_lost_or_doubled_when_nats_is_killed(
    engine: DeliverableEngine, client: Client, server: NatsServer, watched: Any, kill_after: int
) -> None:
    restarting: asyncio.Future[None] | None = None
    for number in range(30):
        if number == kill_after:
            restarting = asyncio.get_running_loop().run_in_executor(None, server.restart)
            server.kill()
        await engine.publish(*WHERE, f"revision {number}")
    assert restarting is not None
    await restarting

    assert await stored(client) == [f"revision {number}" for number in range(30)]
    assert {ack[0] for ack in watched.acks} == set(range(len(watched.attempts)))


async def test_a_report_above_the_limit_goes_through_the_object_store(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "small", NatsOptions(max_payload=200_000)) as server:
        async with await DeliverableEngine.connect(server.url) as engine:
            await engine.init_streams()
            report = "".join(f"line {number} äöü\n" for number in range(60_000))
            first = await engine.publish(*WHERE, report)
            again = await engine.publish(*WHERE, report)
            found = await engine.report(first.url)

            assert found is not None
            assert (found.content, found.digest) == (report, wire.digest(report))
            assert again.duplicate
            client = Client()
            await client.connect(server.url)
            js = client.jetstream()
            message = json.loads((await js.get_last_msg(STREAM, SUBJECT)).data or b"")
            assert "content" not in message
            assert message["object"]["bucket"] == "agog_deliverables"
            # Any client reads it.
            bucket = await js.object_store("agog_deliverables")
            assert (await bucket.get(message["object"]["name"])).data == report.encode()
            info = await bucket.get_info(message["object"]["name"])
            assert info.chunks == -(-len(report.encode()) // (128 * 1024))
            await client.close()


async def test_the_largest_report_that_fits_a_message_stays_in_it(tmp_path: Path) -> None:
    limit = 4096
    with NatsServer(tmp_path / "small", NatsOptions(max_payload=limit)) as server:
        async with await DeliverableEngine.connect(server.url) as engine:
            await engine.init_streams()
            sizes = {}
            for size in range(3300, 4100, 10):
                text = "x" * size
                await engine.publish(*WHERE, text)
                assert await engine.require(*WHERE) == text
                message = await engine._reader.last(SUBJECT)
                assert message is not None
                sizes[size] = "object" not in json.loads(message.data)
            assert sizes[3300]
            assert not sizes[4090]
            assert list(sizes.values()) == sorted(sizes.values(), reverse=True)


async def test_the_streams_limit_counts_too(engine: DeliverableEngine, client: Client) -> None:
    config = (await client.jetstream().stream_info(STREAM)).config
    await engine.publish(*WHERE, "before")  # the engine has seen the old limit
    await client.jetstream().update_stream(config.evolve(max_msg_size=2000))
    report = "x" * 5000
    await engine.publish(*WHERE, report)
    assert await engine.require(*WHERE) == report


async def test_without_the_object_store_both_numbers_are_told(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "small", NatsOptions(max_payload=100_000)) as server:
        async with await DeliverableEngine.connect(server.url, object_store=False) as engine:
            await engine.init_streams()
            with pytest.raises(PayloadTooLarge, match=r"has 1503\d\d bytes .*\(max_payload\) takes 100000") as caught:
                await engine.publish(*WHERE, "x" * 150_000)
            assert "\n" not in str(caught.value)
            with pytest.raises(PayloadTooLarge):
                await engine.publish(*WHERE, "x", {"huge": "y" * 150_000})


async def test_a_threshold_of_ones_own(server: NatsServer) -> None:
    async with await DeliverableEngine.connect(server.url, object_threshold=1000) as engine:
        await engine.init_streams()
        await engine.publish(*WHERE, "y" * 2000)
        message = await engine._reader.last(SUBJECT)
        assert message is not None
        assert "object" in json.loads(message.data)
        assert await engine.require(*WHERE) == "y" * 2000


async def test_a_missing_stream_names_the_command(server: NatsServer) -> None:
    async with await DeliverableEngine.connect(server.url) as engine:
        with pytest.raises(StreamMissing, match="agog init-streams"):
            await engine.publish(*WHERE, "A")


async def test_a_stream_that_goes_away_is_noticed(engine: DeliverableEngine, client: Client) -> None:
    await engine.publish(*WHERE, "A")
    await client.jetstream().delete_stream(STREAM)
    with pytest.raises(StreamMissing, match="agog init-streams"):
        await engine.publish(*WHERE, "B")
    await engine.init_streams()
    assert not (await engine.publish(*WHERE, "B")).duplicate


async def test_a_full_store_is_told(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "full", NatsOptions(store_limit=300_000)) as server:
        client = Client()
        await client.connect(server.url)
        await client.jetstream().add_stream(name=STREAM, subjects=["agog.deliverables.roy.>"], allow_direct=True)
        async with await DeliverableEngine.connect(server.url) as engine:
            reports = (engine.publish(*WHERE, f"{number}" * 100_000) for number in range(10))
            told = [
                str(error)
                for error in await asyncio.gather(*reports, return_exceptions=True)
                if isinstance(error, StoreFull)
            ]
            assert told
            assert "insufficient" in told[0]
            assert "max_file_store" in told[0]
        await client.close()


async def test_a_silent_server_is_no_success(server: NatsServer, watched: Any) -> None:
    async with await DeliverableEngine.connect(server.url, watcher=watched) as engine:
        await engine.init_streams()
        await engine.publish(*WHERE, "A")
        engine.link.timeout = 0.2
        server.kill("STOP")
        try:
            with pytest.raises(PublishFailed, match=r"no answer within 0\.2 s"):
                await engine.publish(*WHERE, "B")
        finally:
            server.kill("CONT")
        assert len(watched.refusals) == 1


@pytest.mark.parametrize(
    "where", [("roy", "backend", "a.b"), ("", "backend", "x"), ("roy", "*", "x"), ("roy", "backend", "a b")]
)
async def test_names_are_validated(engine: DeliverableEngine, where: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidToken):
        await engine.publish(*where, "A")


async def test_a_lone_surrogate_is_refused(engine: DeliverableEngine, watched: Any) -> None:
    with pytest.raises(BadInput, match="no valid Unicode"):
        await engine.publish(*WHERE, "\ud800")
    with pytest.raises(BadInput, match="metadata"):
        await engine.publish(*WHERE, "A", {"odd": object()})
    assert not watched.attempts
