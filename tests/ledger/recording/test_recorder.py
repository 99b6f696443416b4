"""The recorder on a real nats-server: nothing lost, nothing doubled, whatever streams and servers do."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Protocol

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StreamConfig, SubjectTransform
from nats.js.errors import NoStreamResponseError

from pytest_agog.ledger.answers import StreamSeen
from pytest_agog.ledger.facts import Baseline, MessageSeen, MessageStored, ObjectSeen, ServerSeen, WatchInterrupted
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording.recorder import Recorder
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import deliverables, streams


class Record(Protocol):
    """The fixture `record`."""

    async def __call__(self, *, baseline: bool = False, monitor_url: str | None = None) -> tuple[Recorder, Ledger]: ...


def sequences(ledger: Ledger, stream: str) -> list[int]:
    return [seen.fact.sequence for seen in ledger.of(MessageStored) if seen.fact.stream == stream]


def paired(ledger: Ledger, stream: str) -> list[str | None]:
    """The core subject that each stored message was paired with."""
    found: list[str | None] = []
    for seen in ledger.of(MessageStored):
        if seen.fact.stream == stream:
            arrival = ledger[seen.fact.seen].fact if seen.fact.seen is not None else None
            found.append(arrival.subject if isinstance(arrival, MessageSeen) else None)
    return found


async def add(client: Client, name: str, *subjects: str, **config: object) -> JetStreamContext:
    jetstream = client.jetstream(timeout=5)
    options = {"allow_direct": True, **config}
    await jetstream.add_stream(StreamConfig(name=name, subjects=list(subjects), **options))  # type: ignore[arg-type]
    return jetstream


async def test_messages_are_stored_once_and_paired_with_their_arrival(record: Record, client: Client) -> None:
    jetstream = await add(client, "A", "a.>")
    recorder, ledger = await record()
    for number in range(20):
        await jetstream.publish(f"a.{number % 3}", b"%d" % number, headers={"X": "y"} if number % 2 else None)
    last = await recorder.catch_up()
    assert last == {"A": 20}
    assert sequences(ledger, "A") == list(range(1, 21))
    assert all(paired(ledger, "A"))
    assert [ledger.payloads[message.payload] for message in ledger.messages("a.>")] == [b"%d" % n for n in range(20)]
    assert ledger.messages("a.1")[0].headers == {"X": "y"}


async def test_streams_made_later_and_core_only_subjects(record: Record, client: Client) -> None:
    recorder, ledger = await record()
    await client.publish("core.only", b"one", headers={"H": "v"})
    jetstream = await add(client, "LATE", "late.>")
    await jetstream.publish("late.x", b"two")
    await recorder.catch_up()
    assert [(m.subject, m.stream) for m in ledger.messages(">")] == [("core.only", None), ("late.x", "LATE")]
    assert ledger.messages("core.>")[0].headers == {"H": "v"}


async def test_what_replies_and_consumers_deliver_is_no_message(record: Record, client: Client) -> None:
    jetstream = await add(client, "A", "a.>")
    recorder, ledger = await record()
    await jetstream.publish("a.x", b"payload")
    pull = await jetstream.pull_subscribe("a.x", "durable")
    for message in await pull.fetch(1, timeout=5):
        await message.ack_sync()
    await jetstream.get_last_msg("A", "a.x")
    await recorder.catch_up()
    assert [seen.fact.subject for seen in ledger.of(MessageSeen)] == ["a.x"]
    assert len(ledger.messages(">")) == 1


async def test_a_duplicate_counts_once(record: Record, client: Client) -> None:
    jetstream = await add(client, "A", "a.>")
    recorder, ledger = await record()
    headers = {"Nats-Msg-Id": "same"}
    for _ in range(3):
        await jetstream.publish("a.x", b"payload", headers=headers)
    await jetstream.publish("a.x", b"payload", headers={"Nats-Msg-Id": "other"})
    await recorder.catch_up()
    assert len(ledger.of(MessageSeen)) == 4
    stored = ledger.of(MessageStored)
    assert [one.fact.sequence for one in stored] == [1, 2]
    arrivals = [seen.index for seen in ledger.of(MessageSeen)]
    assert [one.fact.seen for one in stored] == [arrivals[0], arrivals[3]]
    assert len(ledger.messages("a.x")) == 2


async def test_kill_and_restart_in_the_midst_of_publishes(record: Record, client: Client, server: NatsServer) -> None:
    jetstream = await add(client, "A", "a.>")
    recorder, ledger = await record()
    milestones = {1000: asyncio.Event(), 3000: asyncio.Event()}

    async def publish_all() -> None:
        for number in range(5000):
            if number in milestones:
                milestones[number].set()
            headers = {"Nats-Msg-Id": str(number)}
            while True:
                try:
                    await jetstream.publish("a.x", b"%d" % number, headers=headers, timeout=1)
                except (Error, TimeoutError, OSError):
                    continue
                break

    task = asyncio.create_task(publish_all())
    for milestone in milestones.values():
        await milestone.wait()
        server.kill()
        await asyncio.to_thread(server.start)
    await task
    last = await recorder.catch_up()
    assert sequences(ledger, "A") == list(range(1, last["A"] + 1))
    published = Counter(ledger.payloads[one.fact.payload] for one in ledger.of(MessageStored))
    assert published == Counter(b"%d" % number for number in range(5000))
    assert len(ledger.of(WatchInterrupted)) == 2
    assert len(ledger.messages("a.x")) == 5000


@pytest.mark.parametrize("retention", [RetentionPolicy.WORK_QUEUE, RetentionPolicy.INTEREST])
async def test_messages_that_a_consumer_takes_at_once(
    record: Record, client: Client, retention: RetentionPolicy
) -> None:
    jetstream = await add(client, "Q", "q.>", retention=retention)
    pull = await jetstream.pull_subscribe("q.x", "worker")
    recorder, ledger = await record()
    for number in range(200):
        await jetstream.publish("q.x", b"%d" % number)
        for message in await pull.fetch(1, timeout=5):
            await message.ack_sync()
    await recorder.catch_up()
    assert sorted(sequences(ledger, "Q")) == list(range(1, 201))
    assert Counter(ledger.payloads[m.payload] for m in ledger.messages("q.x")) == Counter(b"%d" % n for n in range(200))
    info = await jetstream.consumer_info("Q", "worker")
    assert info.num_pending == 0
    assert (await jetstream.stream_info("Q")).state.consumer_count == 1


async def test_interest_stream_without_consumers_keeps_nothing_and_says_so(record: Record, client: Client) -> None:
    jetstream = await add(client, "I", "i.>", retention=RetentionPolicy.INTEREST)
    recorder, ledger = await record()
    await jetstream.publish("i.x", b"nobody")
    await recorder.catch_up()
    assert len(ledger.messages("i.x")) == 1
    assert (await jetstream.stream_info("I")).state.messages == 0


async def test_without_direct_get(record: Record, client: Client) -> None:
    jetstream = await add(client, "N", "n.>", allow_direct=False)
    for number in range(150):
        await jetstream.publish("n.x", b"%d" % number, headers={"N": str(number)})
    for gone in (1, 2, 70, 71, 150):
        await jetstream.delete_msg("N", gone)
    recorder, ledger = await record()
    for number in range(150, 300):
        await jetstream.publish("n.x", b"%d" % number, headers={"N": str(number)})
    await recorder.catch_up()
    expected = [n for n in range(1, 301) if n not in {1, 2, 70, 71, 150}]
    assert sequences(ledger, "N") == expected
    assert [one.fact.headers for one in ledger.of(MessageStored)] == [{"N": str(n - 1)} for n in expected]
    assert all(paired(ledger, "N")[-150:])


async def test_subject_transform(record: Record, client: Client) -> None:
    transform = SubjectTransform(src="work.requirements.>", dest="requirements.>")
    jetstream = await add(client, "REQUIREMENTS", "requirements.>", "work.requirements.>", subject_transform=transform)
    recorder, ledger = await record()
    await jetstream.publish("work.requirements.backend.REQ-1", b"{}")
    await jetstream.publish("requirements.backend.REQ-2", b"{}")
    await client.publish("work.requirements.frontend.REQ-3", b"{}")
    await client.flush()
    await jetstream.publish("requirements.backend.REQ-4", b"{}")
    await recorder.catch_up()
    assert paired(ledger, "REQUIREMENTS") == [
        "work.requirements.backend.REQ-1", "requirements.backend.REQ-2",
        "work.requirements.frontend.REQ-3", "requirements.backend.REQ-4",
    ]  # fmt: skip
    assert [m.subject for m in ledger.messages(">")] == [
        "requirements.backend.REQ-1", "requirements.backend.REQ-2",
        "requirements.frontend.REQ-3", "requirements.backend.REQ-4",
    ]  # fmt: skip


async def test_holes_are_stepped_over(record: Record, client: Client) -> None:
    jetstream = await add(client, "H", "h.>")
    for number in range(30):
        await jetstream.publish("h.x", b"%d" % number)
    await jetstream.purge_stream("H", seq=11)
    for gone in (11, 12, 20, 30):
        await jetstream.delete_msg("H", gone)
    recorder, ledger = await record()
    assert await recorder.catch_up() == {"H": 30}
    assert sequences(ledger, "H") == [n for n in range(13, 30) if n != 20]
    await jetstream.purge_stream("H")
    await recorder.catch_up()
    await jetstream.publish("h.x", b"after")
    await recorder.catch_up()
    assert sequences(ledger, "H")[-1] == 31


async def test_what_was_deleted_after_it_was_read_is_told(record: Record, client: Client) -> None:
    """Nothing in the stream says who deleted it, or that it was there: the state at the barrier does."""
    jetstream = await add(client, "S", "s.>")
    recorder, ledger = await record()
    for number in range(5):
        await jetstream.publish("s.x", b"%d" % number)
    await recorder.catch_up()
    await jetstream.delete_msg("S", 3)
    await recorder.catch_up()
    answer = ledger.answer("stream:S", StreamSeen)
    assert answer is not None
    assert (answer.state["deleted"], answer.state["messages"], answer.state["first_seq"]) == ([3], 4, 1)
    assert sequences(ledger, "S") == [1, 2, 3, 4, 5], "that it was there once is not forgotten"
    await jetstream.purge_stream("S")
    await recorder.catch_up()
    answer = ledger.answer("stream:S", StreamSeen)
    assert answer is not None
    assert (answer.state.get("deleted"), answer.state["first_seq"]) == (None, 6)


async def test_a_stream_deleted_and_made_again(record: Record, client: Client) -> None:
    jetstream = await add(client, "R", "r.>")
    recorder, ledger = await record()
    for number in range(10):
        await jetstream.publish("r.x", b"old %d" % number)
    await recorder.catch_up()
    await jetstream.delete_stream("R")
    await add(client, "R", "r.>")
    for number in range(30):
        await jetstream.publish("r.x", b"new %d" % number)
    assert await recorder.catch_up() == {"R": 30}
    assert sequences(ledger, "R") == [*range(1, 11), *range(1, 31)]
    assert len(ledger.messages("r.x")) == 40
    await jetstream.delete_stream("R")
    assert await recorder.catch_up() == {}
    answer = ledger.answer("stream:R", StreamSeen)
    assert answer is not None
    assert not answer.exists


async def test_baseline_does_not_count(record: Record, client: Client) -> None:
    jetstream = await add(client, "B", "b.>")
    for _ in range(5):
        await jetstream.publish("b.x", b"before")
    recorder, ledger = await record(baseline=True)
    await jetstream.publish("b.x", b"after")
    await recorder.catch_up()
    assert [seen.fact for seen in ledger.of(Baseline)] == [Baseline("B", 5)]
    assert sequences(ledger, "B") == [6]
    assert [ledger.payloads[m.payload] for m in ledger.messages(">")] == [b"after"]


async def test_large_message(record: Record, client: Client) -> None:
    jetstream = await add(client, "L", "l.>")
    recorder, ledger = await record()
    large = b"x" * 12_000_000
    await jetstream.publish("l.x", b"small")
    await jetstream.publish("l.x", large)
    await jetstream.publish("l.x", b"small again")
    await recorder.catch_up()
    assert [m.size for m in ledger.messages("l.x")] == [5, 12_000_000, 11]
    assert ledger.payloads[ledger.messages("l.x")[1].payload] == large
    assert all(paired(ledger, "L"))


async def test_object_of_a_deliverable_is_read_once(record: Record, client: Client) -> None:
    jetstream = await add(client, "agog_features_research", "agog.deliverables.cynthia.>")
    bucket = await jetstream.create_object_store(streams.OBJECT_BUCKET)
    recorder, ledger = await record()
    content = "# Report\n" + "word " * 200_000
    reference = deliverables.ObjectReference(
        bucket=streams.OBJECT_BUCKET, name="report one", digest=deliverables.digest(content), size=len(content)
    )
    await bucket.put(reference.name, content.encode())
    subject = "agog.deliverables.cynthia.research.search"
    metadata = {"agent": "cynthia", "taskType": "research", "feature": "search", "timestamp": deliverables.now()}
    for _ in range(2):
        await jetstream.publish(subject, deliverables.payload_by_reference(reference, metadata))
    missing = reference.model_copy(update={"name": "no such object"})
    await jetstream.publish(subject, deliverables.payload_by_reference(missing, metadata))
    await recorder.catch_up()
    found = {seen.fact.name: seen.fact for seen in ledger.of(ObjectSeen)}
    assert len(ledger.of(ObjectSeen)) == 2
    one = found["report one"]
    assert one.payload is not None
    assert ledger.payloads.text(one.payload) == content
    assert found["no such object"].payload is None
    assert "no object" in found["no such object"].reason
    assert not [m for m in ledger.messages(">") if m.subject.startswith("$O.")]
    state = ledger.answer("stream:OBJ_agog_deliverables", StreamSeen)
    assert state is not None
    assert state.state["messages"] > 5


async def test_kv_values_are_stored_messages(record: Record, client: Client) -> None:
    jetstream = client.jetstream()
    bucket = await jetstream.create_key_value(bucket="agog_state")
    recorder, ledger = await record()
    await bucket.put("requirement.REQ-1", b'{"state": "PENDING"}')
    await bucket.put("requirement.REQ-1", b'{"state": "READY"}')
    await recorder.catch_up()
    assert sequences(ledger, "KV_agog_state") == [2] or sequences(ledger, "KV_agog_state") == [1, 2]
    last = ledger.stored("$KV.agog_state.requirement.REQ-1")[-1]
    assert ledger.payloads.json(last.payload) == {"state": "READY"}


async def test_stream_facts_speak_of_seconds(record: Record, client: Client) -> None:
    await add(client, "S", "s.>", max_age=3600, duplicate_window=30, max_bytes=10**9)
    recorder, ledger = await record()
    await recorder.catch_up()
    fact = ledger.answer("stream:S", StreamSeen)
    assert fact is not None
    assert fact.config["max_age"] == 3600
    assert fact.config["duplicate_window"] == 30
    assert (fact.config["no_ack"], fact.config["persist_mode"]) == (False, "default")
    assert fact.config["subject_transform"] is None
    assert fact.state["messages"] == 0


async def test_server_facts(record: Record, server: NatsServer) -> None:
    _, ledger = await record(monitor_url=server.monitor_url)
    (seen,) = ledger.of(ServerSeen)
    assert seen.fact.max_payload == 13_000_000
    assert seen.fact.version
    assert seen.fact.sync_always is False


async def test_a_subject_that_is_no_text_does_not_end_the_record(
    record: Record, client: Client, server: NatsServer
) -> None:
    jetstream = await add(client, "A", "a.>")
    recorder, ledger = await record()
    _, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(b'CONNECT {"verbose":false}\r\nPUB a.\xff 3\r\nodd\r\n')
    await writer.drain()
    await jetstream.publish("a.x", b"after")
    await recorder.catch_up()
    assert sequences(ledger, "A") == [1, 2] or sequences(ledger, "A") == [1]
    assert b"after" in [ledger.payloads[m.payload] for m in ledger.messages("a.>")]
    writer.close()


async def test_nobody_answers_as_if_nobody_recorded(record: Record, client: Client, server: NatsServer) -> None:
    jetstream = await add(client, "A", "a.>")
    await record(monitor_url=server.monitor_url)
    with pytest.raises(NoStreamResponseError):
        await jetstream.publish("no.stream", b"x", timeout=1)
    with pytest.raises(NoRespondersError):
        await client.request("no.service", b"x", timeout=1)
    with pytest.raises(NoRespondersError):
        await client.request("$JS.API.DIRECT.GET.NOPE", b"{}", timeout=1)
    pull = await jetstream.pull_subscribe("a.x", "worker")
    await jetstream.publish("a.x", b"x")
    await (await pull.fetch(1, timeout=2))[0].ack_sync()
    await jetstream.delete_consumer("A", "worker")
    with pytest.raises(NoRespondersError):
        await client.request("$JS.API.CONSUMER.MSG.NEXT.A.worker", b"{}", timeout=1)

    async def serve(msg: Msg) -> None:
        await msg.respond(b"pong")

    other = await client.subscribe("some.service", cb=serve)
    assert (await client.request("some.service", b"ping", timeout=1)).data == b"pong"
    await other.unsubscribe()
