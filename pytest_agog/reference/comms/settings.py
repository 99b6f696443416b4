"""How one comms service is set up: which services it uses, and which halves of it run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pytest_agog.reference.doors.settings import DoorSettings

STREAM: Final = "agent-comms"
CONSUMER: Final = "jangar-agent-comms"
DAY: Final = 86_400.0


@dataclass(frozen=True)
class CommsSettings:
    """What `agog serve` is told."""

    nats_url: str
    postgres_dsn: str
    nats_creds: Path | None = None
    nats_monitor_url: str | None = None
    """Monitoring address of NATS, for `/metrics` and health; several are separated by commas. [C11]"""
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    ingest: bool = True
    """Whether messages are stored."""
    http: bool = True
    """Whether events API and pages are served."""
    workers: int = 1
    """Ingest workers in this process; they share one consumer. [C5]"""
    retention: float = 30 * DAY
    """Seconds for which rows are kept: 30 to 90 days. [C6]"""
    artifacts: Path | None = None
    """Where agents leave their logs, a folder per run id; backfill on run-complete reads them. [C9]"""
    door: DoorSettings = field(default_factory=DoorSettings)
    """Who may ask by HTTP, and how often. [C10]"""
    stream: str = STREAM
    consumer: str = CONSUMER
