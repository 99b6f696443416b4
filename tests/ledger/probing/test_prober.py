"""The prober on real services: what it sees, and what it says when it sees nothing."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, StreamConfig

from pytest_agog.errors import BadInput
from pytest_agog.ledger.answers import ConsumerSeen, FileSeen, HttpSeen, RowsSeen, StreamSeen, TableSeen
from pytest_agog.ledger.facts import ServerSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import (
    ConsumerProbe,
    FileProbe,
    HttpProbe,
    Probe,
    RowsProbe,
    StreamProbe,
    TableProbe,
)
from pytest_agog.ledger.probing import prober as prober_module
from pytest_agog.ledger.probing.prober import Prober
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire.naming import WireNames

SCHEMA = """
    CREATE SCHEMA workflow_comms;
    CREATE TABLE workflow_comms.agent_messages (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        "odd ""name" text,
        content varchar(20) NOT NULL DEFAULT '',
        attrs jsonb NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT '2026-01-02T03:04:05.678+02'
    );
    CREATE INDEX ON workflow_comms.agent_messages (content, seq) INCLUDE (id);
    CREATE INDEX ON workflow_comms.agent_messages (lower(content));
    CREATE TABLE public.empty ();
"""
TABLE = "workflow_comms.agent_messages"


def refuse(path: str) -> Path:
    raise BadInput(f"{path} leaves the scenario's data root")


async def answer(probe: Probe, **services: object) -> tuple[object, Ledger]:
    """One answer of a prober that has only these services."""
    ledger = Ledger()
    nothing: dict[str, Any] = dict.fromkeys(("client", "monitor_url", "postgres_dsn", "http_base"))
    asked = Prober(**(nothing | {"resolve": refuse} | services))
    try:
        return await asked.ask(probe, ledger.payloads), ledger
    finally:
        await asked.close()


# --- JetStream ------------------------------------------------------------------------------------------------------
async def test_stream_and_consumer(client: Client) -> None:
    jetstream = client.jetstream()
    await jetstream.add_stream(StreamConfig(name="S", subjects=["s.>"], max_age=3600))
    await jetstream.add_consumer("S", ConsumerConfig(durable_name="worker", ack_wait=7, ack_policy="explicit"))  # type: ignore[arg-type]
    for _ in range(3):
        await jetstream.publish("s.x", b"x")
    pull = await jetstream.pull_subscribe_bind("worker", "S")
    await pull.fetch(1, timeout=5)
    stream, _ = await answer(StreamProbe("S"), client=client)
    assert isinstance(stream, StreamSeen)
    assert (stream.exists, stream.config["max_age"], stream.state["messages"]) == (True, 3600, 3)
    consumer, _ = await answer(ConsumerProbe("S", "worker"), client=client)
    assert isinstance(consumer, ConsumerSeen)
    assert (consumer.config["ack_wait"], consumer.config["ack_policy"]) == (7, "explicit")
    assert (consumer.state["num_pending"], consumer.state["num_ack_pending"]) == (2, 1)
    assert consumer.state["delivered"]["stream_seq"] == 1


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (StreamProbe("NONE"), ""),
        (ConsumerProbe("NONE", "c"), ""),
        (StreamProbe("a.b"), "no name"),
        (StreamProbe(">"), "no name"),
        (ConsumerProbe("S", "a b"), "no name"),
    ],
)
async def test_what_is_not_in_jetstream(client: Client, probe: Probe, reason: str) -> None:
    found, _ = await answer(probe, client=client)
    assert isinstance(found, (StreamSeen, ConsumerSeen))
    assert not found.exists
    assert reason in found.reason if reason else not found.reason
    assert found.probe == probe.key


async def test_nats_that_is_away(client: Client, server: NatsServer) -> None:
    server.kill()
    found, _ = await answer(StreamProbe("S"), client=client)
    assert isinstance(found, StreamSeen)
    assert not found.exists
    assert "NATS" in found.reason


# --- Postgres -------------------------------------------------------------------------------------------------------
@pytest.fixture
async def tables(database: str) -> str:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(SCHEMA)
    return database


async def test_table(tables: str) -> None:
    found, _ = await answer(TableProbe(TABLE), postgres_dsn=tables)
    assert isinstance(found, TableSeen)
    assert found.columns == {
        "id": "uuid", "seq": "bigint", 'odd "name': "text", "content": "character varying(20)",
        "attrs": "jsonb", "created_at": "timestamp with time zone",
    }  # fmt: skip
    assert set(found.indexes) == {("id",), ("seq",), ("content", "seq"), ("lower(content::text)",)}
    unqualified, _ = await answer(TableProbe("empty"), postgres_dsn=tables)
    assert isinstance(unqualified, TableSeen)
    assert unqualified.exists
    assert unqualified.columns == {}


async def test_rows(tables: str) -> None:
    odd = 'back\\slash "quote" \t tab \n line \\n é'
    async with await psycopg.AsyncConnection.connect(tables, autocommit=True) as connection:
        await connection.execute(
            'INSERT INTO workflow_comms.agent_messages (content, attrs, "odd ""name") VALUES (%s, %s, %s)',
            ["x", json.dumps({"text": odd}), odd],
        )
    found, ledger = await answer(RowsProbe(TABLE), postgres_dsn=tables)
    assert isinstance(found, RowsSeen)
    assert found.count == 1
    assert found.payload is not None
    row = ledger.payloads.json(found.payload)
    assert row['odd "name'] == odd
    assert row["attrs"] == {"text": odd}
    assert row["created_at"] == "2026-01-02T01:04:05.678+00:00"
    some, ledger = await answer(RowsProbe(TABLE, ('odd "name', "seq")), postgres_dsn=tables)
    assert isinstance(some, RowsSeen)
    assert some.payload is not None
    assert list(ledger.payloads.json(some.payload)) == ['odd "name', "seq"]


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (RowsProbe("workflow_comms.missing"), "no table"),
        (RowsProbe('x"; DROP TABLE workflow_comms.agent_messages; --'), "no table"),
        (RowsProbe(TABLE, ('id" FROM pg_authid --',)), "does not exist"),
    ],
)
async def test_rows_that_are_not_there(tables: str, probe: RowsProbe, reason: str) -> None:
    found, _ = await answer(probe, postgres_dsn=tables)
    assert isinstance(found, RowsSeen)
    assert found.payload is None
    assert reason in found.reason
    still, _ = await answer(TableProbe(TABLE), postgres_dsn=tables)
    assert isinstance(still, TableSeen)
    assert still.exists


async def test_too_many_rows_are_no_answer(tables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_agog.ledger.probing.tables.MOST_ROWS", 10)
    async with await psycopg.AsyncConnection.connect(tables, autocommit=True) as connection:
        await connection.execute("CREATE TABLE many AS SELECT generate_series(1, 11) AS n")
        asked = Prober(None, None, tables, None, refuse)
        ledger = Ledger()
        try:
            found = await asked.ask(RowsProbe("many"), ledger.payloads)
            assert isinstance(found, RowsSeen)
            assert found.payload is None
            assert "more than 10 rows" in found.reason
            await connection.execute("DELETE FROM many WHERE n = 1")
            again = await asked.ask(RowsProbe("many"), ledger.payloads)
            assert isinstance(again, RowsSeen)
            assert again.count == 10
        finally:
            await asked.close()


async def test_the_prober_only_reads(tables: str) -> None:
    async with await psycopg.AsyncConnection.connect(tables, autocommit=True) as connection:
        await connection.execute(
            "CREATE FUNCTION touch() RETURNS int LANGUAGE sql VOLATILE AS"
            " 'INSERT INTO workflow_comms.agent_messages DEFAULT VALUES RETURNING 1'"
        )
        await connection.execute("CREATE VIEW trap AS SELECT touch() AS n")
    found, _ = await answer(RowsProbe("trap"), postgres_dsn=tables)
    assert isinstance(found, RowsSeen)
    assert "read-only" in found.reason


async def test_postgres_that_is_away() -> None:
    dsn = "postgresql://agog:hunter2@127.0.0.1:1/x"
    for probe in (TableProbe(TABLE), RowsProbe(TABLE)):
        found, _ = await answer(probe, postgres_dsn=dsn)
        assert isinstance(found, (TableSeen, RowsSeen))
        assert "Postgres" in found.reason
        assert "hunter2" not in found.reason


# --- files ----------------------------------------------------------------------------------------------------------
async def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there.txt").write_bytes(b"\xffcontent")
    os.mkfifo(tmp_path / "pipe")

    def resolve(path: str) -> Path:
        return tmp_path / path

    found, ledger = await answer(FileProbe("there.txt"), resolve=resolve)
    assert isinstance(found, FileSeen)
    assert found.payload is not None
    assert ledger.payloads[found.payload] == b"\xffcontent"
    missing, _ = await answer(FileProbe("missing.txt"), resolve=resolve)
    assert missing == FileSeen("file:missing.txt", "missing.txt", exists=False)
    pipe, _ = await answer(FileProbe("pipe"), resolve=resolve)
    assert isinstance(pipe, FileSeen)
    assert "no regular file" in pipe.reason
    refused, _ = await answer(FileProbe("../x"))
    assert isinstance(refused, FileSeen)
    assert "data root" in refused.reason
    monkeypatch.setattr(prober_module, "LARGEST_FILE", 3)
    large, _ = await answer(FileProbe("there.txt"), resolve=resolve)
    assert isinstance(large, FileSeen)
    assert large.payload is None
    assert large.reason


# --- HTTP -----------------------------------------------------------------------------------------------------------
@pytest.fixture
async def http() -> AsyncIterator[str]:
    """A small HTTP service: answers with what it was asked, under another date each time."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            count += 1
            body = head.splitlines()[0].encode()
            status = "404 Not Found" if "missing" in head else "200 OK"
            if "secret" in head.lower():
                body += b" with secret"
            head = f"HTTP/1.1 {status}\r\nDate: {count}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        finally:
            writer.close()

    service = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = service.sockets[0].getsockname()
    yield f"http://{host}:{port}"
    service.close()
    await service.wait_closed()


