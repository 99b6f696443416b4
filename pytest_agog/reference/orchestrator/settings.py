"""What one orchestrator instance is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_agog.reference.orchestrator.config import Config


@dataclass(frozen=True, slots=True)
class OrchestratorSettings:
    """Addresses, files and rules."""

    nats_url: str
    config: Config
    nats_creds: Path | None = None
    postgres_dsn: str | None = None
    """For memory; without it nothing is remembered."""
    roadmap: Path | None = None
    root: Path = Path()
    """The folder that the gate's commands run in: the project's."""
    file: Path | None = None
    """The settings file itself; the gate protects it."""
    host: str = "127.0.0.1"
    port: int = 0
    http: bool = True
    replicas: int = 1
    """Of the state bucket, when it is created."""
