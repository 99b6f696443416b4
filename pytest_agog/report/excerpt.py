"""A few lines of a file with a caret under the place that is meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.cells import cell_len

from pytest_agog.report.text import LINE_BREAK, clean, expand_tabs, shorten
from pytest_agog.scenario.reading.places import Position

_LINES_AFTER: Final = 7
_LIMIT: Final = 1_000_000
"""Scenario files have at most 1 MB."""


@dataclass(frozen=True)
class ExcerptLine:
    """One line of the file; the caret's offset and length are in cells of `text`."""

    number: int
    text: str
    caret: int | None = None
    caret_length: int = 1


@dataclass(frozen=True)
class Excerpt:
    """Lines of a file, one of them with a caret."""

    lines: tuple[ExcerptLine, ...] = ()

    def render(self, width: int = 80, gutter: str = "│", ellipsis: str = "…") -> list[tuple[str, str]]:
        """Pairs of margin (`  12 │ `) and text, at most `width` cells together; the caret is a line of its own."""
        digits = max((len(str(line.number)) for line in self.lines), default=1)
        room = max(width - digits - len(gutter) - 2, 8)
        out: list[tuple[str, str]] = []
        for line in self.lines:
            text, caret = _window(line, room, ellipsis)
            out.append((f"{line.number:>{digits}} {gutter} ", text))
            if caret is not None:
                out.append((f"{'':>{digits}} {gutter} ", caret))
        return out


def _window(line: ExcerptLine, room: int, ellipsis: str) -> tuple[str, str | None]:
    """The part of a long line that holds the caret, and the caret line under it."""
    if line.caret is None:
        return shorten(line.text, room, ellipsis), None
    text, offset = line.text, line.caret
    if offset >= room - 1:
        cut = offset - room // 2
        dropped = 0
        while text and dropped < cut:
            dropped += cell_len(text[0])
            text = text[1:]
        text = ellipsis + text
        offset = offset - dropped + cell_len(ellipsis)
    length = max(1, min(line.caret_length, room - offset))
    return shorten(text, room, ellipsis), " " * offset + "^" * length


def read_excerpt(position: Position, lines_after: int = _LINES_AFTER) -> Excerpt:
    """The line at `position` with its caret, and what follows of the same YAML entry (deeper indented lines).

    Empty when the file cannot be read or has no such line: an excerpt is a help, never a reason to fail.
    """
    try:
        with position.file.open("rb") as file:
            source = file.read(_LIMIT).decode("utf-8-sig", "replace")
    except OSError:
        return Excerpt()
    lines = LINE_BREAK.split(source)
    if not 1 <= position.line <= len(lines) or not lines[position.line - 1].strip():
        return Excerpt()
    first = _marked(lines[position.line - 1], position)
    indent = _indent(lines[position.line - 1])
    following: list[ExcerptLine] = []
    for number, line in enumerate(lines[position.line :], start=position.line + 1):
        if not line.strip() or _indent(line) <= indent or len(following) == lines_after:
            break
        following.append(ExcerptLine(number, clean(expand_tabs(line)).rstrip()))
    return Excerpt((first, *following))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _marked(line: str, position: Position) -> ExcerptLine:
    """The line with its caret: tabs, wide and escaped characters before the column shift it by what they show as."""
    start = min(max(position.column - 1, 0), len(line))
    end = position.end_column - 1 if position.end_column is not None else start + 1
    end = min(max(end, start + 1), len(line))
    before = _shown(line[:start])
    return ExcerptLine(
        position.line,
        _shown(line).rstrip(),
        cell_len(before),
        max(1, cell_len(_shown(line[:end])) - cell_len(before)),
    )


def _shown(text: str) -> str:
    return clean(expand_tabs(text))


def show_path(path: Path, base: Path) -> str:
    """`path` as a reader would type it: relative to `base` where it lies below, with forward slashes."""
    absolute = path if path.is_absolute() else base / path
    try:
        return absolute.relative_to(base).as_posix()
    except ValueError:
        return absolute.as_posix()
