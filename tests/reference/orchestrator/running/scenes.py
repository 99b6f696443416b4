"""An orchestrator in this process, agents that answer at once, and a gate that says what it is told to.

The host listener and the gate have tests of their own, with real commands; here they would only take time.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.orchestrator.config import Config
from pytest_agog.reference.orchestrator.engine.config import OrchestratorConfig
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.planning.config import BudgetConfig
from pytest_agog.reference.orchestrator.running.control import ADVANCE
from pytest_agog.reference.orchestrator.running.orchestrator import Orchestrator
from pytest_agog.reference.orchestrator.settings import OrchestratorSettings
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire.orchestration import CommandRun

PATIENCE = 30.0
START = "2026-03-02T09:01:00Z"
Says = Callable[[dict[str, Any]], dict[str, Any] | None]
"""What an agent says to a `stage.started`: fields of its notice, or None when it says nothing."""


def _nothing_in_particular(_: dict[str, Any]) -> dict[str, Any]:
    return {}


@dataclass
class Host:
    """Answers every spawn, and keeps what was asked of it."""

    link: Link
    agents: dict[str, Says] = field(default_factory=dict)
    spawned: list[tuple[str, str, int]] = field(default_factory=list)
    """Requirement, stage and attempt, in order."""

    async def start(self) -> Host:
        await self.link.nc.subscribe("agog.orchestration.events.stage.started", cb=self._asked)
        await self.link.nc.flush()
        return self

    async def _asked(self, message: Any) -> None:
        asked = json.loads(message.data)
        self.spawned.append((asked["reqNumber"], asked["stage"], asked["attempt"]))
        says = self.agents.get(asked["agentId"], _nothing_in_particular)(asked)
        if says is not None:
            await self.answer(asked, says)

    async def answer(self, asked: dict[str, Any], says: dict[str, Any]) -> None:
        agent, requirement = asked["agentId"], asked["reqNumber"]
        told = {"attempt": asked["attempt"], "stage": asked["stage"]}
        if "error" in says:
            told |= {"reqId": requirement, "agent": agent, "transient": True, "output": "", "timestamp": START} | says
            subject = f"errors.{agent}.{requirement}"
        else:
            told |= {
                "agent": agent, "req_number": requirement, "status": "COMPLETE", "summary": "done",
                "deliverable": f"nats://agog.deliverables.{agent}.x.{requirement}", "tokens": {"reported": 100},
            }  # fmt: skip
            told |= ({"critique_verdict": "APPROVED"} if asked["stage"] == "critique" else {}) | says
            subject = f"results.{agent}.{requirement}"
        await self.link.nc.jetstream().publish(subject, json.dumps(told).encode())


@dataclass
class Scene:
    """An orchestrator, its host, and everything that was published."""

    link: Link
    host: Host
    orchestrator: Orchestrator
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """Payloads by subject."""
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        for subject in ("agog.orchestration.events.>", "agog.strategic.>", "integration.>", "requirements.>"):
            await self.link.nc.subscribe(subject, cb=self._saw)
        await self.link.nc.flush()

    async def _saw(self, message: Any) -> None:
        self.messages[message.subject.removeprefix("agog.orchestration.events.")].append(json.loads(message.data))
        self.came.set()

    async def submit(self, identity: str, title: str = "", **fields: Any) -> None:
        payload = json.dumps({"id": identity, "title": title or f"Work of {identity}", **fields}).encode()
        await self.link.nc.jetstream().publish("integration.orchestrator.requirement", payload)

    async def tell(self, topic: str, payload: dict[str, Any]) -> None:
        await self.link.nc.jetstream().publish(f"integration.orchestrator.{topic}", json.dumps(payload).encode())

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds` does, looking whenever a record changed or a message came."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self.came.clear()
                await asyncio.wait([asyncio.ensure_future(self.came.wait())], timeout=0.05)

    def record(self, identity: str) -> Record:
        found: Record = self.orchestrator.records[identity]
        return found

    async def state(self, identity: str, state: str) -> Record:
        await self.until(lambda: identity in self.orchestrator.records and self.record(identity).state == state)
        return self.record(identity)

    async def advance(self, minutes: float) -> dict[str, Any]:
        message = await self.link.nc.request(ADVANCE, json.dumps({"by": minutes * 60}).encode(), timeout=PATIENCE)
        answer: dict[str, Any] = json.loads(message.data)
        return answer


async def accepts(record: Record) -> Judged:
    """A gate that accepts everything."""
    return Judged(True, (CommandRun(command="tests", exit=0, seconds=0, output_tail="1 passed"),), (), "")


def settings(url: str, rules: dict[str, Any] | None = None, budget: dict[str, Any] | None = None,
             **changes: Any) -> OrchestratorSettings:  # fmt: skip
    config = Config(
        orchestrator=OrchestratorConfig.model_validate({"start_at": START, **(rules or {})}),
        budget=BudgetConfig.model_validate(budget or {}),
    )  # fmt: skip
    return OrchestratorSettings(url, config, http=False, **changes)


@asynccontextmanager
async def scene(
    link: Link, url: str, *, rules: dict[str, Any] | None = None, budget: dict[str, Any] | None = None,
    judge: Any = accepts, agents: dict[str, Says] | None = None, **changes: Any,
) -> AsyncIterator[Scene]:  # fmt: skip
    """An orchestrator that leads."""
    host = await Host(link, agents or {}).start()
    async with Orchestrator(settings(url, rules, budget, **changes), judge) as orchestrator:
        made = Scene(link, host, orchestrator)
        await made.watch()
        await made.until(lambda: orchestrator.desk.leading.leads)
        yield made
