"""Every command and option that the documentation names exists, and the README names every option that exists."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import typer

from pytest_agog import cli, errors
from pytest_agog.cli.doors import VARIABLES as DOORS
from pytest_agog.errors import AgogError
from pytest_agog.scenario.problems import ScenarioErrors
from pytest_agog.session.options import add_options
from tests.docs.reading import ROOT, blocks, code_spans, pages, written_pages

README: Final = ROOT / "README.md"
LATER: Final = {"compose", "prove"}
"""Groups of commands that the wire contract and the generated pages may name before they exist."""


def commands() -> dict[str, set[str]]:
    """Every `agog` command with its options."""
    group = typer.main.get_command(cli.build())
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        subcommands = getattr(command, "commands", {}).values()
        parameters = [parameter for each in (command, *subcommands) for parameter in each.params]
        found[name] = {option for parameter in parameters for option in parameter.opts} | {"--help"}
    return found


def plugin_options() -> tuple[set[str], set[str]]:
    """Options of the command line, and names of the ini file."""
    parser = pytest.Parser(_ispytest=True)
    add_options(parser)
    options = {name for group in parser._groups for option in group.options for name in option.names()}
    return {name for name in options if name.startswith("--agog")}, set(parser._inidict)


def shell_lines(page: Path) -> Iterator[str]:
    """What a reader types: lines of shell blocks, and code in the text that begins with a command's name."""
    for block in blocks(page):
        if block.language in ("console", "sh", "", "yaml"):
            text = block.text.replace("\\\n", " ")
            for line in text.splitlines():
                yield line.strip().removeprefix("$ ").removeprefix("- run: ").removeprefix("- ")
    yield from code_spans(page)


def agog_calls(line: str) -> Iterator[list[str]]:
    """The words of each `agog …` in a line of shell."""
    for part in re.split(r"&&|\|\||[|;]|\$\(", line.partition(" # ")[0]):
        part = part.strip().removeprefix(".venv/bin/")
        if part.startswith("agog "):
            try:
                yield shlex.split(part.rstrip(")"))
            except ValueError:
                yield part.split()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_their_options_exist(page: Path) -> None:
    known, wrong = commands(), []
    for line in shell_lines(page):
        for _, name, *words in agog_calls(line):
            if not re.fullmatch(r"[a-z][a-z-]*", name):
                continue  # `agog COMMAND`, `agog --version`
            if name not in known:
                wrong.append(f"agog {name}" if name not in LATER or page in written_pages() else "")
                continue
            given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            wrong += [f"agog {name} {option}" for option in given - known[name]]
    assert [line for line in wrong if line] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_options_of_the_plugin_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    options, names = plugin_options()
    variables = {name.upper() for name in names} | {
        "AGOG_AGENT", "AGOG_TASK", "AGOG_FEATURE", "AGOG_REQUIREMENT", "AGOG_SUBJECT", "AGOG_INPUTS", "AGOG_DEBUG",
        "AGOG_AGENT_NATS_URL", "AGOG_AGENT_NATS_CREDS", "AGOG_AGENT_NATS_NKEY",
        "AGOG_NATS_SERVER", "AGOG_POSTGRES_BIN", "AGOG_CACHE_DIR", "AGOG_UPDATE_SNAPSHOTS",
        *DOORS, "AGOG_SPOOL_DIR", "AGOG_SPOOL_MAX_BYTES", "AGOG_ATTEMPT", "AGOG_STAGE", "AGOG_MODEL", "AGOG_GATE_DIR",
        "AGOG_NATS_IMAGE", "AGOG_POSTGRES_IMAGE", "AGOG_IMAGE", "AGOG_WORKSPACE",
    }  # fmt: skip
    assert set(re.findall(r"--agog-[a-z]+(?:-[a-z]+)*", text)) - options == set()
    assert set(re.findall(r"\bAGOG_[A-Z_]+\b", text)) - variables == set()


def test_the_readme_names_every_option() -> None:
    text = README.read_text(encoding="utf-8")
    options, names = plugin_options()
    assert {option for option in options if option not in text} == set()
    for name in names:
        assert f"`{name}`" in text, name
        if f"--{name.replace('_', '-')}" in options:
            assert f"`{name.upper()}`" in text, name


def test_the_readme_names_every_command() -> None:
    text = README.read_text(encoding="utf-8")
    assert {name for name in commands() if f"agog {name}" not in text} == set()


def test_troubleshooting_tells_of_every_error() -> None:
    text = (ROOT / "docs" / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
    told = {word for line in text.splitlines() if line.startswith("### ") for word in line[4:].split(", ")}
    kinds = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, AgogError)
    } | {ScenarioErrors.__name__}  # fmt: skip
    assert told == kinds
