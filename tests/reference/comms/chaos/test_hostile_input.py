"""Hostile input: each message is one row or one rejected row, none vanishes or comes back, all can be read. [J03]"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import LiteralString
from urllib.parse import urlencode

import psycopg

from pytest_agog.reference.comms.pages.urls import Place
from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.settings import CONSUMER, STREAM
from tests.reference.comms.chaos import hostile
from tests.reference.comms.chaos.account import account, pour
from tests.reference.comms.conftest import PATIENCE, REJECTED, Comms
from tests.reference.comms.events.reader import asking

LONG = 600.0
"""Seconds of ack wait: what comes by redelivery comes too late for a test."""
SUBJECT = b"argo.workflow.ns.flow.uid.agent.a%d.message"


def spoken(payloads: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Each by an agent of its own, so that no two are the same message."""
    return ((SUBJECT % number, payload) for number, payload in enumerate(payloads))


async def poured(comms: Comms, messages: Iterable[tuple[bytes, bytes]]) -> int:
    """Publish; all of it is on the stream."""
    before = (await comms.js.stream_info(STREAM)).state.last_seq
    number = await asyncio.to_thread(pour, comms.settings.nats_url, messages)

    async def taken() -> bool:
        return (await comms.js.stream_info(STREAM)).state.last_seq == before + number

    await comms.until(taken)
    return before + number


async def drained(comms: Comms, service: CommsService, last: int, *, duplicates: int = 0) -> tuple[int, int]:
    """Everything is stored and acked, and was delivered once."""
    await comms.acked()
    found = account(comms, last, duplicates=duplicates)
    counts = service.counts()
    assert (counts.received, counts.redelivered) == (last, 0)
    assert (counts.ingested, counts.rejected, counts.duplicates) == (*found, duplicates)
    assert (await comms.js.consumer_info(STREAM, CONSUMER)).num_redelivered == 0
    return found


async def test_every_payload_is_a_row_or_rejected(comms: Comms) -> None:
    await comms.with_consumer(LONG)
    last = await poured(comms, spoken(hostile.payloads()))
    async with comms.service() as service:
        rows, rejected = await drained(comms, service, last)
        assert service.readiness().ready
    assert rows > 1_000
    assert rejected > 1_000
    reasons = {reason for (reason,) in comms.rows(f"SELECT DISTINCT split_part(reason, ':', 1) FROM {REJECTED}")}
    assert reasons <= {"not-json", "not-an-object", "wrong-type", "nul", "timestamp", "number", "too-long"}


async def test_what_is_kept_apart_is_kept_as_it_came(comms: Comms) -> None:
    await comms.with_consumer(LONG)
    payloads = [*hostile.TOP_LEVEL, *hostile.noise(7, 300)]
    last = await poured(comms, spoken(payloads))
    async with comms.service() as service:
        await drained(comms, service, last)
    for seq, raw in comms.rows(f"SELECT stream_seq, raw FROM {REJECTED}"):
        assert raw == payloads[seq - 1]


async def test_every_subject_is_a_row_or_rejected(comms: Comms) -> None:
    await comms.with_consumer(LONG)
    subjects = list(hostile.subjects())
    last = await poured(comms, ((subject, b'{"content": "x"}') for subject in subjects))
    async with comms.service() as service:
        rows, rejected = await drained(comms, service, last)
    assert rows > 100
    assert rejected > 20


async def test_reused_ids_lose_nothing(comms: Comms) -> None:
    await comms.with_consumer(LONG)
    ids = ["same", "", " ", "SAME", "same ", "0", 0, None, "x" * 100_000]
    agents = [b"a", b"b", b"a.b", b"A"]
    subjects = [b"argo.workflow.ns.flow.uid.agent.%b.message" % agent for agent in agents]
    subjects += [b"argo.workflow.general.message", b"agentrun.ns.flow.uid-2.agent.a.message"]
    payloads = [json.dumps({"id": id_, "content": text}).encode() for id_ in ids for text in ("one", "two", "")]
    once = [(subject, payload) for subject in subjects for payload in payloads]
    last = await poured(comms, [*once, *once])
    # Without an id (empty, null) a message is told from others by its place; 0 and "0" are the same id.
    with_id = {(subject, str(json.loads(payload)["id"]), payload[-5:]) for subject, payload in once
               if json.loads(payload)["id"] not in ("", None)}  # fmt: skip
    without = 2 * sum(json.loads(payload)["id"] in ("", None) for _, payload in once)
    async with comms.service() as service:
        rows, rejected = await drained(comms, service, last, duplicates=last - len(with_id) - without)
    assert (rows, rejected) == (len(with_id) + without, 0)


