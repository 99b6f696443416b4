"""What every table of `agog.toml` that names a command shares: its words, its environment, its time. [O10, O12]"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from pytest_agog.values import Duration

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("a NUL character cannot stand in a command, its environment or a path")
    return value


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("expected a duration above 0")
    return seconds


def _begin_with_a_program(words: list[str]) -> list[str]:
    if not words[0].strip():
        raise ValueError("the first word is the program; it is empty")
    return words


def _have_names(variables: dict[str, str]) -> dict[str, str]:
    for name in variables:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name[:40]!r} cannot name a variable of the environment")
    return variables


Word = Annotated[str, AfterValidator(_without_nul)]
Name = Annotated[str, StringConstraints(min_length=1), AfterValidator(_without_nul)]
CommandWords = Annotated[list[Word], Field(min_length=1), AfterValidator(_begin_with_a_program)]
"""A command, word by word; never through a shell."""
Variables = Annotated[dict[str, Word], AfterValidator(_have_names)]
"""Variables of a command's environment."""
Time = Annotated[Duration, AfterValidator(_positive)]
"""A duration above 0, in seconds."""
