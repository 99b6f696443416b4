"""The deliverable engine against bare nats-py: publishing and fetching reports of 40 kB, creating the streams."""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import nats
from nats.js import JetStreamContext

from benchmarks.harness import Result, result
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.deliverables.publishing import EXPECTED_HEADER
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import deliverables as wire

SIZE = 40_000
ROUNDS = 15
EACH = 50
STREAM = "agog_features_backend"
PUBLISH_GOAL, FETCH_GOAL, STREAMS_GOAL = 0.8, 1.5, 100.0


def run() -> list[Result]:
    """All three, on a server of their own."""
    with tempfile.TemporaryDirectory() as folder, NatsServer(Path(folder) / "nats") as server:
        return asyncio.run(_measure(server.url))


async def _measure(url: str) -> list[Result]:
    client = await nats.connect(url)
    async with await DeliverableEngine.connect(url) as engine:
        begin = time.perf_counter()
        await engine.init_streams()
        created = (time.perf_counter() - begin) * 1000
        publish, bare = await _publishing(engine, client.jetstream())
        fetch, get = await _fetching(engine, client.jetstream())
    await client.close()
    return [
        result(
            "publish a 40 kB report", publish, "reports/s", peer=bare, goal=f">= {PUBLISH_GOAL} x peer",
            ok=publish >= PUBLISH_GOAL * bare, note="bare js.publish of the same bytes and headers",
        ),
        result(
            "fetch a 40 kB report", fetch, "reports/s", peer=get, goal=f">= {FETCH_GOAL} x peer",
            ok=fetch >= FETCH_GOAL * get, note="js.get_last_msg (STREAM.MSG.GET), neither decoded nor verified",
        ),
        result(
            "create 15 streams and 11 consumers", created, "ms", goal=f"< {STREAMS_GOAL:.0f} ms",
            ok=created < STREAMS_GOAL, note="on an empty server",
        ),
    ]  # fmt: skip


def _report(number: int) -> str:
    """Markdown-like text of 40 kB that no other round had."""
    random = Random(number)
    words = [f"word{random.randrange(5000)}" for _ in range(SIZE // 8)]
    return f"# Report {number}\n\n" + " ".join(words)[: SIZE - 20]


async def _publishing(engine: DeliverableEngine, js: JetStreamContext) -> tuple[float, float]:
    ours: list[float] = []
    peers: list[float] = []
    for turn in range(ROUNDS):
        reports = [_report(turn * EACH + number) for number in range(EACH)]

        async def engine_publishes(turn: int = turn, reports: list[str] = reports) -> None:
            for number, report in enumerate(reports):
                await engine.publish("roy", "backend", f"ours-{turn}-{number}", report)

        messages = [_message(f"peer-{turn}-{number}", report) for number, report in enumerate(reports)]

        async def client_publishes(messages: list[tuple[str, bytes, dict[str, str]]] = messages) -> None:
            for subject, payload, headers in messages:
                await js.publish(subject, payload, headers=headers)

        await _both(turn, engine_publishes, client_publishes, ours, peers)
    return statistics.median(ours), statistics.median(peers)


def _message(feature: str, report: str) -> tuple[str, bytes, dict[str, str]]:
    subject = f"agog.deliverables.roy.backend.{feature}"
    metadata = {"agent": "roy", "taskType": "backend", "feature": feature, "timestamp": wire.now()}
    headers = {**wire.headers(subject, wire.digest(report)), EXPECTED_HEADER: "0"}
    return subject, wire.payload(report, metadata), headers


async def _fetching(engine: DeliverableEngine, js: JetStreamContext) -> tuple[float, float]:
    ours: list[float] = []
    peers: list[float] = []
    for turn in range(ROUNDS):

        async def engine_fetches(turn: int = turn) -> None:
            for number in range(EACH):
                await engine.require("roy", "backend", f"ours-{turn}-{number}")

        async def client_gets(turn: int = turn) -> None:
            for number in range(EACH):
                await js.get_last_msg(STREAM, f"agog.deliverables.roy.backend.ours-{turn}-{number}")

        await _both(turn, engine_fetches, client_gets, ours, peers)
    return statistics.median(ours), statistics.median(peers)


async def _both(
    turn: int,
    our: Callable[[], Awaitable[None]],
    their: Callable[[], Awaitable[None]],
    ours: list[float],
    peers: list[float],
) -> None:
    """Both, in turns also as to who is first, so that what else the machine does hits both alike."""
    pairs = [(our, ours), (their, peers)]
    for work, rates in pairs if turn % 2 else reversed(pairs):
        rates.append(await _rate(work))


async def _rate(work: Callable[[], Awaitable[None]]) -> float:
    gc.collect()
    gc.disable()
    try:
        begin = time.perf_counter()
        await work()
        return EACH / (time.perf_counter() - begin)
    finally:
        gc.enable()
