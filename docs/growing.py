"""Measures what `explanations/growing.md` tells: `python docs/growing.py` prints its table.

Nothing else should run on the machine meanwhile. It takes some minutes.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.stage.servers.cluster import NatsCluster
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.target.targets import REFERENCE

ROUNDS: Final = 2
REPORT: Final = "# Report\n\n" + "All lots are traced to their origin. " * 1_100
"""40 kB."""
REPORTS: Final = 300


def scenarios(workers: int) -> tuple[float, float]:
    """Seconds that all bundled scenarios take, and seconds of processor time; the quickest of some rounds."""
    command = [sys.executable, "-m", "pytest", "--agog-scenario", "-p", "no:randomly", "-q", "-n", str(workers)]
    times = []
    for _ in range(ROUNDS):
        started, used = time.perf_counter(), _processor_time()
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append((time.perf_counter() - started, _processor_time() - used))
    return min(times)


def _processor_time() -> float:
    """Seconds that processes which ended used so far, and those that they waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def publishing(kind: type[NatsServer] | type[NatsCluster], copies: int, publishers: int) -> float:
    """Reports of 40 kB that are acknowledged in a second; the best of some rounds."""
    with tempfile.TemporaryDirectory() as folder, kind(Path(folder) / "nats") as server:
        return max(asyncio.run(_publish(server.url, copies, publishers, number)) for number in range(ROUNDS))


async def _publish(url: str, copies: int, publishers: int, round_number: int) -> float:
    await REFERENCE.prepare_streams(url, copies)
    engines = [await DeliverableEngine.connect(url) for _ in range(publishers)]

    async def some(number: int, engine: DeliverableEngine) -> None:
        for count in range(REPORTS // publishers):
            feature = f"f{round_number}-{number}-{count}"
            await engine.publish("cynthia", "research", feature, f"{REPORT}{feature}")

    started = time.perf_counter()
    await asyncio.gather(*(some(number, engine) for number, engine in enumerate(engines)))
    seconds = time.perf_counter() - started
    for engine in engines:
        await engine.close()
    return REPORTS / seconds


def rows() -> Iterable[tuple[str, str, str]]:
    """What was measured, the number, and its ratio to the first of its kind."""
    alone = 0.0
    for workers in (0, 2, 4):
        seconds, processor = scenarios(workers)
        alone = alone or seconds
        what = f"`-n {workers}`" if workers else "one process"
        measured = f"{seconds:.0f} s, {processor:.0f} s of processor time"
        yield f"all bundled scenarios, {what}", measured, f"{seconds / alone:.2f}"
    for publishers in (1, 4):
        single = publishing(NatsServer, 1, publishers)
        cluster = publishing(NatsCluster, 3, publishers)
        who = "one publisher" if publishers == 1 else f"{publishers} publishers"
        yield f"reports of 40 kB, {who}, one server", f"{single:,.0f} /s", "1.00"
        yield "the same, three servers with three copies", f"{cluster:,.0f} /s", f"{cluster / single:.2f}"


if __name__ == "__main__":
    sys.stderr.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    sys.stdout.write("| what | measured | ratio |\n|---|---:|---:|\n")
    for row in rows():
        sys.stdout.write(f"| {' | '.join(row)} |\n")
        sys.stdout.flush()
