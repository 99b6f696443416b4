"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_NATS: Final = "nats://127.0.0.1:4222"

NatsUrl = Annotated[str, typer.Option("--nats-url", envvar="NATS_URL", help="NATS server; several with commas.")]
NatsCreds = Annotated[
    Path | None, typer.Option("--nats-creds", envvar="NATS_CREDS", help="Credentials file (user JWT and seed).")
]
PostgresDsn = Annotated[
    str | None, typer.Option("--postgres-dsn", envvar="DATABASE_URL", help="Postgres connection string.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
