"""Where the services of a stage come from. [X4]"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_agog.errors import UsageError

if TYPE_CHECKING:
    from pytest_agog.stage.servers.pgcache import Template
    from pytest_agog.stage.servers.pool import PostgresPool

Backend = Literal["embedded", "cluster", "container", "external"]
BACKENDS: tuple[Backend, ...] = ("embedded", "cluster", "container", "external")


@dataclass(frozen=True)
class StageOptions:
    """Where a stage's services come from."""

    folder: Path
    """An own, empty folder for this scenario's run."""
    backend: str = "embedded"
    """One of `BACKENDS`."""
    nats_url: str | None = None
    """With the external backend."""
    nats_creds: Path | None = None
    """A credentials file for it."""
    postgres: PostgresPool | None = None
    """Where databases come from when there is no DSN."""
    postgres_dsn: str | None = None
    """An external Postgres, with any backend."""
    postgres_template: Template | None = None
    """What a database on it gets first."""
    keep: bool = False
    """Leave the services up at the end."""
    patience: float = 600.0
    """Seconds to wait for the turn on external NATS."""


def check(options: StageOptions) -> None:
    """See that a stage can be made of them.

    Raises:
        UsageError: an unknown backend, or one that lacks its address.
    """
    if options.backend not in BACKENDS:
        raise UsageError(f"there is no backend {options.backend!r} yet; available are {', '.join(BACKENDS)}")
    if options.backend == "external" and not options.nats_url:
        raise UsageError("the external backend needs the address of NATS: give --agog-nats-url or NATS_URL")
