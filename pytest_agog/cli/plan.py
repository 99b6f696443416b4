"""`agog plan`: what the orchestrator would do with a roadmap or with requirements. It touches nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pytest_agog.cli.console import print_json, print_line, print_table
from pytest_agog.cli.options import Json

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.planning.plan import Plan, Planned

_COLUMNS: Final = ("wave", "requirement", "agent", "priority", "size", "tokens", "waits for", "title")
_NUMBERS: Final = (0, 5)
_TITLE: Final = 60
_LEAST: Final = 10
_GAP: Final = 2
"""Columns between two columns."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan")(plan)


def plan(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Roadmaps (Markdown), requirements or GitHub issues (JSON).")
    ],
    as_json: Json = False,
) -> None:
    """Show who would do what, in which order and beside what. Nothing is written and nothing is sent.

    Entries that cannot be read are listed with their lines; the rest is planned.

    Example: agog plan plans/roadmap.md
    """
    from pytest_agog.reference.orchestrator.intake.sources import read_files
    from pytest_agog.reference.orchestrator.planning.plan import make_plan

    made = make_plan(read_files(files))
    if as_json:
        print_json(made.to_json())
        return
    _print(made)


def _print(made: Plan) -> None:
    wave_of = {identity: at for at, wave in enumerate(made.waves, start=1) for identity in wave}
    planned = [made.items[identity] for wave in made.waves for identity in wave]
    rest = [item for identity, item in made.items.items() if identity not in wave_of]
    if made.items:
        rows = [_row(item, wave_of.get(item.id)) for item in (*planned, *rest)]
        room = _room(rows)
        print_table(_COLUMNS, [(*row[:-1], _cut(str(row[-1]), room)) for row in rows], numbers=_NUMBERS)
    for line in _remarks(made):
        print_line(line)


def _row(item: Planned, wave: int | None) -> Sequence[object]:
    place = wave if wave is not None else "done" if item.stated.state == "COMPLETE" else "-"
    return (
        place, item.id, item.agent or "a human", item.priority, item.complexity, f"{item.estimated_tokens:,}",
        ", ".join(item.blocked_by) or "-", item.stated.title,
    )  # fmt: skip


def _room(rows: Sequence[Sequence[object]]) -> int:
    """Columns that the titles may take: on a terminal, what the rest leaves of a line."""
    if not sys.stdout.isatty():
        return _TITLE
    widths = (max(len(str(row[at])) for row in (_COLUMNS, *rows)) + _GAP for at in range(len(_COLUMNS) - 1))
    return max(_LEAST, min(_TITLE, shutil.get_terminal_size().columns - sum(widths)))


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _remarks(made: Plan) -> Iterator[str]:
    """What the table does not show, a line each."""
    held = sum(1 for item in made.items.values() if item.stated.state != "COMPLETE") - sum(map(len, made.waves))
    yield f"{_count(len(made.items), 'requirement')}, {_count(len(made.waves), 'wave')}, {held} held."
    if made.critical_path:
        hours = made.prediction.hours
        yield f"Critical path: {' -> '.join(made.critical_path)} (about {hours:.1f} hours of work)"
    for one in made.serialised:
        yield f"Not together: {one.pair[0]} before {one.pair[1]}: {one.why}"
    for cycle in made.cycles:
        yield f"Cycle: {' -> '.join((*cycle, cycle[0]))}; remove one of these dependencies"
    for lack in made.missing:
        yield f"Missing: {lack.id} needs {lack.needs}, which nobody has stated"
    for asked in made.human:
        yield f"A human decides: {asked.id}: {asked.why}"
    for item in made.items.values():
        if item.stated.state in ("BLOCKED", "FAILED"):
            yield f"Held: {item.id}: its status is {item.stated.state}"
    for wrong in made.unreadable:
        yield f"Unreadable: {wrong}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
