"""`agog dashboard`: who works at what, what waits for whom, and how it goes. [O18]"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pytest_agog.cli.options import DEFAULT_NATS, NatsCreds, NatsUrl
from pytest_agog.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from pytest_agog.reference.orchestrator.board.following import Following
    from pytest_agog.reference.orchestrator.board.model import Board
    from pytest_agog.reference.orchestrator.engine.config import BreakerConfig
    from pytest_agog.reference.orchestrator.planning.config import BudgetConfig

_SETTINGS: Final = "agog.toml"
_TICK: Final = 1.0
"""Seconds after which a live board is drawn again though no record changed: times go on."""
_PAUSE: Final = 0.1
"""Seconds at least between two drawings."""
_CONSUMERS: Final = 5
"""Ticks between two looks at the consumers."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dashboard")(dashboard)


def dashboard(
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings with the budget; agog.toml in this folder, if any.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    as_queue: Annotated[bool, typer.Option("--queue", help="The queues by priority, as JSON.")] = False,
    as_text: Annotated[bool, typer.Option("--text", help="Plain text, as without any option.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Markdown.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Follow along until Ctrl-C; once where there is no tty.")
    ] = False,
) -> None:
    """Show the orchestrator's board, as the state in NATS has it; no orchestrator has to run for that.

    Example: agog dashboard --live
    """
    if sum((as_json, as_queue, as_text, as_markdown, live)) > 1:
        raise UsageError("--json, --queue, --text, --markdown and --live are different views; give one of them")
    form = "json" if as_json else "queue" if as_queue else "markdown" if as_markdown else "text"
    rules = _rules(config)
    asyncio.run(_show(nats_url, nats_creds, rules, form, live=live and sys.stdout.isatty()))


def _rules(config: Path | None) -> tuple[BudgetConfig, BreakerConfig]:
    """Budget and breakers as the orchestrator was set up with; the defaults without a file."""
    from pytest_agog.reference.orchestrator.engine.config import BreakerConfig
    from pytest_agog.reference.orchestrator.planning.config import BudgetConfig

    if config is None and not Path(_SETTINGS).is_file():
        return BudgetConfig(), BreakerConfig()
    from pytest_agog.reference.orchestrator.config import load

    read = load(config or Path(_SETTINGS))
    return read.budget, read.orchestrator.breaker


async def _show(
    nats_url: str, nats_creds: Path | None, rules: tuple[BudgetConfig, BreakerConfig], form: str, *, live: bool
) -> None:
    from pytest_agog.reference.orchestrator.board.board import board

    async with _following(nats_url, nats_creds, *rules) as following:
        if live:
            await _live(following)
        else:
            print(_formed(board(following.situation()), form), end="")


@contextlib.asynccontextmanager
async def _following(
    nats_url: str, nats_creds: Path | None, budget: BudgetConfig, breaker: BreakerConfig
) -> AsyncIterator[Following]:
    from pytest_agog.reference.deliverables.connecting import connect
    from pytest_agog.reference.orchestrator.board.following import Following

    link = await connect(nats_url, creds=nats_creds)
    try:
        following = Following(link, budget, breaker=breaker)
        await following.open()
        try:
            yield following
        finally:
            await following.close()
    finally:
        await link.close()


def _formed(board: Board, form: str) -> str:
    from pytest_agog.reference.orchestrator.board.markdown import markdown
    from pytest_agog.reference.orchestrator.board.text import WIDTH, text

    if form == "markdown":
        return markdown(board)
    if form == "text":
        width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
        return text(board, width=max(width, WIDTH // 2), shown=sys.maxsize)
    plain = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
    value = board.queue() if form == "queue" else board.as_json()
    return json.dumps(value, ensure_ascii=not plain, indent=2) + "\n"


# --- live -------------------------------------------------------------------------------------------------------------
async def _live(following: Following) -> None:
    """Draw whenever something changed, until it is told to stop; the terminal is then as it was before."""
    from rich.console import Console
    from rich.live import Live

    console, stop = Console(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    reading = asyncio.ensure_future(following.follow())
    try:
        with Live(console=console, screen=True, auto_refresh=False) as screen:
            ticks = 0
            while not stop.is_set() and not reading.done():
                following.changed.clear()
                screen.update(_drawn(following, console), refresh=True)
                await _first(stop, within=_PAUSE)  # a storm of changes is drawn ten times a second
                await _first(following.changed, stop, within=_TICK)
                ticks += 1
                if ticks % _CONSUMERS == 0 and not stop.is_set():
                    await following.look_at_consumers()
        if reading.done():
            await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _first(*events: asyncio.Event, within: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()


def _drawn(following: Following, console: Console) -> Text:
    from rich.text import Text

    from pytest_agog.reference.orchestrator.board.board import board
    from pytest_agog.reference.orchestrator.board.text import text

    lines = text(board(following.situation()), width=console.width).rstrip("\n").split("\n")
    if len(lines) > console.height:
        hidden = len(lines) - console.height + 1
        lines = [*lines[: console.height - 1], f"… {hidden} more lines; `agog dashboard` prints them all"]
    drawn = Text("\n".join(lines), no_wrap=True, overflow="crop")
    drawn.highlight_regex(r"(?m)^[A-Z]{3,}[A-Z ]*(?=$|  )", "bold")
    drawn.highlight_regex(r"(?m)^(BLOCKERS|ESCALATIONS|ALERT.*)$", "bold red")
    drawn.highlight_regex(r"In Progress|\bACTIVE\b", "green")
    drawn.highlight_regex(r"\(blocked by [^)]*\)?|\bWAITING\b", "yellow")
    return drawn
