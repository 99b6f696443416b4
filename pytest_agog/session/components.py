"""Agent comms and the orchestrator for a Python test: processes of their own, on the test's NATS and Postgres."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_agog.stage.target.component import Component
from pytest_agog.stage.target.parts import PartProcess
from pytest_agog.stage.target.targets import REFERENCE_COMMS, REFERENCE_CREW


@dataclass(frozen=True)
class Service:
    """A component that runs, by address."""

    url: str
    """Its HTTP service."""
    component: Component
    """The process, to kill and restart."""


@contextlib.contextmanager
def comms(nats_url: str, dsn: str, folder: Path, *, workers: int = 1) -> Iterator[Service]:
    """Agent comms.

    Raises:
        ServiceDidNotStart: it did not come up.
    """
    component = Component("comms", REFERENCE_COMMS, folder / "comms.log")
    component.values = {"nats": nats_url, "postgres": dsn, "workers": str(workers), "instance": "1"}
    with component:
        yield Service(component.url, component)


@contextlib.contextmanager
def orchestrator(
    nats_url: str, folder: Path, settings: Mapping[str, Any], *, cwd: Path, dsn: str | None = None
) -> Iterator[Service]:
    """An orchestrator with a host listener. `settings` are the tables of `agog.toml`; agents run in `cwd`.

    Raises:
        ServiceDidNotStart: one of them did not come up.
    """
    file = folder / "agog.json"
    agents = {name: {"cwd": str(cwd), **agent} for name, agent in dict(settings.get("agents") or {}).items()}
    listener = {"data": str(folder / "listener"), **dict(settings.get("listener") or {})}
    file.write_text(json.dumps({**settings, "agents": agents, "listener": listener}))
    values = {"nats": nats_url, "postgres": dsn or "", "workers": "1", "instance": "1", "config": str(file)}
    with contextlib.ExitStack() as stack:
        for name, part in (("listener", REFERENCE_CREW.listener), ("orchestrator", REFERENCE_CREW.orchestrator)):
            assert isinstance(part, PartProcess)
            component = Component(name, part, folder / f"{name}.log")
            component.values = dict(values)
            stack.enter_context(component)
        yield Service(component.url, component)
