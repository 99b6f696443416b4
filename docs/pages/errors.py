"""The page `reference/errors.md`: every error with its exit code and message, from their classes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Final

from pytest_agog import errors
from pytest_agog.errors import AgogError, Exit

_INTRODUCTION: Final = """\
All errors are subclasses of `pytest_agog.errors.AgogError`, so that Python code can catch one kind or all of them.
Their messages are one line with cause and remedy; what stands in braces is filled in. The exit code is that of an
`agog` command that ends with the error. What to do about each: [troubleshooting](../how-to/troubleshooting.md).

pytest itself exits with 0 when every claim passed, 1 when one failed, 2 when a scenario file is wrong, 4 for wrong
usage (a path that does not exist, options that contradict each other), 5 when nothing was selected.\
"""
_MEANING: Final = {
    Exit.OK: "success",
    Exit.CLAIM_FAILED: "a claim failed, or work was rejected",
    Exit.USAGE: "wrong usage, or input that cannot be used",
    Exit.UNREACHABLE: "a service is unreachable",
}


def page() -> str:
    """The whole page."""
    rows = ["| error | exit code | message |", "|---|---|---|"]
    rows += [f"| `{kind.__name__}` | {int(kind.exit_code)} | {message(kind)} |" for kind in kinds()]
    codes = ["| exit code of `agog` | meaning |", "|---|---|"]
    codes += [f"| {int(code)} | {said} |" for code, said in _MEANING.items()]
    return "\n\n".join((
        "# Errors and exit codes",
        "<!-- Made by docs/generate.py from pytest_agog/errors.py. Do not edit. -->",
        "\n".join([*codes, "| 130 | interrupted |"]),
        _INTRODUCTION,
        "\n".join(rows),
    ))  # fmt: skip


def kinds() -> Iterator[type[AgogError]]:
    """Every error class with a message of its own, in the order of the file."""
    for value in vars(errors).values():
        if inspect.isclass(value) and issubclass(value, AgogError) and not value.__subclasses__():
            yield value


def message(kind: type[AgogError]) -> str:
    """The default message, with `{name}` for what is filled in."""
    text = " ".join(inspect.cleandoc(kind.__doc__ or "").split())
    text = re.sub(r"(?<!\{)\{(\w+)(![rs])?(:[^{}]*)?\}(?!\})", r"{\1}", text).replace("{{", "{").replace("}}", "}")
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
