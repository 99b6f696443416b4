"""Listeners on a real nats-server, in this process and as processes of their own, with commands as agents."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.orchestrator.listener.claims import Claim, Claims
from pytest_agog.reference.orchestrator.listener.config import AgentConfig, ListenerConfig
from pytest_agog.reference.orchestrator.listener.listener import Listener
from pytest_agog.reference.orchestrator.listener.settings import ListenerSettings
from pytest_agog.reference.orchestrator.messaging.sending import publish
from pytest_agog.stage.servers.nats import NatsServer

if TYPE_CHECKING:
    from nats.aio.msg import Msg

PATIENCE = 30.0
REQ = "REQ-7"
STARTED = "agog.orchestration.events.stage.started"
REPORT = "# Report\n\nWhat was found, at some length.\n"


PROGRAM = """
import asyncio, json, signal, sys
from pathlib import Path
from pytest_agog.reference.orchestrator.listener.config import AgentConfig, ListenerConfig
from pytest_agog.reference.orchestrator.listener.listener import Listener
from pytest_agog.reference.orchestrator.listener.settings import ListenerSettings

async def main():
    url, folder, agents, rules = json.loads(sys.argv[1])
    settings = ListenerSettings(
        url, {name: AgentConfig(run=words) for name, words in agents.items()},
        rules=ListenerConfig.model_validate({"data": folder + "/data", **rules}), root=Path(folder),
    )
    async with Listener(settings) as listener:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, listener.stop)
        print("ready", flush=True)
        await listener.run()

asyncio.run(main())
"""


def notice(agent: str = "roy", kind: str = "backend", *, req: str = REQ, status: str = "COMPLETE", **more: Any) -> str:
    """A notice on one line."""
    url = f"nats://agog.deliverables.{agent}.{kind}.{req}"
    said = {"agent": agent, "req_number": req, "status": status, "deliverable": url, "summary": "Done."}
    return json.dumps({**said, **more})


def shell(script: str, *, report: str | None = REPORT, said: str | None = None) -> list[str]:
    """A command: leaves a report, runs a script, prints a notice."""
    parts = ['printf %s "$1" > "$AGENT_OUTPUT_DIR/deliverables/report.md"'] if report is not None else []
    parts += [script] if script else []
    parts += ['printf "%s\\n" "$2"'] if said is not None else []
    return ["sh", "-c", "\n".join(parts), "agent", report or "", said or ""]


def python(code: str, *arguments: str) -> list[str]:
    """A command: a Python program that loads nothing of ours."""
    return ["python", "-I", "-S", "-c", code, *arguments]


@dataclass
class Room:
    """NATS, and what is said on it about attempts."""

    link: Link
    server: NatsServer
    folder: Path
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def open(self) -> None:
        for pattern in ("results.>", "errors.>", "agog.orchestration.events.>"):
            await self.link.nc.subscribe(pattern, cb=self._heard)
        await self.link.nc.jetstream().account_info()  # behind the subscriptions, unlike nats-py's flush

    async def _heard(self, message: Msg) -> None:
        if message.subject != STARTED:
            self.said.append((message.subject, json.loads(message.data)))
            self.changed.set()

    # --- listeners ----------------------------------------------------------------------------------------------
    def settings(self, agents: Mapping[str, Any], *, data: str = "data", **rules: Any) -> ListenerSettings:
        """`agents`: by name, the command or the whole table."""
        tables = {name: one if isinstance(one, dict) else {"run": one} for name, one in agents.items()}
        return ListenerSettings(
            self.server.url,
            {name: AgentConfig.model_validate(table) for name, table in tables.items()},
            rules=ListenerConfig.model_validate({"data": str(self.folder / data), **rules}),
            root=self.folder,
        )

    @contextlib.asynccontextmanager
    async def listening(self, agents: Mapping[str, Any], **rules: Any) -> AsyncIterator[Listener]:
        """A listener at work in this process."""
        async with Listener(self.settings(agents, **rules)) as listener:
            task = asyncio.ensure_future(listener.run())
            try:
                yield listener
            finally:
                listener.stop()
                async with asyncio.timeout(PATIENCE):
                    await task

    async def process(self, agents: Mapping[str, Sequence[str]], **rules: Any) -> asyncio.subprocess.Process:
        """A listener as a process, ready."""
        told = json.dumps([self.server.url, str(self.folder), dict(agents), rules])
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, told, stdout=asyncio.subprocess.PIPE
        )
        self.processes.append(process)
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await process.stdout.readline() == b"ready\n"
        return process

    async def close(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)
            if process.stdout is not None:
                await process.stdout.read()
            await process.wait()

    # --- work -----------------------------------------------------------------------------------------------------
    async def start(
        self, agent: str = "roy", stage: str = "backend", *, req: str = REQ, attempt: int = 1, seconds: float = 60.0,
        **context: Any,
    ) -> int:  # fmt: skip
        """Publish `stage.started`; its sequence."""
        said = {
            "eventType": "stage.started", "reqNumber": req, "stage": stage, "agentId": agent, "attempt": attempt,
            "contextData": {"reqNumber": req, "title": "A search", "previousStages": [], **context},
            "timeout": seconds, "timestamp": "2026-01-02T03:04:05Z",
        }  # fmt: skip
        return await self.raw(json.dumps(said).encode(), f"{req}:{stage}:{attempt}:started")

    async def raw(self, payload: bytes, msg_id: str) -> int:
        return (await publish(self.link, STARTED, payload, msg_id=msg_id)).sequence

    async def ask(self, subject: str, value: object) -> dict[str, Any]:
        """A core request."""
        message = await self.link.request(subject, json.dumps(value).encode(), within=PATIENCE)
        answer: dict[str, Any] = json.loads(message.data)
        return answer

    # --- what came of it ---------------------------------------------------------------------------------------------
    def of(self, prefix: str, **fields: Any) -> list[dict[str, Any]]:
        """What was said on subjects that begin so, with these fields."""
        return [
            value for subject, value in self.said
            if subject.startswith(prefix) and fields.items() <= value.items()
        ]  # fmt: skip

    async def heard(self, prefix: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """Wait for messages; the last of them."""
        try:
            async with asyncio.timeout(PATIENCE):
                while len(found := self.of(prefix, **fields)) < count:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            pytest.fail(f"not heard: {count} of {prefix} with {fields}; but {str(self.said)[:1000]}")
        return found[-1]

    async def claim(self, key: str) -> Claim | None:
        return await Claims(self.link).read(key)

    async def until(self, condition: Any, what: str = "") -> None:
        """Poll from outside what nothing notifies of."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = condition()
                if found if isinstance(found, bool) else await found:
                    return
                await asyncio.sleep(0.02)

    async def acked(self, count: int = 0) -> None:
        """Nothing waits for delivery, and `count` messages at most for their ack."""

        async def none_left() -> bool:
            info = await self.link.nc.jetstream().consumer_info("agog_orchestration_events", "host-listener")
            return info.num_pending == 0 and (info.num_ack_pending or 0) == count

        await self.until(none_left)

    def log(self) -> list[str]:
        """The lines that agents wrote to the log."""
        path = self.folder / "log"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    async def logged(self, count: int) -> list[str]:
        await self.until(lambda: len(self.log()) >= count)
        return self.log()


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def most_at_once(lines: Sequence[str]) -> int:
    """The most agents between their `+` and their `-` line."""
    now = most = 0
    for line in lines:
        now += 1 if line.startswith("+") else -1
        most = max(most, now)
    return most


def pid_in(line: str) -> int | None:
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
