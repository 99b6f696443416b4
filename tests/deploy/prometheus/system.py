"""The whole reference system as commands, for a real Prometheus to look at."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nats

from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer

SUBJECT = "argo.workflow.ns.flow.uid-1.agent.roy.message"


class Process:
    """An `agog` command that prints one line when it is ready; killed by `stop`."""

    def __init__(self, words: list[str], environment: dict[str, str], folder: Path) -> None:
        self.words = words
        self._environment = environment
        self._folder = folder
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> str | None:
        """Until it is ready; its HTTP address without the scheme."""
        with (self._folder / f"{self.words[0]}.log").open("ab") as log:
            self._running = subprocess.Popen(
                [sys.executable, "-m", "pytest_agog", *self.words, "--json"],
                env=self._environment, stdout=subprocess.PIPE, stderr=log, cwd=self._folder,
            )  # fmt: skip
        assert self._running.stdout is not None
        line = self._running.stdout.readline()
        assert line, (self._folder / f"{self.words[0]}.log").read_text()
        http = json.loads(line).get("http")
        return None if http is None else http.removeprefix("http://")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Not gently."""
        if self._running is not None:
            self._running.send_signal(number)
            if number == signal.SIGKILL:
                self._running.wait()
                if self._running.stdout is not None:
                    self._running.stdout.close()
                self._running = None


class System:
    """NATS, Postgres, comms, orchestrator and listener."""

    def __init__(self, server: NatsServer, comms: Process, targets: dict[str, str]) -> None:
        self._server = server
        self.comms = comms
        self.targets = targets
        """Job to address."""

    def publish(self, number: int, name: str) -> None:
        """So many messages, each acknowledged."""

        async def work() -> None:
            client = await nats.connect(self._server.url)
            js = client.jetstream()
            for one in range(number):
                await js.publish(SUBJECT, json.dumps({"message_id": f"{name}-{one}", "content": "x"}).encode())
            await client.close()

        asyncio.run(work())


@contextmanager
def system(folder: Path) -> Iterator[System]:
    """All of it, ready."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        server = stack.enter_context(NatsServer(folder / "nats"))
        postgres = stack.enter_context(PostgresServer(folder / "postgres"))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("NATS_", "AGOG_"))} | {
            "NATS_URL": server.url, "NATS_MONITOR_URL": server.monitor_url,
            "DATABASE_URL": postgres.create_database("agog"),
        }  # fmt: skip
        parts = [Process([name], environment, folder) for name in ("serve", "orchestrate", "listen")]
        for part in parts:
            stack.callback(part.kill)
        comms, orchestrator, listener = parts
        addresses = [orchestrator.start(), comms.start()]
        listener.start()
        assert addresses[0] is not None
        assert addresses[1] is not None
        comms.words += ["--port", addresses[1].rpartition(":")[2]]  # it comes back where it was
        yield System(server, comms, {"agog-orchestrator": addresses[0], "agog-comms": addresses[1]})
