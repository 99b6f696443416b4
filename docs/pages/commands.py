"""The page `reference/commands.md`: every `agog` command with its arguments and options, from its function."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from pytest_agog import cli

_TYPES: Final = {str: "text", int: "number", float: "number", Path: "path"}
_INTRODUCTION: Final = """\
`agog COMMAND --help` says the same. Every command exits with

| status | when |
|---|---|
| 0 | success |
| 1 | a claim failed, or work was rejected |
| 2 | wrong usage, or input that cannot be used |
| 3 | a service is unreachable |
| 130 | interrupted (Ctrl-C, SIGTERM) |

Errors are one line on stderr, with cause and remedy; [errors.md](errors.md) lists them. What is printed for people is
for people; `--json` prints for programs. `AGOG_DEBUG=1` shows a Python traceback where an internal error is told.\
"""


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command."""

    name: str
    """As it is written: `--nats-url`, `FILE`."""
    value: str
    """What it takes; empty for a flag."""
    default: str
    meaning: str
    environment: str = ""


def page() -> str:
    """The whole page."""
    parts = [
        "# The agog command",
        "<!-- Made by docs/generate.py from pytest_agog/cli. Do not edit. -->",
        _INTRODUCTION,
    ]
    for name, function in commands().items():
        parts += [f"## agog {name}", *_paragraphs(function), _table(list(parameters(function)))]
    return "\n\n".join(parts)


def commands() -> dict[str, Callable[..., Any]]:
    """Every command and its function, in the order of `agog --help`."""
    app = cli.build()
    found = {command.name or "": command.callback for command in app.registered_commands if command.callback}
    for group in app.registered_groups:
        if group.typer_instance is not None:
            for command in group.typer_instance.registered_commands:
                if command.callback is not None:
                    found[f"{group.name} {command.name}"] = command.callback
    return found


def _paragraphs(function: Callable[..., Any]) -> Iterator[str]:
    for paragraph in inspect.cleandoc(function.__doc__ or "").split("\n\n"):
        line = " ".join(paragraph.split())
        if line.startswith("Example: "):
            yield f"```\n{line.removeprefix('Example: ')}\n```"
        else:
            yield line.replace("<", "&lt;")


def parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    """What a command takes, read from its signature as typer reads it."""
    hints = get_type_hints(function, include_extras=True)
    for name, given in inspect.signature(function).parameters.items():
        kind, info = _annotation(hints[name])
        required = given.default is inspect.Parameter.empty
        default = "required" if required else _default(given.default)
        if isinstance(info, OptionInfo):
            written = ", ".join(_written(info) or (f"--{name.replace('_', '-')}",))
            environment = info.envvar if isinstance(info.envvar, str) else ", ".join(info.envvar or ())
            value = "" if kind is bool else info.metavar or _value(kind)
            yield Parameter(written, value, default, info.help or "", environment)
        else:
            yield Parameter(info.metavar or name.upper(), _value(kind), default, info.help or "")


def _written(info: OptionInfo) -> list[str]:
    """`-a`, `--agent`; typer keeps the first of them where a default would stand outside of `Annotated`."""
    first = [info.default] if isinstance(info.default, str) and info.default.startswith("-") else []
    return [*first, *(info.param_decls or ())]


def _annotation(hint: Any) -> tuple[Any, OptionInfo | ArgumentInfo]:
    """A parameter's type, and what typer is told of it."""
    if get_origin(hint) is Annotated:
        kind, *more = get_args(hint)
        for info in more:
            if isinstance(info, (OptionInfo, ArgumentInfo)):
                return _without_none(kind), info
    raise TypeError(f"{hint} says nothing of an option or argument")


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        [kind] = [part for part in get_args(kind) if part is not type(None)]
    return kind


def _value(kind: Any) -> str:
    if get_origin(kind) is list:
        return f"{_value(get_args(kind)[0])}, repeatable"
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    return _TYPES.get(kind, getattr(kind, "__name__", str(kind)))


def _default(value: Any) -> str:
    return "" if value is None or value is False or value == "" else f"`{value}`"


def _table(found: list[Parameter]) -> str:
    rows = ["| argument or option | value | default | meaning |", "|---|---|---|---|"]
    for parameter in found:
        environment = f"; environment `{parameter.environment}`" if parameter.environment else ""
        meaning = f"{parameter.meaning.rstrip('.')}{environment}".removesuffix("…").rstrip(", ") + "."
        cells = (f"`{parameter.name}`", parameter.value, parameter.default, meaning)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|').replace('<', '&lt;') for cell in cells)} |")
    return "\n".join(rows)
