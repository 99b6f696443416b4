"""`agog serve`: ingest, events and pages of agent comms against given NATS and Postgres, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pytest_agog.cli.doors import (
    AllReaders,
    OpenMetrics,
    RateLimit,
    Readers,
    TokenFile,
    TrustedProxies,
    door,
    reload_on_hangup,
)
from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsMonitorUrl, NatsUrl, PostgresDsn, checked_dsn
from pytest_agog.errors import ServiceError, UsageError
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from pytest_agog.reference.comms.service import CommsService
    from pytest_agog.reference.comms.settings import CommsSettings

_SHORTEST, _LONGEST = 30, 90
DEFAULT_RETENTION: Final = "30d"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    nats_monitor_url: NatsMonitorUrl = None,
    postgres_dsn: PostgresDsn = None,
    host: Annotated[str, typer.Option("--host", help="Where HTTP listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="HTTP port; 0 takes a free one.", min=0, max=65535)] = 0,
    workers: Annotated[
        int, typer.Option("--workers", help="Ingest workers; they share a consumer.", min=1, max=64)
    ] = 1,
    retention: Annotated[
        str, typer.Option("--retention", help="How long rows are kept: 30d to 90d.")
    ] = DEFAULT_RETENTION,
    artifacts: Annotated[
        Path | None, typer.Option("--artifacts", help="Folder where agents leave logs, a folder per run id.")
    ] = None,
    no_ingest: Annotated[bool, typer.Option("--no-ingest", help="Serve events and pages only.")] = False,
    no_http: Annotated[bool, typer.Option("--no-http", help="Ingest only.")] = False,
    token_file: TokenFile = None,
    rate_limit: RateLimit = None,
    readers: Readers = None,
    all_readers: AllReaders = None,
    trusted_proxies: TrustedProxies = "",
    open_metrics: OpenMetrics = False,
    patience: Annotated[
        str | None,
        typer.Option("--patience", help="End with 3 when it is not ready within this time; without it, keep trying."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Store agent messages and serve them as events and pages, until Ctrl-C or SIGTERM.

    Prints one line when everything is ready; with --json {"http", "nats", "postgres"}, null for what does not run.
    While NATS or Postgres is away it says so on stderr, once, and keeps trying; GET /readyz tells the same.

    Example: agog serve --nats-url nats://127.0.0.1:4222 --postgres-dsn postgresql://localhost/agog --port 8080
    """
    if no_ingest and no_http:
        raise UsageError("--no-ingest and --no-http together leave nothing to do; give one of them")
    if postgres_dsn is None:
        raise UsageError(
            "agog serve needs a Postgres: give --postgres-dsn or DATABASE_URL (`agog up --only postgres` starts one)"
        )
    from pytest_agog.reference.comms.settings import CommsSettings

    settings = CommsSettings(
        nats_url=nats_url, postgres_dsn=checked_dsn(postgres_dsn), nats_creds=nats_creds, host=host, port=port,
        ingest=not no_ingest, http=not no_http, workers=workers, retention=_retention(retention), artifacts=artifacts,
        nats_monitor_url=nats_monitor_url or None,
        door=door(token_file, rate_limit, readers, all_readers, trusted_proxies, open_metrics=open_metrics),
    )  # fmt: skip
    waits = _seconds("--patience", patience) if patience is not None else None
    log_to_stderr()
    asyncio.run(_run(settings, waits, as_json=as_json))


async def _run(settings: CommsSettings, patience: float | None, *, as_json: bool) -> None:
    from pytest_agog.reference.comms.service import CommsService

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    reload_on_hangup(loop, settings.door)
    async with CommsService(settings) as service:
        if await _ready(service, stop, patience):
            _say_ready(service, as_json=as_json)
            await stop.wait()


async def _ready(service: CommsService, stop: asyncio.Event, patience: float | None) -> bool:
    """Whether all parts work, or it was told to stop before they did.

    Raises:
        ServiceError: they did not in time.
    """
    waits = [asyncio.ensure_future(service.wait_ready()), asyncio.ensure_future(stop.wait())]
    try:
        done, _ = await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
    if done:
        return waits[0] in done and not stop.is_set()
    wrong: dict[str, list[str]] = {}
    for part, state in service.readiness().parts.items():
        if state != "ok":
            wrong.setdefault(state, []).append(part)
    told = "; ".join(f"{', '.join(parts)}: {state}" for state, parts in wrong.items())
    raise ServiceError(f"not ready within {patience:g} s: {told}")


def _say_ready(service: CommsService, *, as_json: bool) -> None:
    found = {
        "http": service.http_url,
        "nats": mask(service.settings.nats_url) if service.settings.ingest else None,
        "postgres": mask(service.settings.postgres_dsn),
    }
    if as_json:
        print(json.dumps(found), flush=True)
    else:
        print("ready: " + ", ".join(f"{name} {url}" for name, url in found.items() if url), flush=True)


def _seconds(option: str, text: str) -> float:
    from pytest_agog.values import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None


def _retention(text: str) -> float:
    seconds = _seconds("--retention", text)
    days = seconds / 86_400
    if not _SHORTEST <= days <= _LONGEST:
        raise UsageError(f"--retention {text!r}: rows are kept for {_SHORTEST}d to {_LONGEST}d; give a time in between")
    return seconds


TIMES: Final = "AGOG_LOG_TIMES"
"""Set by `agog up`: each line of a log begins with its time, and `agog logs` merges them."""


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        from pytest_agog.report.text import one_line

        line = f"agog: {one_line(record.getMessage())}"
        if not os.environ.get(TIMES):
            return line
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return f"{when.replace('+00:00', 'Z')} {line}"


def log_to_stderr() -> None:
    """Troubles, a line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    ours = logging.getLogger("pytest_agog")
    ours.handlers[:] = [handler]
    ours.setLevel(logging.WARNING)
    ours.propagate = False
