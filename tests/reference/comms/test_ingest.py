"""Messages become rows: each exactly once, the bad ones apart, whatever is there at the start. [C2, C3, C5]"""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

import psycopg
import pytest
from nats.js.errors import NotFoundError

from pytest_agog.reference.comms.settings import CONSUMER, STREAM
from pytest_agog.stage.servers.nats import NatsServer
from tests.reference.comms.conftest import PATIENCE, REJECTED, Comms, messages


async def test_ingest_starts_with_the_service_and_makes_what_is_absent(comms: Comms) -> None:
    with pytest.raises(NotFoundError):
        await comms.js.stream_info(STREAM)
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        stream = (await comms.js.stream_info(STREAM)).config
        consumer = (await comms.js.consumer_info(STREAM, CONSUMER)).config
        assert (stream.max_age, stream.max_bytes) == (7 * 86_400, 10 * 2**30)
        assert consumer.max_ack_pending == 20_000
        assert comms.count() == 0
        await comms.publish(*messages(0, 5))
        await comms.stored(5)
        await comms.acked()


async def test_what_was_published_before_is_stored_in_order(comms: Comms) -> None:
    await comms.with_consumer()
    await comms.publish(*messages(0, 300))
    async with comms.service():
        await comms.stored(300)
    found = comms.rows("SELECT content, stream_seq FROM workflow_comms.agent_messages ORDER BY seq")
    assert found == [(f"text {number}", number + 1) for number in range(300)]


async def test_bad_messages_are_kept_apart_and_delay_nobody(comms: Comms) -> None:
    await comms.with_consumer()
    bad = [
        b"\xff\xfe",
        b"{",
        b"[]",
        b'{"content": 5}',
        b'{"content": "a\\u0000b"}',
        b'{"timestamp": "0000-99-99T00:00:00Z"}',
    ]
    for number, payload in enumerate(bad):
        await comms.publish({"id": f"good {number}", "content": "fine"}, payload)
    async with comms.service() as service:
        await comms.stored(len(bad))
        await comms.stored(len(bad), REJECTED)
        await comms.acked()
        assert service.counts().rejected == len(bad)
    raws = comms.rows("SELECT raw FROM workflow_comms.rejected_messages ORDER BY stream_seq")
    assert [bytes(raw) for (raw,) in raws] == bad


async def test_what_only_postgres_refuses_is_found_by_halving(comms: Comms) -> None:
    await comms.with_consumer()
    await comms.publish(*messages(0, 40), {"id": "x", "content": "password=hunter2"}, *messages(40, 80))
    async with comms.service(ingest=False) as service:  # migrated
        await service.wait_ready(PATIENCE)
    with_check = "ALTER TABLE workflow_comms.agent_messages ADD CHECK (content NOT LIKE '%hunter2%') NOT VALID"
    await execute(comms, with_check)
    async with comms.service():
        await comms.stored(80)
        await comms.stored(1, REJECTED)
        await comms.acked()
    [(reason, seq)] = comms.rows("SELECT reason, stream_seq FROM workflow_comms.rejected_messages")
    assert (reason, seq) == ("postgres: CheckViolation (23514)", 41)


async def execute(comms: Comms, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(comms.settings.postgres_dsn, autocommit=True) as connection:
        await connection.execute(statement.encode())


@pytest.mark.parametrize("token", [b"\xff\xfe", b"a\x00b", b"a\x0bb", b"\xed\xa0\x80"], ids=repr)
async def test_a_subject_that_is_no_text_harms_nobody(comms: Comms, server: NatsServer, token: bytes) -> None:
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        before = (await comms.js.stream_info(STREAM)).state.last_seq
        raw_publish(server, b"argo.workflow.ns." + token + b".uid.agent.roy.message", b'{"id": "odd", "content": "x"}')
        last = await comms.publish(*messages(0, 3))
        await comms.until(lambda: comms.count() + comms.count(REJECTED) == last - before)
        await comms.acked()


def raw_publish(server: NatsServer, subject: bytes, payload: bytes) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port or 0), timeout=5) as connection:
        connection.recv(65_536)
        connection.sendall(
            b'CONNECT {"verbose":false}\r\nPUB %b %d\r\n%b\r\nPING\r\n' % (subject, len(payload), payload)
        )
        assert b"PONG" in connection.recv(65_536)


async def test_messages_of_nine_megabytes(comms: Comms) -> None:
    await comms.with_consumer()
    for number in range(4):
        await comms.publish({"id": str(number), "content": "x" * 9_000_000}, *messages(number * 10, number * 10 + 10))
    async with comms.service():
        await comms.stored(44)
        await comms.acked()


async def test_two_workers_and_two_services_share_the_consumer(comms: Comms) -> None:
    await comms.with_consumer()
    async with comms.service(workers=2) as first, comms.service() as second:
        await first.wait_ready(PATIENCE)
        await second.wait_ready(PATIENCE)
        await asyncio.gather(*(comms.publish(*messages(n * 200, n * 200 + 200)) for n in range(5)))
        await comms.stored(1000)
        await comms.acked()
        assert first.counts().ingested + second.counts().ingested == 1000
    [(keys,)] = comms.rows("SELECT count(DISTINCT stream_seq) FROM workflow_comms.agent_messages")
    assert keys == 1000


async def test_redelivered_messages_are_one_row(comms: Comms) -> None:
    await comms.with_consumer(ack_wait=0.3)
    await comms.publish(*messages(0, 100), {"content": "without an id"})
    async with comms.service():
        await comms.stored(101)
        await comms.acked()
    await comms.js.delete_consumer(STREAM, CONSUMER)
    await comms.with_consumer()  # delivers all of them once more
    async with comms.service() as service:
        await comms.acked()
        await comms.until(lambda: service.counts().duplicates == 101)
    assert comms.count() == 101


async def test_a_slow_insert_is_not_redelivered(comms: Comms) -> None:
    await comms.with_consumer(ack_wait=0.5)
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        async with await psycopg.AsyncConnection.connect(comms.settings.postgres_dsn) as connection:
            await connection.execute("LOCK TABLE workflow_comms.agent_messages IN ACCESS EXCLUSIVE MODE")
            await comms.publish(*messages(0, 10))
            await asyncio.sleep(2)  # four times the ack wait: what is looked at is that nothing happens in it
            await connection.rollback()
        await comms.stored(10)
        await comms.acked()
        assert (service.counts().redelivered, service.counts().received) == (0, 10)


async def test_a_stop_gives_back_what_is_not_stored(comms: Comms) -> None:
    await comms.with_consumer(ack_wait=600)
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        connection = await psycopg.AsyncConnection.connect(comms.settings.postgres_dsn)
        await connection.execute("LOCK TABLE workflow_comms.agent_messages IN ACCESS EXCLUSIVE MODE")
        await comms.publish(*messages(0, 50))
        await comms.until(lambda: service.counts().received == 50)
    await connection.close()
    async with comms.service():
        await comms.stored(50)
        await comms.acked()
