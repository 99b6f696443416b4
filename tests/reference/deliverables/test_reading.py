from __future__ import annotations

import json
from pathlib import Path

import pytest
from nats.aio.client import Client

from pytest_agog.errors import (
    BadInput,
    DeliverableMissing,
    DeliverableUnreadable,
    DigestMismatch,
    InvalidToken,
    ObjectUnreadable,
    RevisionMissing,
    StreamMissing,
    UsageError,
)
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.deliverables.reading import parse_headers
from pytest_agog.stage.servers.cluster import NatsCluster
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import deliverables as wire

SUBJECT = "agog.deliverables.cynthia.research.search"
URL = "nats://" + SUBJECT
WHERE = ("cynthia", "research", "search")
STREAM = "agog_features_research"


async def test_by_url_by_subject_and_by_name(engine: DeliverableEngine) -> None:
    await engine.publish(*WHERE, "old")
    await engine.publish(*WHERE, "new", {"complexity": "Simple"})

    assert await engine.fetch(URL) == await engine.fetch(SUBJECT) == await engine.fetch(*WHERE) == "new"
    report = await engine.report(URL)
    assert report is not None
    assert (report.url, report.stream, report.sequence) == (URL, STREAM, 2)
    assert report.metadata["complexity"] == "Simple"
    assert report.time.tzinfo is not None


async def test_what_is_missing(engine: DeliverableEngine) -> None:
    assert await engine.fetch(*WHERE) is None
    with pytest.raises(DeliverableMissing, match=URL):
        await engine.require(URL)
    with pytest.raises(StreamMissing, match="agog init-streams"):
        await engine.fetch("nobody", "research", "search")


