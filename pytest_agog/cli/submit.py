"""`agog submit`: hand requirements to the orchestrator."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsUrl
from pytest_agog.errors import BadInput, UsageError

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.intake.stated import Stated


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("submit")(submit)


def submit(
    file: Annotated[
        Path | None,
        typer.Argument(help="JSON (a requirement, a list, GitHub issues), a roadmap, or - for JSON on stdin."),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="One requirement, by its title.")] = None,
    identity: Annotated[str | None, typer.Option("--id", help="Its id; a new one otherwise.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Who does it; routing decides otherwise.")] = None,
    priority: Annotated[str | None, typer.Option("--priority", help="CRITICAL, HIGH, MEDIUM or LOW.")] = None,
    depends_on: Annotated[
        list[str] | None, typer.Option("--depends-on", help="An id that must be complete first; repeatable.")
    ] = None,
    files: Annotated[list[str] | None, typer.Option("--file", help="A file it will touch; repeatable.")] = None,
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    as_json: Json = False,
) -> None:
    """Submit requirements; each is on the stream when this returns, whether an orchestrator runs or not.

    What cannot be read is told on stderr, with its line; the rest is submitted, and the exit status is 2.

    Example: agog submit --title "Add an endpoint for stock transactions" --priority HIGH
    """
    given = {
        "id": identity, "title": title, "assignedAgent": agent, "priority": priority,
        "dependencies": depends_on, "files": files,
    }  # fmt: skip
    single = {name: value for name, value in given.items() if value}
    if (file is None) == (title is None) or (file is not None and single):
        raise UsageError("give a file, or --title with what belongs to one requirement")
    stated, wrong = _read(file, single)
    sent = asyncio.run(_send(stated, nats_url, nats_creds)) if stated else []
    if as_json:
        print(json.dumps(sent))
    else:
        for one in sent:
            print(f"{one['id']}  {one['title']}" if one["new"] else f"{one['id']}  was submitted before")
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        raise typer.Exit(BadInput.exit_code)


def _read(file: Path | None, single: dict[str, Any]) -> tuple[list[Stated], list[str]]:
    from pytest_agog.reference.orchestrator.intake.ids import new_id
    from pytest_agog.reference.orchestrator.intake.objects import read_object, stated_id
    from pytest_agog.reference.orchestrator.intake.requests import read_json
    from pytest_agog.reference.orchestrator.intake.sources import read_files

    if file is None:
        return [read_object(single, identity=None if stated_id(single) else new_id())], []
    taken = read_json(sys.stdin.buffer.read(), name="stdin") if str(file) == "-" else read_files([file])
    return list(taken.requirements), [str(one) for one in taken.unreadable]


async def _send(stated: list[Stated], nats_url: str, nats_creds: Path | None) -> list[dict[str, Any]]:
    from pytest_agog.reference.deliverables.connecting import connect
    from pytest_agog.reference.orchestrator.submitting import submit_one

    link = await connect(nats_url, creds=nats_creds)
    try:
        return [{"id": one.id, "title": one.title, "new": await submit_one(link, one)} for one in stated]
    finally:
        await link.close()
