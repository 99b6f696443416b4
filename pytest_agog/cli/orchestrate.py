"""`agog orchestrate`: takes requirements in, decides who does what, gates their work, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_agog.cli.doors import (
    OpenMetrics,
    RateLimit,
    TokenFile,
    TrustedProxies,
    door,
    reload_on_hangup,
)
from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsMonitorUrl, NatsUrl, PostgresDsn
from pytest_agog.cli.serve import log_to_stderr
from pytest_agog.errors import UsageError
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.settings import OrchestratorSettings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("orchestrate")(orchestrate)


def orchestrate(
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    nats_monitor_url: NatsMonitorUrl = None,
    postgres_dsn: PostgresDsn = None,
    roadmap: Annotated[
        Path | None, typer.Option("--roadmap", help="The roadmap that is read, and whose statuses are kept.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings; agog.toml in this folder, if there is one.")
    ] = None,
    turns: Annotated[
        bool | None, typer.Option("--turns/--continuous", help="Work by turns of half an hour, or as work comes.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where HTTP listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="HTTP port; 0 takes a free one.", min=0, max=65535)] = 0,
    no_http: Annotated[bool, typer.Option("--no-http", help="No page and no metrics.")] = False,
    token_file: TokenFile = None,
    rate_limit: RateLimit = None,
    trusted_proxies: TrustedProxies = "",
    open_metrics: OpenMetrics = False,
    as_json: Json = False,
) -> None:
    """Route requirements, have agents spawned by the host listener, and gate their work, until Ctrl-C or SIGTERM.

    Prints one line when it is ready; with --json {"http", "nats"}. Several may run side by side: they share
    the state in NATS, and one of them leads. The board is at /orchestrator, metrics are at /metrics.

    Example: agog orchestrate --nats-url nats://127.0.0.1:4222 --roadmap plans/roadmap.md --config agog.toml
    """
    from pytest_agog.reference.orchestrator.config import NAME, load
    from pytest_agog.reference.orchestrator.settings import OrchestratorSettings

    if config is None and Path(NAME).is_file():
        config = Path(NAME)
    read = load(config)
    rules = read.orchestrator
    if turns is not None:
        rules = rules.model_copy(update={"mode": "turns" if turns else "continuous"})
    if roadmap is None and rules.roadmap is not None:
        roadmap = (config.parent if config else Path()) / rules.roadmap
    if roadmap is not None and not roadmap.is_file():
        raise UsageError(f"the roadmap {roadmap} is not there; give the path of a Markdown file")
    settings = OrchestratorSettings(
        nats_url=nats_url, nats_creds=nats_creds, nats_monitor_url=nats_monitor_url or None,
        postgres_dsn=postgres_dsn or read.memory.dsn,
        config=read.model_copy(update={"orchestrator": rules}), roadmap=roadmap,
        root=(config.parent if config else Path()).absolute(), file=config.absolute() if config else None,
        host=host, port=port, http=not no_http,
        door=door(token_file, rate_limit, None, None, trusted_proxies, open_metrics=open_metrics),
    )  # fmt: skip
    log_to_stderr()
    asyncio.run(_run(settings, as_json=as_json))


async def _run(settings: OrchestratorSettings, *, as_json: bool) -> None:
    from pytest_agog.reference.orchestrator.service import serving

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    reload_on_hangup(loop, settings.door)
    async with serving(settings) as url:
        found = {"http": url, "nats": mask(settings.nats_url)}
        if as_json:
            print(json.dumps(found), flush=True)
        else:
            print("ready: " + ", ".join(f"{name} {where}" for name, where in found.items() if where), flush=True)
        await stop.wait()
