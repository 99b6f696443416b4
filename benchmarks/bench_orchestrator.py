"""The orchestrator: what it adds to each stage, and a virtual day of turns over 500 requirements. [O11] [O17]

Agents answer at once and the gate accepts, so that only the orchestrator's own work is measured. The peer of the
overhead is the least that any orchestrator does between a result and the next spawn: one write with compare-and-set,
one publish.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import Result, result
from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.orchestrator.config import Config
from pytest_agog.reference.orchestrator.engine.config import OrchestratorConfig
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.messaging.bucket import Bucket
from pytest_agog.reference.orchestrator.messaging.sending import publish
from pytest_agog.reference.orchestrator.running.control import ADVANCE
from pytest_agog.reference.orchestrator.running.orchestrator import Orchestrator
from pytest_agog.reference.orchestrator.settings import OrchestratorSettings
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire.orchestration import CommandRun

CHAINS = 60
REQUIREMENTS = 500
PEERS = 500
OVERHEAD_GOAL = 20.0
DAY_GOAL = 30.0
START = datetime(2026, 3, 2, 6, 1, tzinfo=UTC)
AGENTS = ("roy", "jen", "database")


def run() -> list[Result]:
    """Both, each on a server of its own."""
    results = []
    for measure in (_overhead, _day):
        with tempfile.TemporaryDirectory() as folder, NatsServer(Path(folder) / "nats") as server:
            results.append(asyncio.run(measure(server.url)))
    return results


class Agents:
    """Answers every spawn, and notes when results went out and when the next spawn came."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._answered: dict[str, float] = {}
        self.overheads: list[float] = []
        """Seconds from a result to the next spawn of the same requirement."""

    async def start(self) -> None:
        """Listen."""
        await self._link.nc.subscribe("agog.orchestration.events.stage.started", cb=self._asked)
        await self._link.nc.flush()

    async def _asked(self, message: Any) -> None:
        asked = json.loads(message.data)
        requirement, agent = asked["reqNumber"], asked["agentId"]
        if (since := self._answered.pop(requirement, None)) is not None and asked["stage"] != "review":
            self.overheads.append(time.perf_counter() - since)
        notice = {
            "agent": agent, "req_number": requirement, "status": "COMPLETE", "summary": "done",
            "deliverable": f"nats://agog.deliverables.{agent}.x.{requirement}", "attempt": asked["attempt"],
            "stage": asked["stage"], "tokens": {"reported": 100}, "critique_verdict": "APPROVED",
        }  # fmt: skip
        self._answered[requirement] = time.perf_counter()
        await self._link.nc.jetstream().publish(f"results.{agent}.{requirement}", json.dumps(notice).encode())


async def _accepts(_: Record) -> Judged:
    command = CommandRun(command="tests", exit=0, seconds=0, output_tail="1 passed")
    return Judged(accepted=True, commands=(command,), missing=(), feedback="")


def _settings(url: str, **rules: Any) -> OrchestratorSettings:
    config = Config(orchestrator=OrchestratorConfig.model_validate({"start_at": START, **rules}))
    budget = config.budget.model_copy(
        update={"daily": 10**9, "shares": dict.fromkeys((*AGENTS, "review"), 10**9)}
    )  # fmt: skip
    return OrchestratorSettings(url, config.model_copy(update={"budget": budget}), http=False)


async def _overhead(url: str) -> Result:
    link = await connect(url)
    agents = Agents(link)
    async with Orchestrator(_settings(url, review=False), _accepts) as orchestrator:
        await agents.start()
        for number in range(CHAINS):
            await _submit(link, {"id": f"REQ-{number}", "title": f"API endpoint and service {number}x"})
        await _until(lambda: _complete(orchestrator) == CHAINS)
    peer = await _peer(link)
    await link.close()
    overheads = sorted(1000 * one for one in agents.overheads)
    p99 = overheads[int(len(overheads) * 0.99) - 1]
    return result(
        "orchestrator overhead of a stage, p99", p99, "ms", peer=peer, goal=f"< {OVERHEAD_GOAL:g} ms",
        ok=p99 < OVERHEAD_GOAL,
        note=f"from a result to the next spawn, {len(overheads)} stages, median {statistics.median(overheads):.1f} ms; "
        "the peer writes once with compare-and-set and publishes once",
    )  # fmt: skip


async def _peer(link: Link) -> float:
    bucket = Bucket(link, "peer")
    await bucket.open()
    revision, value, took = 0, b"x" * 2000, []
    for number in range(PEERS):
        began = time.perf_counter()
        revision = await bucket.put("k", value, after=revision)
        await publish(link, "agog.orchestration.events.workflow.started", value, msg_id=f"peer-{number}")
        took.append(1000 * (time.perf_counter() - began))
    return sorted(took)[int(PEERS * 0.99) - 1]


async def _day(url: str) -> Result:
    link = await connect(url)
    agents = Agents(link)
    async with Orchestrator(_settings(url, mode="turns"), _accepts) as orchestrator:
        await agents.start()
        for number in range(REQUIREMENTS):
            needs = [f"REQ-{number - 50}"] if number >= 50 else []
            await _submit(link, {
                "id": f"REQ-{number}", "title": f"Work {number}x", "assignedAgent": AGENTS[number % len(AGENTS)],
                "files": [f"src/{number}.ts"], "dependencies": needs,
            })  # fmt: skip
        await _until(lambda: len(orchestrator.records) == REQUIREMENTS)
        began = time.perf_counter()
        for _ in range(24 * 12):
            await link.nc.request(ADVANCE, b'{"by": 300}', timeout=60)
            await _until(
                lambda: not any(one.running or one.review == "running" for one in orchestrator.records.values())
            )
        took = time.perf_counter() - began
        done = sum(one.review == "passed" for one in orchestrator.records.values())
    await link.close()
    return result(
        f"{REQUIREMENTS} requirements through a virtual day", took, "s", goal=f"< {DAY_GOAL:g} s, all reviewed",
        ok=took < DAY_GOAL and done == REQUIREMENTS, note=f"288 turns; {done} complete and reviewed at its end",
    )  # fmt: skip


def _complete(orchestrator: Orchestrator) -> int:
    return sum(one.state == "COMPLETE" for one in orchestrator.records.values())


async def _submit(link: Link, requirement: dict[str, Any]) -> None:
    await link.nc.jetstream().publish("integration.orchestrator.requirement", json.dumps(requirement).encode())


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - records tell nobody in particular
            await asyncio.sleep(0.005)
