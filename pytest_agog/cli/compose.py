"""`agog compose check`: compose files judged by the rules of two stacks. [X2]"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_agog.cli.console import print_json, print_line, read_text
from pytest_agog.cli.options import Json
from pytest_agog.errors import Exit, UsageError

if TYPE_CHECKING:
    from pytest_agog.stacks.judging import File, Judged
    from pytest_agog.stacks.model import Finding

Files = Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="Compose files; - is stdin.")]
App = Annotated[
    list[Path] | None, typer.Option("--app", metavar="FILE", help="A file of the application stack; repeatable.")
]
Agents = Annotated[
    list[Path] | None, typer.Option("--agents", metavar="FILE", help="A file of the agent stack; repeatable.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Judge compose files.")
    group.command("check")(check)
    group.command("rules")(rules)
    app.add_typer(group, name="compose")


def check(files: Files = None, app: App = None, agents: Agents = None, as_json: Json = False) -> int:
    """Judge compose files: each finding with file, line, rule, reason and remedy. Nothing is started or written.

    Which file is the application's and which the agents' is told by names and contents, or by --app and --agents. An
    ordinary file is judged by the rules that hold for any. Notes do not count.

    Exit 0 without findings, 1 with some, 2 when a file is no compose file.

    Example: agog compose check docker-compose.app.yml docker-compose.agents.yml
    """
    from pytest_agog.stacks.judging import judge

    if not (files or app or agents):
        raise UsageError("No file is given. Name compose files: agog compose check compose.yaml.")
    judged = judge(read(files), app=read(app), agents=read(agents))
    if as_json:
        print_json(as_document(judged))
    else:
        _print(judged)
    return Exit.CLAIM_FAILED if judged.findings else Exit.OK


def rules(as_json: Json = False) -> None:
    """List the rules with their reasons.

    Example: agog compose rules
    """
    from pytest_agog.stacks.judging import RULES

    if as_json:
        print_json([{"rule": rule.name, "reason": rule.reason} for rule in RULES])
        return
    for rule in RULES:
        print_line(f"{rule.name}: {rule.reason}")


def read(paths: list[Path] | None) -> list[File]:
    """Names and texts of files, each once.

    Raises:
        BadInput: one cannot be read, or is no text.
    """
    from pytest_agog.stacks.tree import MAX_CHARACTERS

    found: dict[str, str] = {}
    for path in paths or ():
        name = "<stdin>" if str(path) == "-" else path.as_posix()
        if name not in found:
            found[name] = read_text(str(path), "The compose file", most=4 * MAX_CHARACTERS)
    return list(found.items())


def as_document(judged: Judged) -> dict[str, Any]:
    """What was found, for machines."""
    return {
        "ok": not judged.findings,
        "stacks": [{"files": list(stack.files), "kind": stack.kind} for stack in judged.stacks],
        "findings": [_row(one) for one in judged.findings],
        "notes": [_row(one) for one in judged.notes],
    }


def _row(one: Finding) -> dict[str, Any]:
    from pytest_agog.stacks.judging import RULES

    reason = next(rule.reason for rule in RULES if rule.name == one.rule)
    return {
        "file": one.file, "line": one.line, "rule": one.rule, "reason": reason, "text": one.text, "remedy": one.remedy,
    }  # fmt: skip


_TITLES = {"app": "the application stack", "agents": "the agent stack", None: "an ordinary compose file"}


def _print(judged: Judged) -> None:
    said = [*judged.findings, *judged.notes]
    if not sys.stdout.isatty():
        for one in said:
            print_line(one.one_line)
        return
    from rich.console import Console
    from rich.text import Text

    from pytest_agog.report.text import one_line

    console = Console()
    for one in said:
        mark, colour = ("✗", "red") if one.severity == "finding" else ("-", "yellow")
        place = one_line(f"{one.file}:{one.line}")
        console.print(Text.assemble((mark, colour), " ", (place, "bold"), " ", (one.rule, colour)))
        console.print(Text(f"  {one_line(one.text)}"))
        console.print(Text(f"  {one_line(one.remedy)}", style="dim"))
    for stack in judged.stacks:
        count = sum(one.file in stack.files for one in judged.findings)
        what = "no findings" if not count else f"{count} finding{'' if count == 1 else 's'}"
        console.print(Text(one_line(f"{', '.join(stack.files)}: {_TITLES[stack.kind]}, {what}")))
