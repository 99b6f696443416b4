"""Workers, Postgres and NATS are killed at random moments under load: nothing that was acknowledged is lost or doubled,
and every reader sees every row once, in order.

Too heavy for every run: `pytest tests/reference/comms/storm.py`, with `AGOG_STORMS=10` for ten seeds instead of one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import nats.errors
import pytest

from pytest_agog.stage.nats import NatsServer
from pytest_agog.stage.postgres import PostgresServer
from tests.reference.comms.conftest import SUBJECT, Comms

SEEDS = range(1, int(os.environ.get("AGOG_STORMS", "1")) + 1)
BLOWS = 5


class Service:
    """One `agog serve`, killed and started again on the same port."""

    def __init__(self, comms: Comms) -> None:
        self._settings = comms.settings
        self._port = "0"
        self.url = ""
        self._process: subprocess.Popen[str]

    async def start(self) -> None:
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest_agog", "serve", "--json", "--port", self._port],
            env={**os.environ, "NATS_URL": self._settings.nats_url, "DATABASE_URL": self._settings.postgres_dsn},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["http"]
        self._port = self.url.rpartition(":")[2]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


async def read(url: str, chance: random.Random, ids: list[int]) -> None:
    """Read events into `ids`, dropping the connection now and then, for ever."""
    async with httpx.AsyncClient(timeout=httpx.Timeout(5, read=12), trust_env=False) as client:
        while True:
            headers = {"Last-Event-ID": str(ids[-1])} if ids else {}
            with contextlib.suppress(httpx.HTTPError):
                async with client.stream("GET", url, headers=headers) as answer:
                    left = chance.randint(20, 400) if answer.status_code == 200 else 0
                    async for line in answer.aiter_lines():
                        if line.startswith("id: "):
                            ids.append(int(line.removeprefix("id: ")))
                            left -= 1
                        if left <= 0:
                            break
            await asyncio.sleep(0.02)


async def publish(comms: Comms, name: int, acked: set[str], stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        message = f"{name}-{number}"
        try:
            await comms.js.publish(SUBJECT, json.dumps({"id": message, "run_id": "r", "content": message}).encode())
        except (nats.errors.Error, OSError):
            await asyncio.sleep(0.02)
        else:
            acked.add(message)


async def blows(
    chance: random.Random, services: Sequence[Service], server: NatsServer, postgres: PostgresServer
) -> None:
    for _ in range(BLOWS):
        await asyncio.sleep(chance.uniform(0.05, 0.4))
        away = chance.uniform(0, 0.3)
        match chance.choice(("worker", "worker", "postgres", "nats")):
            case "worker":
                service = chance.choice(services)
                service.kill()
                await asyncio.sleep(away)
                await service.start()
            case "postgres":
                await asyncio.to_thread(postgres.kill, "KILL")
                await asyncio.sleep(away)
                await asyncio.to_thread(postgres.restart)
            case "nats":
                await asyncio.to_thread(server.kill, "KILL")
                await asyncio.sleep(away)
                await asyncio.to_thread(server.restart)


@pytest.fixture
def own_postgres(tmp_path: Path) -> PostgresServer:
    """Not shared: it is killed."""
    return PostgresServer(tmp_path / "postgres")


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_storm(comms: Comms, server: NatsServer, own_postgres: PostgresServer, seed: int) -> None:
    chance = random.Random(seed)
    with own_postgres as postgres:
        comms.settings = type(comms.settings)(server.url, postgres.create_database("storm"))
        await comms.with_consumer(ack_wait=2.0)
        services = [Service(comms), Service(comms)]
        await asyncio.gather(*(service.start() for service in services))
        acked: set[str] = set()
        seen: list[list[int]] = [[] for _ in range(4)]
        stop = asyncio.Event()
        readers = [
            asyncio.create_task(
                read(f"{services[place % 2].url}/api/agents/events?runId=r", random.Random(seed * 100 + place), ids)
            )
            for place, ids in enumerate(seen)
        ]
        publishers = [asyncio.create_task(publish(comms, name, acked, stop)) for name in range(3)]
        try:
            await blows(chance, services, server, postgres)
            stop.set()
            await asyncio.gather(*publishers)
            await comms.acked()
            rows = comms.rows("SELECT seq, content FROM workflow_comms.agent_messages ORDER BY seq")
            await comms.until(lambda: all(ids and ids[-1] == rows[-1][0] for ids in seen))
        finally:
            for task in (*readers, *publishers):
                task.cancel()
            await asyncio.gather(*readers, *publishers, return_exceptions=True)
            for service in services:
                service.kill()
        contents = [content for _, content in rows]
        assert acked <= set(contents)
        assert len(contents) == len(set(contents))
        assert seen == [[seq for seq, _ in rows]] * len(seen)