async def test_http(http: str) -> None:
    found, ledger = await answer(HttpProbe("/healthz"), http_base=http)
    assert isinstance(found, HttpSeen)
    assert found.status == 200
    assert found.payload is not None
    assert ledger.payloads[found.payload] == b"GET /healthz HTTP/1.1"
    missing, _ = await answer(HttpProbe(f"{http}/missing", "POST", (("X-Secret", "1"),)))
    assert isinstance(missing, HttpSeen)
    assert missing.status == 404


@pytest.mark.parametrize(
    "target",
    ["/x", "http://127.0.0.1:1/x", "file:///etc/passwd", "http://", "http://[::1", "http://a]b/", "http://\u2100.com/"],
)
async def test_http_without_answer(target: str) -> None:
    found, _ = await answer(HttpProbe(target))
    assert isinstance(found, HttpSeen)
    assert found.status is None
    assert found.reason


def test_keys_tell_headers_apart_without_showing_them() -> None:
    one, other = HttpProbe("/x", "GET", (("Authorization", "hunter2"),)), HttpProbe("/x")
    assert one.key != other.key
    assert "hunter2" not in one.key


# --- all together ---------------------------------------------------------------------------------------------------
async def test_refresh_appends_only_what_changed(server: NatsServer, client: Client, tables: str, http: str) -> None:
    await client.jetstream().add_stream(name="S", subjects=["s.>"])
    probes: list[Probe] = [StreamProbe("S"), StreamProbe("S"), TableProbe(TABLE), RowsProbe(TABLE), HttpProbe("/x")]
    asked = Prober(client, server.monitor_url, tables, http, refuse)
    ledger = Ledger()
    try:
        assert await asked.refresh(ledger, probes) == 5
        assert len(ledger.of(ServerSeen)) == 1
        assert await asked.refresh(ledger, probes) == 0
        await client.jetstream().publish("s.x", b"x")
        assert await asked.refresh(ledger, probes) == 1
        seen = ledger.answer("stream:S", StreamSeen)
        assert seen is not None
        assert seen.state["messages"] == 1
    finally:
        await asked.close()


