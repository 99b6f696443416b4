"""Agent comms of another system, as small as it can be: own names, own table, own path; one ingest loop and an SSE API.

It takes its addresses from the environment and says `ready` on /healthz once its consumer and its table stand.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

import nats
import psycopg
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig

TABLE = """
    CREATE SCHEMA IF NOT EXISTS foreign_comms;
    CREATE TABLE IF NOT EXISTS foreign_comms.said (
        seq bigint GENERATED ALWAYS AS IDENTITY, agent_run_uid text, run_id text, kind text, content text NOT NULL,
        stream_seq bigint UNIQUE NOT NULL
    )
"""
INSERT = """
    INSERT INTO foreign_comms.said (agent_run_uid, run_id, kind, content, stream_seq) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (stream_seq) DO NOTHING
"""
SELECT = "SELECT seq, kind, content, stream_seq FROM foreign_comms.said WHERE run_id = %s AND seq > %s ORDER BY seq"

stored = asyncio.Condition()


async def connected() -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True, connect_timeout=2)


async def ingest(subscription: JetStreamContext.PullSubscription) -> None:
    while True:
        try:
            batch = await subscription.fetch(100, timeout=1)
        except (nats.errors.Error, TimeoutError):  # nats-py raises now its own time-out, now a bare one
            continue
        try:
            await store(batch)
        except psycopg.OperationalError:
            await asyncio.gather(*(message.nak(delay=0.1) for message in batch))
            continue
        await asyncio.gather(*(message.ack() for message in batch))
        async with stored:
            stored.notify_all()


async def store(batch: Sequence[Msg]) -> None:
    async with await connected() as database, database.transaction():
        for message in batch:
            told = json.loads(message.data)
            uid = message.subject.split(".")[3]
            row = (uid, told.get("run_id"), told["kind"], told["content"], message.metadata.sequence.stream)
            await database.execute(INSERT, row)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    url = urlsplit(head[0].split()[1])
    if url.path == "/healthz":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    elif url.path == "/v1/agent-events":
        last = next((line.partition(":")[2] for line in head if line.lower().startswith("last-event-id:")), "0")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: hello\n\n")
        await events(writer, parse_qs(url.query)["runId"][0], int(last))
    else:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def events(writer: asyncio.StreamWriter, run: str, last: int) -> None:
    while not writer.is_closing():
        async with stored:
            async with await connected() as database:
                rows = await (await database.execute(SELECT, (run, last))).fetchall()
            for seq, kind, content, place in rows:
                last = seq
                data = json.dumps({"kind": kind, "content": content, "stream_seq": place})
                writer.write(f"id: {seq}\nevent: message\ndata: {data}\n\n".encode())
            await writer.drain()
            await stored.wait()


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await connected() as database:
        await database.execute(TABLE)
    client = await nats.connect(os.environ["NATS_URL"], max_reconnect_attempts=-1, reconnect_time_wait=0.05)
    config = ConsumerConfig(filter_subject="agentrun.>", ack_wait=2)
    subscription = await client.jetstream().pull_subscribe("agentrun.>", "foreign-comms", stream="talk", config=config)
    working = asyncio.create_task(ingest(subscription))
    # What would only stop storing ends the process, and is seen.
    working.add_done_callback(lambda _: stop.set())
    await asyncio.start_server(answer, "127.0.0.1", int(os.environ["PORT"]))
    await stop.wait()
    if working.done():
        working.result()
    working.cancel()


asyncio.run(main())
