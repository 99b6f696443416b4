"""`agog logs`: what all parts wrote, by time. [X5]"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_agog.cli.console import print_line
from pytest_agog.errors import Exit, UsageError
from pytest_agog.masking import hide, known_secrets

if TYPE_CHECKING:
    from pytest_agog.reference.operations.logs import Line

_COMPOSE = "compose.yaml"
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("logs")(logs)


def logs(
    data: Annotated[
        Path | None, typer.Option("--data", envvar="AGOG_DATA", help="The folder of `agog up --data`.")
    ] = None,
    compose: Annotated[
        Path | None, typer.Option("--compose", help="A compose file: the logs of its containers.")
    ] = None,
    part: Annotated[
        list[str] | None, typer.Option("--part", help="Only this part, such as comms or nats; can be repeated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Only what is not older: 10m, 2h, or a time (RFC 3339).")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line: time, part, text.")] = False,
) -> int:
    """Gather the logs of all parts: NATS, Postgres, agent comms, orchestrator and host listener, merged by time.

    Secrets are masked. Without --data and --compose, the containers of compose.yaml in this folder.

    Example: agog logs --data .agog --since 10m --part comms --part nats
    """
    from pytest_agog.reference.operations.logs import beginning

    if data is not None and compose is not None:
        raise UsageError("Give one of --data and --compose: a system runs here or in containers.")
    start = beginning(since, datetime.now(UTC)) if since else None
    stop = _Stop()
    if follow:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop.now)
    try:
        # What services were given by name is often what we are given, too; they may print it without a name.
        secrets = known_secrets(os.environ)
        for line in _lines(data, compose, part or [], start, stop, following=follow):
            text = hide(line.text.encode("utf-8", "surrogatepass"), secrets).decode("utf-8", "surrogatepass")
            _print(replace(line, text=text), as_json=as_json)
    except KeyboardInterrupt:
        if not follow:
            raise
    return Exit.OK


class _Stop:
    def __init__(self) -> None:
        self.asked = False

    def now(self, *_: object) -> None:
        """Ends what waits, too."""
        self.asked = True
        raise KeyboardInterrupt


def _lines(
    data: Path | None, compose: Path | None, parts: list[str], start: datetime | None, stop: _Stop, *, following: bool
) -> Iterator[Line]:
    from pytest_agog.reference.operations import logs as gathering

    if data is None:
        if compose is None and not Path(_COMPOSE).is_file():
            raise UsageError(
                "Nobody says where the logs are. Give the folder of `agog up --data` with --data, or a compose file "
                "with --compose."
            )
        return gathering.containers(
            compose or Path(_COMPOSE), parts, start, following=following, stopped=lambda: stop.asked
        )
    found = gathering.files(data, parts)
    if following:
        return gathering.follow(found, start, lambda: stop.asked)
    return gathering.merged(found, start)


def _print(line: Line, *, as_json: bool) -> None:
    when = line.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if as_json:
        print(json.dumps({"time": when, "part": line.part, "text": line.text}), flush=True)
        return
    if not sys.stdout.isatty():
        print_line(f"{when} {line.part:<12} {line.text}")
        sys.stdout.flush()
        return
    from rich.console import Console
    from rich.text import Text

    from pytest_agog.report.text import one_line

    colour = _COLOURS[sum(line.part.encode()) % len(_COLOURS)]
    Console(soft_wrap=True).print(
        Text.assemble((when, "dim"), " ", (f"{line.part:<12}", colour), " ", one_line(line.text))
    )
