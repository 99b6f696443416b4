"""`${VAR}` and its kin in compose files, resolved by their defaults: what a file says when nobody sets anything."""

from __future__ import annotations

import re
from typing import Final

HOLE: Final = "\0"
"""Stands for what only the environment knows."""
_VARIABLE: Final = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<braced>[^{}$]*)\}|(?P<named>[A-Za-z_][A-Za-z0-9_]*))")
_BRACED: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*(?:(?P<sign>:?[-?+])(?P<rest>.*))?", re.DOTALL)
_NESTING: Final = 5


def resolve(text: str) -> str:
    """`text` with each variable replaced by its default, or by `HOLE` when it has none. `$$` is a dollar sign."""
    if "$" not in text:
        return text
    marked = text.replace("$$", "\1")
    for _ in range(_NESTING):
        resolved = _VARIABLE.sub(_value, marked)
        if resolved == marked:
            break
        marked = resolved
    return marked.replace("\1", "$")


def _value(match: re.Match[str]) -> str:
    if match["named"] is not None:
        return HOLE
    braced = _BRACED.fullmatch(match["braced"] or "")
    if braced is None:
        return HOLE
    return braced["rest"] if braced["sign"] in ("-", ":-") else HOLE


def is_open(text: str) -> bool:
    """Whether a part of `text`, as `resolve` left it, is unknown."""
    return HOLE in text


def has_variable(text: str) -> bool:
    """Whether `text` takes anything from the environment."""
    return bool(_VARIABLE.search(text.replace("$$", "")))


def within(text: str, at: int) -> bool:
    """Whether the character `at` of `text`, as the file has it, belongs to a `${…}`."""
    depth = place = 0
    while place < at:
        if text.startswith("$$", place):
            place += 1
        elif text.startswith("${", place):
            depth += 1
        elif text[place] == "}" and depth:
            depth -= 1
        place += 1
    return depth > 0


def shown(text: str) -> str:
    """`text`, as `resolve` left it, for people."""
    return text.replace(HOLE, "…")
