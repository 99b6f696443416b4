"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from pytest_agog.errors import BadInput
from pytest_agog.masking import mask

DEFAULT_NATS: Final = "nats://127.0.0.1:4222"

NatsUrl = Annotated[
    str,
    typer.Option(
        "--nats-url", envvar="NATS_URL",
        help="NATS server; several with commas; may hold user:password; tls:// asks for TLS. NATS_CA names the "
        "authority's certificate.",
    ),
]  # fmt: skip
NatsCreds = Annotated[
    Path | None,
    typer.Option(
        "--nats-creds", envvar="NATS_CREDS",
        help="Credentials file (user JWT and seed); or NATS_NKEY names an nkey's seed file.",
    ),
]  # fmt: skip
NatsMonitorUrl = Annotated[
    str | None,
    typer.Option(
        "--nats-monitor-url", envvar="NATS_MONITOR_URL",
        help="Monitoring address of NATS (http://host:8222), several with commas: its figures join /metrics.",
    ),
]  # fmt: skip
PostgresDsn = Annotated[
    str | None, typer.Option("--postgres-dsn", envvar="DATABASE_URL", help="Postgres connection string.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def checked_dsn(dsn: str) -> str:
    """`dsn`, which Postgres's own library can read.

    Raises:
        BadInput: it cannot.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(dsn)
    except ProgrammingError as error:
        reason = " ".join(str(error).split())
        raise BadInput(
            f"{mask(dsn)!r} is no connection string of Postgres ({mask(reason)}). Write it as "
            "postgresql://user:password@host:port/database, in --postgres-dsn or DATABASE_URL."
        ) from None
    return dsn