@pytest.mark.parametrize(
    ("address", "error"),
    [
        (("nats://other.subject",), BadInput),
        (("nats://agog.deliverables.cynthia.research.*",), BadInput),
        (("nats://agog.deliverables.cynthia.research.a\r\nPUB x 0",), BadInput),
        (("cynthia", "research"), UsageError),
        (("cynthia", "research", "a.b"), InvalidToken),
    ],
)
async def test_addresses_are_validated(
    engine: DeliverableEngine, address: tuple[str, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await engine.fetch(*address)


async def test_revisions(engine: DeliverableEngine) -> None:
    assert await engine.revisions(URL) == []
    for content in ("A", "B", "C"):
        await engine.publish(*WHERE, content)
    await engine.publish("cynthia", "research", "other", "D")

    revisions = await engine.revisions(URL)

    assert [revision.sequence for revision in revisions] == [1, 2, 3]
    assert [revision.digest for revision in revisions] == [wire.digest(content) for content in "ABC"]
    assert all(revision.size > 50 for revision in revisions)
    assert [(await engine.revision(URL, sequence=r.sequence)).content for r in revisions] == ["A", "B", "C"]
    for sequence in (0, -1, 4, 99):
        with pytest.raises(RevisionMissing, match=str(sequence)):
            await engine.revision(URL, sequence=sequence)


async def test_altered_content_is_refused(engine: DeliverableEngine, client: Client) -> None:
    payload = wire.payload("altered", {})
    await client.jetstream().publish(SUBJECT, payload, headers={"Agog-Digest": wire.digest("original")})
    with pytest.raises(DigestMismatch, match="altered or cut"):
        await engine.fetch(URL)


async def test_a_digest_without_padding_and_one_absent_are_read(engine: DeliverableEngine, client: Client) -> None:
    js = client.jetstream()
    await js.publish(SUBJECT, wire.payload("A", {}), headers={"Agog-Digest": wire.digest("A").rstrip("=")})
    assert await engine.fetch(URL) == "A"
    await js.publish(SUBJECT, wire.payload("B", {}))
    report = await engine.report(URL)
    assert report is not None
    assert (report.content, report.digest) == ("B", None)


@pytest.mark.parametrize("data", [b"", b"plain text", b"[1]", b"{}", b'{"content": 7}', b'{"object": {"name": "x"}}'])
async def test_messages_that_are_no_deliverable(engine: DeliverableEngine, client: Client, data: bytes) -> None:
    await client.jetstream().publish(SUBJECT, data)
    with pytest.raises(DeliverableUnreadable, match=URL):
        await engine.fetch(URL)


async def test_an_object_that_is_gone(server: NatsServer, client: Client) -> None:
    async with await DeliverableEngine.connect(server.url, object_threshold=500) as engine:
        await engine.init_streams()
        await engine.publish(*WHERE, "x" * 300_000)
        js = client.jetstream()
        message = json.loads((await js.get_last_msg(STREAM, SUBJECT)).data or b"")
        info = await (await js.object_store("agog_deliverables")).get_info(message["object"]["name"])
        await js.purge_stream("OBJ_agog_deliverables", subject=f"$O.agog_deliverables.C.{info.nuid}")
        with pytest.raises(ObjectUnreadable, match="0 of its 3 chunks"):
            await engine.fetch(URL)
        await js.delete_stream("OBJ_agog_deliverables")
        with pytest.raises(ObjectUnreadable, match="not there"):
            await engine.fetch(URL)


async def test_a_reference_cannot_reach_another_subject(engine: DeliverableEngine, client: Client) -> None:
    bad = wire.ObjectReference(bucket="x.>", name="n", digest=wire.digest(""), size=0)
    await client.jetstream().publish(SUBJECT, wire.payload_by_reference(bad, {}))
    with pytest.raises(InvalidToken, match="bucket"):
        await engine.fetch(URL)


async def test_a_stream_without_direct_get_is_read_from_its_leader(engine: DeliverableEngine, client: Client) -> None:
    js = client.jetstream()
    await engine.publish(*WHERE, "A")
    assert await engine.fetch(URL) == "A"  # the engine now takes direct get for granted
    config = (await js.stream_info(STREAM)).config
    await js.update_stream(config.evolve(allow_direct=False))
    assert await engine.fetch(URL) == "A"


async def test_a_stream_that_was_made_anew_elsewhere_is_found(engine: DeliverableEngine, client: Client) -> None:
    js = client.jetstream()
    await engine.publish(*WHERE, "A")
    await engine.fetch(URL)
    await js.delete_stream(STREAM)
    await js.add_stream(name="moved", subjects=["agog.deliverables.cynthia.>"], allow_direct=True)
    assert await engine.fetch(URL) is None
    assert (await engine.publish(*WHERE, "B")).stream == "moved"
    assert await engine.fetch(URL) == "B"


async def test_reading_goes_on_after_a_restart(engine: DeliverableEngine, server: NatsServer) -> None:
    await engine.publish(*WHERE, "A")
    server.kill()
    server.restart()
    assert await engine.fetch(URL) == "A"
    assert [revision.sequence for revision in await engine.revisions(URL)] == [1]


async def test_the_callers_client_stays_open(engine: DeliverableEngine, client: Client) -> None:
    borrowed = DeliverableEngine.from_client(client)
    await borrowed.publish(*WHERE, "A")
    await borrowed.close()
    assert client.is_connected
    assert await engine.fetch(URL) == "A"


async def test_statuses(engine: DeliverableEngine) -> None:
    await engine.publish(*WHERE, "A")
    statuses = {status.name: status for status in await engine.statuses()}
    assert len(statuses) == 7
    research, critique = statuses[STREAM], statuses["agog_features_critique"]
    assert (research.messages, research.first_sequence, research.last_sequence) == (1, 1, 1)
    assert research.bytes > 50
    assert research.last_time is not None
    assert (critique.messages, critique.last_time) == (0, None)
    assert len(await engine.statuses(">")) == 15


async def test_outline_and_section(engine: DeliverableEngine) -> None:
    done = await engine.publish(*WHERE, "# Search\n\nAll.\n\n## Risks\n\nFew.\n\n## Costs\n\nNone.\n")
    assert [heading.title for heading in await engine.outline(done.url)] == ["Search", "Risks", "Costs"]
    assert await engine.section(done.url, "Risks") == "## Risks\n\nFew.\n\n"


async def test_a_cluster_is_read_from_its_leader(tmp_path: Path) -> None:
    cluster = NatsCluster(tmp_path / "cluster")
    cluster.start()
    try:
        async with await DeliverableEngine.connect(cluster.url, object_threshold=20_000) as engine:
            for outcome in await engine.init_streams(replicas=3):
                outcome.raise_if_wrong()
            for number in range(20):
                text = f"revision {number}" + "x" * (40_000 if number % 5 == 0 else 0)
                await engine.publish(*WHERE, text)
                assert await engine.fetch(URL) == text
            assert not (await engine._locator.find(SUBJECT)).direct
            assert len(await engine.revisions(URL)) == 20
    finally:
        cluster.stop()


def test_headers_are_parsed() -> None:
    block = b"NATS/1.0\r\nNats-Msg-Id: a:b\r\nX:y\r\nbroken\r\n\r\n"
    assert parse_headers(block) == {"Nats-Msg-Id": "a:b", "X": "y"}
    assert parse_headers(b"") == {}