async def test_a_target_with_names_of_its_own_is_told_in_the_contracts_words(tables: str) -> None:
    with psycopg.connect(tables, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA acme")
        connection.execute("CREATE TABLE acme.said (uid text, seq bigint UNIQUE, content text)")
        connection.execute("CREATE INDEX ON acme.said (uid, seq)")
        connection.execute("INSERT INTO acme.said VALUES ('u1', 1, 'back\\slash')")
    names = WireNames(table="acme.said", columns={"workflow_uid": "uid"})
    services: dict[str, Any] = {"postgres_dsn": tables, "names": names}

    shape, _ = await answer(TableProbe(TABLE), **services)
    assert isinstance(shape, TableSeen)
    assert (shape.table, shape.columns["workflow_uid"], "uid" in shape.columns) == (TABLE, "text", False)
    assert ("workflow_uid", "seq") in shape.indexes
    for columns, expected in (
        ((), {"workflow_uid": "u1", "seq": 1, "content": "back\\slash"}),
        (("workflow_uid",), {"workflow_uid": "u1"}),
    ):
        rows, ledger = await answer(RowsProbe(TABLE, columns), **services)
        assert isinstance(rows, RowsSeen)
        assert rows.payload is not None
        assert json.loads(ledger.payloads[rows.payload]) == expected
    unnamed, _ = await answer(TableProbe("acme.said"), **services)
    assert isinstance(unnamed, TableSeen)
    assert "uid" in unnamed.columns


async def test_stream_and_consumer_of_such_a_target(client: Client) -> None:
    await client.jetstream().add_stream(StreamConfig(name="TALK", subjects=["talk.>"], max_age=3600))
    await client.jetstream().add_consumer("TALK", ConsumerConfig(durable_name="reader", ack_wait=7))
    names = WireNames(stream="TALK", consumer="reader")
    stream, _ = await answer(StreamProbe("agent-comms"), client=client, names=names)
    assert isinstance(stream, StreamSeen)
    assert (stream.stream, stream.config["subjects"]) == ("agent-comms", ["talk.>"])
    consumer, _ = await answer(ConsumerProbe("agent-comms", "jangar-agent-comms"), client=client, names=names)
    assert isinstance(consumer, ConsumerSeen)
    assert (consumer.exists, consumer.consumer) == (True, "jangar-agent-comms")
    other, _ = await answer(ConsumerProbe("agent-comms", "other"), client=client, names=names)
    assert isinstance(other, ConsumerSeen)
    assert not other.exists
