"""What one orchestrator instance is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pytest_agog.reference.doors.settings import DoorSettings
from pytest_agog.reference.orchestrator.config import Config


@dataclass(frozen=True, slots=True)
class OrchestratorSettings:
    """Addresses, files and rules."""

    nats_url: str
    config: Config
    nats_creds: Path | None = None
    nats_monitor_url: str | None = None
    """Monitoring address of NATS, for `/metrics` and health; several are separated by commas. [C11]"""
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
    door: DoorSettings = field(default_factory=DoorSettings)
    """Who may ask by HTTP, and how often. [C10]"""
    replicas: int | None = None
    """Of streams and state bucket, when they are created; without it three in a cluster, else one."""
