"""JSON read piece by piece, so that each piece knows the line that it begins on."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Final

from pytest_agog.errors import BadInput

_SPACE: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Piece:
    """One value of a list, or the only value."""

    line: int
    value: Any
    in_list: bool = True


def pieces(data: bytes, name: str) -> list[Piece]:
    """The values of a JSON list with their lines; a single value counts as a list of one.

    Raises:
        BadInput: the text is no JSON; `name:line: message`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{name}:{line}: byte {data[error.start]:#04x} is no UTF-8. Save the file as UTF-8.") from None
    breaks = [match.end() for match in re.finditer("\n", text)]
    try:
        listed = text.startswith("[", _skip(text, 0))
        return [Piece(bisect_right(breaks, start) + 1, value, listed) for start, value in _values(text)]
    except json.JSONDecodeError as error:
        line = bisect_right(breaks, error.pos) + 1
        problem = error.msg[:1].lower() + error.msg[1:]
        raise BadInput(f"{name}:{line}: no JSON: {problem}. Give a list of requirements, or one.") from None
    except (RecursionError, ValueError) as error:
        reason = "it nests too deep" if isinstance(error, RecursionError) else str(error)
        raise BadInput(f"{name}:1: no JSON that can be read: {reason}. Give a list of requirements, or one.") from None


def _values(text: str) -> list[tuple[int, Any]]:
    decoder = json.JSONDecoder(parse_constant=_constant)
    position = _skip(text, 0)
    if not text.startswith("[", position):
        value, end = decoder.raw_decode(text, position)
        return _nothing_more(text, end, [(position, value)])
    found: list[tuple[int, Any]] = []
    position = _skip(text, position + 1)
    if text.startswith("]", position):
        return _nothing_more(text, position + 1, found)
    while True:
        value, end = decoder.raw_decode(text, position)
        found.append((position, value))
        position = _skip(text, end)
        if text.startswith("]", position):
            return _nothing_more(text, position + 1, found)
        if not text.startswith(",", position):
            raise json.JSONDecodeError("Expecting ',' or ']'", text, position)
        position = _skip(text, position + 1)


def _nothing_more(text: str, position: int, found: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    rest = _skip(text, position)
    if rest < len(text):
        raise json.JSONDecodeError("Extra data", text, rest)
    return found


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