async def test_a_good_message_behind_a_poison_batch_needs_no_redelivery(comms: Comms) -> None:
    await comms.with_consumer(LONG)
    good = b'{"id": "good", "content": "behind"}'
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        last = await poured(comms, spoken([b'{"id": "before", "content": "ahead"}', *[b"poison"] * 5_000, good]))
        await comms.stored(2)
        await comms.stored(5_000, REJECTED)
        assert await drained(comms, service, last) == (2, 5_000)


async def test_what_only_postgres_refuses_holds_nobody_up(comms: Comms) -> None:
    await comms.with_consumer(LONG)
    last = await poured(comms, spoken(b'{"content": "%d"}' % number for number in range(3_000)))
    async with comms.service(ingest=False) as service:
        await service.wait_ready(PATIENCE)
    await execute(comms, "ALTER TABLE workflow_comms.agent_messages ADD CHECK (content NOT LIKE '%7') NOT VALID")
    async with comms.service() as service:
        assert await drained(comms, service, last) == (2_700, 300)


async def execute(comms: Comms, statement: LiteralString) -> None:
    async with await psycopg.AsyncConnection.connect(comms.settings.postgres_dsn, autocommit=True) as connection:
        await connection.execute(statement)


async def test_a_hundred_thousand_of_which_every_tenth_is_bad(comms: Comms) -> None:
    await comms.with_consumer(LONG)
    bad = [payload for payload in hostile.TOP_LEVEL if len(payload) < 1_000 and payload != b"{}"]
    number = 100_000

    def messages() -> Iterator[tuple[bytes, bytes]]:
        for index in range(number):
            subject = b"argo.workflow.ns.flow.uid-%d.agent.roy.message" % (index % 20)
            good = b'{"message_id": "m%d", "run_id": "run-%d", "content": "%0100d"}' % (index, index % 20, index)
            yield subject, bad[index // 10 % len(bad)] if index % 10 == 9 else good

    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        last = await poured(comms, messages())
        assert last == number
        await comms.until(lambda: service.counts().ingested + service.counts().rejected >= number)
        assert await drained(comms, service, last) == (90_000, 10_000)
    [(ordered,)] = comms.rows(
        "SELECT bool_and(later) FROM (SELECT stream_seq > lag(stream_seq) OVER (ORDER BY seq) IS NOT FALSE AS later "
        "FROM workflow_comms.agent_messages) each"
    )
    assert ordered


async def test_all_that_is_stored_can_be_read(comms: Comms) -> None:
    """Rows made of such input come out of events and pages as one frame each, and as a page."""
    await comms.with_consumer(LONG)
    small = [payload for payload in hostile.payloads(3, random_ones=100) if len(payload) < 80_000]
    last = await poured(comms, [*spoken(small), *((subject, b'{"content": "x"}') for subject in hostile.subjects())])
    async with comms.service(http=True) as service:
        await service.wait_ready(PATIENCE)
        await drained(comms, service, last)
        url = service.http_url or ""
        runs = comms.rows(
            "SELECT run_id, array_agg(seq ORDER BY seq) FROM workflow_comms.agent_messages "
            "WHERE run_id IS NOT NULL GROUP BY 1"
        )
        assert len(runs) > 15
        for run_id, seqs in runs:
            await readable(url, Place(run_id), seqs)
        [(general,)] = comms.rows(
            "SELECT array_agg(seq ORDER BY seq) FROM workflow_comms.agent_messages WHERE channel = 'general'"
        )
        await readable(url, Place(), general)
        uids = comms.rows(
            "SELECT workflow_uid, array_agg(seq ORDER BY seq) FROM workflow_comms.agent_messages "
            "WHERE workflow_uid IS NOT NULL GROUP BY 1"
        )
        for uid, seqs in uids:
            async with asking(url, workflowUid=uid, last_event_id=0) as reader:
                assert await reader.ids(len(seqs)) == seqs


async def readable(url: str, place: Place, seqs: list[int]) -> None:
    """Events give these rows in order, and the page is a page that shows the newest of them."""
    path, _, query = place.url().partition("?")
    async with asking(url, query, path=path) as page:
        assert (page.status, f'id="m{seqs[-1]}"' in (await page.body()).decode()) == (200, True), place
    selector = {"channel": "general"} if place.run_id is None else {"runId": place.run_id}
    async with asking(url, urlencode(selector), last_event_id=0) as reader:
        assert await reader.ids(len(seqs)) == seqs
