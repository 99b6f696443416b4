"""What one host listener is started with."""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.listener.config import AgentConfig, ListenerConfig

DATA: Final = Path(".agog") / "listener"
"""Where locks and outputs are, under the project's root, unless something else is said."""
SCRIPTS: Final = sysconfig.get_path("scripts")


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Addresses, agents and rules."""

    nats_url: str
    agents: Mapping[str, AgentConfig]
    nats_creds: Path | None = None
    rules: ListenerConfig = field(default_factory=ListenerConfig)
    root: Path = Path()
    """What relative paths of the settings stand for: the folder of the settings file."""
    replicas: int | None = None
    """Of the claims' bucket, when it is created; without it three in a cluster, else one."""

    @property
    def data(self) -> Path:
        """The folder for locks and outputs."""
        return (self.root / (self.rules.data or DATA)).absolute()

    @property
    def agent_nats_url(self) -> str | None:
        """NATS as agents find it, when it is not where the listener does."""
        return self.rules.agent_nats_url

    @property
    def agent_nats_creds(self) -> Path | None:
        """The credentials that agents get."""
        return self._file(self.rules.agent_nats_creds)

    @property
    def agent_nats_nkey(self) -> Path | None:
        """The nkey that agents get."""
        return self._file(self.rules.agent_nats_nkey)

    def _file(self, found: str | None) -> Path | None:
        return (self.root / found).absolute() if found else None

    def folder_of(self, agent: AgentConfig) -> Path:
        """Where an agent runs."""
        return (self.root / (agent.cwd or ".")).absolute()


_PYTHON: Final = re.compile(r"python3?", re.ASCII)


def resolve(words: list[str], folder: Path, path: str) -> list[str]:
    """The command with its program as an absolute path: `python` and `agog` are the listener's own.

    Raises:
        BadInput: there is no such program.
    """
    first, *rest = words
    if _PYTHON.fullmatch(first):
        return [sys.executable, *rest]
    if first == "agog":
        return [sys.executable, "-m", "pytest_agog", *rest]
    if "/" in first:
        first = str(folder / first)
    found = shutil.which(first, path=path)
    if found is None:
        raise BadInput(f"there is no program {words[0][:200]!r} that can be run; correct [agents.NAME] run, or PATH")
    return [found, *rest]
