"""The ledger: how fast the recorder is against a bare subscription loop, and how fast a large ledger answers."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import StreamConfig

from benchmarks.harness import Result, result
from pytest_agog.ledger import bundle
from pytest_agog.ledger.facts import MessageSeen, MessageStored
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording.recorder import Recorder
from pytest_agog.stage.servers.nats import NatsServer

MESSAGES = 100_000
SIZE = 700


def run() -> list[Result]:
    """Recording, querying and writing 100,000 messages of 700 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder) / "nats")
        server.start()
        try:
            bare, recorded, ledger = asyncio.run(_record(server.url))
        finally:
            server.stop()
        return [
            result(
                "record stored messages of 700 B", MESSAGES / recorded, "messages/s",
                goal=f"{MESSAGES:,} in under 10 s", ok=recorded < 10, peer=MESSAGES / bare,
                note="peer: a bare nats-py subscription that counts; the recorder sees each message twice "
                "(core and stream), pairs both and keeps them",
            ),
            *_queries(),
            _bundle(Path(folder) / "bundle", ledger),
        ]  # fmt: skip


async def _record(url: str) -> tuple[float, float, Ledger]:
    """Seconds of a bare loop that receives all messages, and of the recorder that also reads and indexes the stream."""
    client = await nats.connect(url)
    await client.jetstream().add_stream(StreamConfig(name="A", subjects=["a.>"], allow_direct=True))
    await client.jetstream().add_stream(StreamConfig(name="B", subjects=["b.>"], allow_direct=True))
    count = 0

    async def take(_: Msg) -> None:
        nonlocal count
        count += 1
        if count == MESSAGES:
            done.set()

    done = asyncio.Event()
    subscription = await client.subscribe("b.>", cb=take, pending_msgs_limit=0, pending_bytes_limit=0)
    begin = time.perf_counter()
    await _publish(url, "b")
    await done.wait()
    bare = time.perf_counter() - begin
    await subscription.unsubscribe()
    await client.jetstream().delete_stream("B")

    async def connect() -> Client:
        return await nats.connect(url, allow_reconnect=False)

    ledger = Ledger()
    recorder = Recorder(ledger, connect, baseline=False)
    await recorder.start()
    begin = time.perf_counter()
    await _publish(url, "a")
    while (last := await recorder.catch_up(timeout=120))["A"] < MESSAGES:
        pass  # the server is still storing what was published without acks
    recorded = time.perf_counter() - begin
    assert last == {"A": MESSAGES}
    assert len(ledger.of(MessageStored)) == MESSAGES
    assert len(ledger.messages("a.>")) == MESSAGES
    await recorder.stop()
    await client.close()
    return bare, recorded, ledger


async def _publish(url: str, prefix: str) -> None:
    """All messages over one socket, as fast as the server takes them, without waiting for acks."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(b'CONNECT {"verbose":false}\r\n')
    body = os.urandom(SIZE // 2).hex().encode()
    for number in range(MESSAGES):
        tail = b"%08d" % number
        writer.write(b"PUB %s.%d %d\r\n%s%s\r\n" % (prefix.encode(), number % 500, SIZE, body[:-8], tail))
        if number % 1000 == 0:
            await writer.drain()
    await writer.drain()
    writer.close()


def _queries() -> list[Result]:
    """200 patterns on 100,000 observations, the first time and again."""
    ledger = Ledger()
    payload = ledger.payloads.put(b'{"a": 1}')
    begin = time.perf_counter()
    for number in range(MESSAGES // 2):
        subject = f"agog.deliverables.agent{number % 7}.type.feature{number % 1000}"
        seen = ledger.append(MessageSeen(subject, payload, 8))
        ledger.append(MessageStored(f"S{number % 7}", number, time.time(), subject, payload, 8, seen=seen))
    appended = time.perf_counter() - begin
    patterns = [f"agog.deliverables.agent{n % 7}.*.feature{n}" for n in range(190)]
    patterns += [f"agog.deliverables.agent{n}.>" for n in range(7)] + ["agog.>", ">", "agog.*.*.*.*"]
    begin = time.perf_counter()
    counted = sum(len(ledger.messages(pattern)) for pattern in patterns)
    asked = time.perf_counter() - begin
    assert counted > MESSAGES
    return [
        result("append 100,000 observations", appended, "s", goal="< 2 s", ok=appended < 2),
        result("200 wildcard queries on 100,000 observations", asked, "s", goal="< 1 s", ok=asked < 1),
    ]


def _bundle(folder: Path, ledger: Ledger) -> Result:
    begin = time.perf_counter()
    bundle.write(folder, ledger, {})
    wrote = time.perf_counter() - begin
    begin = time.perf_counter()
    assert len(bundle.read(folder).ledger) == len(ledger)
    read = time.perf_counter() - begin
    return result(
        "write and read a bundle of 200,000 observations", wrote + read, "s", goal="< 20 s", ok=wrote + read < 20
    )
