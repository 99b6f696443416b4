"""Ingest: one worker of `agog serve` as a process, against the same messages stored row by row. [C2]"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import nats
import psycopg
from nats.aio.client import Client
from psycopg import AsyncConnection

from benchmarks.harness import Result, result
from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.reference.comms.settings import CONSUMER, STREAM
from pytest_agog.reference.comms.storing import store
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer
from pytest_agog.wire.comms import AgentMessage, run_subject
from pytest_agog.wire.comms_rows import Row, normalise

MESSAGES = 60_000
PEERS = 2_000
SIZE = 700
GOAL = 10_000.0


def run() -> list[Result]:
    """One worker, two workers, and the peer, on servers of their own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        NatsServer(Path(folder) / "nats") as server,
        PostgresServer(Path(folder) / "postgres") as postgres,
    ):
        return asyncio.run(_measure(server.url, postgres))


async def _measure(url: str, postgres: PostgresServer) -> list[Result]:
    client = await nats.connect(url)
    await client.jetstream().add_stream(name=STREAM, subjects=["argo.workflow.>", "agentrun.>"])
    await _publish(client)
    one = await _rate(client, url, postgres.create_database("one"), workers=1)
    two = await _rate(client, url, postgres.create_database("two"), workers=2)
    peer = await _row_by_row(client, postgres.create_database("peer"))
    await client.close()
    note = "pull one, insert one, commit, ack: the same rows in the same schema"
    return [
        result(
            f"ingest of {SIZE} B messages, one worker", one, "messages/s", peer=peer, goal=f">= {GOAL:,.0f}/s",
            ok=one >= GOAL, note=note,
        ),
        result(
            f"ingest of {SIZE} B messages, two workers", two, "messages/s", peer=peer, goal=f">= {GOAL:,.0f}/s",
            ok=two >= GOAL, note=note,
        ),
    ]  # fmt: skip


async def _publish(client: Client) -> None:
    for number in range(MESSAGES):
        run_id = f"run-{number % 50}"
        message = AgentMessage(
            message_id=f"message-{number}", run_id=run_id, step_id="implement", stage="implementation",
            runtime="argo", timestamp=datetime.now(UTC), attrs={"model": "m", "turn": number},
        )  # fmt: skip
        message.content = "x" * (SIZE - len(message.payload()))
        subject = run_subject("agents", "implement-feature", f"uid-{number % 50}", "codex", "message")
        await client.publish(subject, message.payload(), headers={"Nats-Msg-Id": f"{message.message_id}:{subject}"})
        if number % 2000 == 0:
            await client.flush()
    await client.flush()
    while (await client.jetstream().stream_info(STREAM)).state.messages < MESSAGES:  # noqa: ASYNC110 - nothing notifies
        await asyncio.sleep(0.02)


async def _rate(client: Client, url: str, dsn: str, *, workers: int) -> float:
    """Messages a second from the service's ready line to the commit of the last row."""
    with _serving(url, dsn, workers), psycopg.connect(dsn, autocommit=True) as connection:
        begin, before = time.perf_counter(), _stored(connection)
        while (now := _stored(connection)) < MESSAGES:  # noqa: ASYNC110 - nothing notifies
            await asyncio.sleep(0.05)
        rate = (now - before) / (time.perf_counter() - begin)
    await client.jetstream().delete_consumer(STREAM, CONSUMER)
    return rate


def _stored(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM workflow_comms.agent_messages").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _serving(url: str, dsn: str, workers: int) -> Iterator[None]:
    command = [
        sys.executable, "-m", "pytest_agog", "serve", "--json", "--no-http", "--workers", str(workers),
        "--nats-url", url, "--postgres-dsn", dsn,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            json.loads(process.stdout.readline())
            yield
        finally:
            process.terminate()


async def _row_by_row(client: Client, dsn: str) -> float:
    await asyncio.to_thread(migrate, dsn)
    js = client.jetstream()
    created = (await js.stream_info(STREAM)).created
    subscription = await js.pull_subscribe("", durable="row-by-row", stream=STREAM)
    async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
        begin = time.perf_counter()
        for _ in range(PEERS):
            [message] = await subscription.fetch(1)
            meta = message.metadata
            row = normalise(
                message.subject, message.data, stream_created=str(created), stream_seq=meta.sequence.stream,
                stored_at=meta.timestamp,
            )  # fmt: skip
            assert isinstance(row, Row)
            await store(connection, [row])
            await message.ack()
        return PEERS / (time.perf_counter() - begin)
