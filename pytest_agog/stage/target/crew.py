"""Orchestrator and host listener of the target, as processes of their own, with one settings file for a play.

The scenario's agents become commands of the listener (`play.casting`), so scripted agents take the same way as real
ones. [O10]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pytest_agog.errors import UsageError
from pytest_agog.ledger.access import Access
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.stage.machine.blocking import blocking
from pytest_agog.stage.needs import needs_listener, needs_orchestrator, roadmap_of
from pytest_agog.stage.servers.services import LeftUp
from pytest_agog.stage.target import doors
from pytest_agog.stage.target.component import Component, at_once
from pytest_agog.stage.target.components import monitored
from pytest_agog.stage.target.parts import CrewParts, Part, PartElsewhere

ORCHESTRATOR, LISTENER = "orchestrator", "listener"
SETTINGS: Final = "agog.json"
MORNING: Final = "T09:00:00Z"
"""Where the orchestrator's clock stands when a play does not say: never in the night's conservation mode."""


class Crew:
    """Instances of orchestrator and listener. Their settings file stands in the play's folder."""

    def __init__(
        self, parts: CrewParts, scenario: Scenario, folder: Path, output: Path, *, keep: bool = False,
        token: str | None = None,
    ) -> None:  # fmt: skip
        self._scenario = scenario
        self._folder = folder / "crew"
        self._output = output
        self._keep = keep
        self.members: dict[str, list[Component]] = {}
        """The instances that are ours."""
        self._elsewhere: dict[str, PartElsewhere] = {}
        services = scenario.services
        if needs_orchestrator(scenario):
            count = services.orchestrator.instances if services.orchestrator else 1
            self._add(ORCHESTRATOR, parts.orchestrator, count)
            if services.orchestrator is not None and services.orchestrator.token:
                for one in self.members.get(ORCHESTRATOR, ()):
                    one.further = doors.environment(token)
        if needs_listener(scenario):
            count = services.listener.instances if services.listener else 1
            self._add(LISTENER, parts.listener, count)

    def _add(self, name: str, part: Part, count: int) -> None:
        if isinstance(part, PartElsewhere):
            if count > 1:
                raise UsageError(f"the {name} is external, so there is one; give a target that starts it (`process:`)")
            self._elsewhere[name] = part
            return
        self.members[name] = [
            Component(
                name if count == 1 else f"{name}-{number}",
                part,
                self._folder / f"{name}-{number}.log",
                outlive=self._keep,
            )
            for number in range(1, count + 1)
        ]

    @property
    def url(self) -> str | None:
        """The HTTP service of the first orchestrator."""
        found = self.members.get(ORCHESTRATOR)
        if found:
            return found[0].url
        elsewhere = self._elsewhere.get(ORCHESTRATOR)
        return elsewhere.url or None if elsewhere is not None else None

    @property
    def left_up(self) -> list[LeftUp]:
        """The instances that stay."""
        return [LeftUp(one.name, one.url, one.pid) for one in self._all() if one.alive]

    def log_tail(self) -> str:
        """The last lines of all instances."""
        return "\n".join(f"{one.name}: {tail}" for one in self._all() if (tail := one.log_tail(5)))

    def roadmap(self, file: str) -> Path:
        """Where the copy of a submitted roadmap stands: `$AGENT_OUTPUT_DIR/roadmap/NAME`.

        Raises:
            UsageError: the orchestrator is external, and reads a roadmap of its own.
        """
        if ORCHESTRATOR in self._elsewhere:
            raise UsageError("the orchestrator is external and reads its own roadmap; submit requirements instead")
        return self._output / "roadmap" / Path(file).name

    # --- up and down ------------------------------------------------------------------------------------------------
    def warm(self) -> None:
        """Begin to load what the instances need, while the services start."""
        from pytest_agog.stage.machine.forkserver import FORK_SERVER, POSSIBLE

        for one in self._all() if POSSIBLE and not self._keep else ():
            if one.part.preload:
                FORK_SERVER.warm(one.part.preload)

    async def start(
        self,
        nats: Access,
        postgres: str | None,
        agents: Mapping[str, Any],
        as_agents: Access | None = None,
        monitor: str = "",
    ) -> None:
        """Write the settings and start all instances.

        `agents` are their tables in the settings; they reach NATS by `as_agents`, the instances by `nats`.

        Raises:
            CommandNotFound, ServiceDidNotStart: one of them did not come up.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / SETTINGS
        # It says how agents reach NATS.
        settings.touch(mode=0o600)
        await blocking(lambda: settings.write_text(json.dumps(self._settings(agents, as_agents or nats))))
        for name, components in self.members.items():
            for number, one in enumerate(components, start=1):
                one.values = {
                    **nats.variables(), "postgres": postgres or "", "instance": str(number), "workers": "1",
                    "config": str(settings),
                }  # fmt: skip
                one.credentials = {**nats.environment(), **monitored(monitor)}
            if name == LISTENER:
                (self._output / "work").mkdir(parents=True, exist_ok=True)
        await at_once(Component.start, self._all())

    async def kill(self, name: str, signal: str, server: int | None) -> None:
        """Send a signal to one instance, counted from 1, or to all.

        Raises:
            UsageError: it is external, or there is no such instance.
        """
        await at_once(lambda one: one.kill(signal), self._chosen(name, server, "killed"))

    async def restart(self, name: str, server: int | None, *, without: bool = False) -> None:
        """Start one instance or all again, each at its address; not until it is ready when it starts `without` NATS.

        Raises:
            UsageError: it is external, or there is no such instance.
            ServiceDidNotStart: it did not come up.
        """
        await at_once(lambda one: one.restart(listens=without), self._chosen(name, server, "restarted"))

    async def stop(self) -> None:
        """End all; idempotent."""
        await at_once(Component.stop, self._all())

    def _all(self) -> list[Component]:
        return [one for components in self.members.values() for one in components]

    def _chosen(self, name: str, server: int | None, done: str) -> list[Component]:
        if name in self._elsewhere:
            raise UsageError(f"the {name} is external and cannot be {done}")
        found = self.members.get(name)
        if not found:
            raise UsageError(f"this play has no {name}; declare `services: {{components: [{name}]}}`")
        if server is None:
            return found
        if server > len(found):
            raise UsageError(f"there is no {name} {server}; `services: {{{name}: {{instances: {server}}}}}` starts it")
        return [found[server - 1]]

    # --- settings ---------------------------------------------------------------------------------------------------
    def _settings(self, agents: Mapping[str, Any], access: Access) -> dict[str, Any]:
        services = self._scenario.services
        orchestrator = dict(services.orchestrator.config) if services.orchestrator else {}
        listener = dict(services.listener.config) if services.listener else {}
        rules = dict(orchestrator.get("orchestrator") or {})
        rules.setdefault("start_at", _this_morning())
        if (file := roadmap_of(self._scenario)) is not None:
            copy = self.roadmap(file)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch()
            rules["roadmap"] = str(copy)
        shown = access.environment()
        known = {name: {**table, "env": {**shown, **table.get("env", {})}} for name, table in agents.items()}
        tables: dict[str, Any] = {
            **orchestrator,
            **listener,
            "orchestrator": rules,
            "agents": known if shown else agents,
        }
        told = {"agent_nats_url": access.url} if access.user else {}
        tables["listener"] = {"data": str(self._output / "work"), **told, **(listener.get("listener") or {})}
        if "gate" in tables:
            tables["gate"] = self._gate(tables["gate"])
        return tables

    def _gate(self, gate: Any) -> Any:
        """The gate's commands run in the scenario's folder, unless they say otherwise."""
        if not isinstance(gate, Mapping) or not isinstance(gate.get("commands"), list):
            return gate
        folder = self._scenario.folder
        commands = [
            {**one, "cwd": str(folder / one.get("cwd", "."))} if isinstance(one, Mapping) else one
            for one in gate["commands"]
        ]
        return {**gate, "commands": commands}


def _this_morning() -> str:
    from datetime import UTC, datetime

    return f"{datetime.now(UTC):%Y-%m-%d}{MORNING}"
