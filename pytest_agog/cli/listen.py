"""`agog listen`: runs agents for the orchestrator, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsUrl
from pytest_agog.cli.serve import log_to_stderr
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.listener.settings import ListenerSettings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("listen")(listen)


def listen(
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings; agog.toml in this folder, if there is one.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", help="Agents at the same time.", min=1, max=256)
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder for locks and outputs; .agog/listener beside the settings.")
    ] = None,
    agent_nats_url: Annotated[
        str | None,
        typer.Option(
            "--agent-nats-url",
            envvar="AGOG_AGENT_NATS_URL",
            help="NATS_URL of agents, with the agents' user and password where there are any.",
        ),
    ] = None,
    agent_nats_creds: Annotated[
        Path | None,
        typer.Option("--agent-nats-creds", envvar="AGOG_AGENT_NATS_CREDS", help="NATS_CREDS of agents."),
    ] = None,
    agent_nats_nkey: Annotated[
        Path | None, typer.Option("--agent-nats-nkey", envvar="AGOG_AGENT_NATS_NKEY", help="NATS_NKEY of agents.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run an agent for every stage.started on the stream, as [agents.NAME] of the settings says, until SIGTERM.

    Prints one line when it is ready; with --json {"nats", "agents", "data"}. Several may run side by side. When one is
    stopped its agents are killed, and another one runs them again. Agents get the credentials that are given for them,
    never the listener's own.

    Example: agog listen --nats-url nats://127.0.0.1:4222 --config agog.toml
    """
    from pytest_agog.reference.orchestrator.config import NAME, load
    from pytest_agog.reference.orchestrator.listener.settings import ListenerSettings

    if config is None and Path(NAME).is_file():
        config = Path(NAME)
    read = load(config)
    changes = {
        "concurrency": concurrency if concurrency is not None else read.listener.concurrency,
        "data": str(data.absolute()) if data is not None else read.listener.data,
        "agent_nats_url": agent_nats_url or read.listener.agent_nats_url,
        "agent_nats_creds": _whole(agent_nats_creds) or read.listener.agent_nats_creds,
        "agent_nats_nkey": _whole(agent_nats_nkey) or read.listener.agent_nats_nkey,
    }
    settings = ListenerSettings(
        nats_url=nats_url, nats_creds=nats_creds, agents=read.agents,
        rules=read.listener.model_copy(update=changes), root=config.parent if config is not None else Path(),
    )  # fmt: skip
    log_to_stderr()
    asyncio.run(_run(settings, as_json=as_json))


def _whole(path: Path | None) -> str | None:
    return str(path.absolute()) if path is not None else None


async def _run(settings: ListenerSettings, *, as_json: bool) -> None:
    from pytest_agog.reference.orchestrator.listener.listener import Listener

    loop = asyncio.get_running_loop()
    async with Listener(settings) as listener:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, listener.stop)
        found = {"nats": mask(settings.nats_url), "agents": sorted(settings.agents), "data": str(settings.data)}
        if as_json:
            print(json.dumps(found), flush=True)
        else:
            agents = ", ".join(found["agents"]) or "no agents"
            print(f"ready: nats {found['nats']}, {agents}", flush=True)
        await listener.run()
