"""Markdown cut into lines of which each knows its place and kind; enough of CommonMark to tell what is a heading.

Text is decoded with surrogate escapes, so that bytes which are no UTF-8 survive, and positions are in characters of
that text. Lines end at LF, CR LF or CR, as in CommonMark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pytest_agog.errors import BadInput

BOM: Final = "\ufeff"
_LINE: Final = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_FENCE: Final = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}(?=[^`]*\Z)|~{3,})")
_HASHES: Final = re.compile(r" {0,3}(#{1,6})(?=[ \t]|\Z)")
_UNDERLINE: Final = re.compile(r" {0,3}-+[ \t]*\Z")
_COMMENT: Final = re.compile(r" {0,3}<!--")


class Kind(Enum):
    """What a line is."""

    TEXT = auto()
    BLANK = auto()
    HEADING = auto()
    HIDDEN = auto()
    """In a code fence or a comment: nothing in it is read."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file."""

    number: int
    """Counted from 1."""
    start: int
    """Where its text begins; behind the byte order mark on the first line."""
    text: str
    ending: str
    """LF, CR LF or CR; empty where the file ends without."""
    kind: Kind
    level: int = 0
    """Of a heading: 1 to 6."""

    @property
    def end(self) -> int:
        """Where its text ends."""
        return self.start + len(self.text)

    @property
    def stop(self) -> int:
        """Where the next line begins."""
        return self.start + len(self.text) + len(self.ending)

    @property
    def heading(self) -> str:
        """The text of a heading, without what makes it one."""
        bare = self.text.strip(" \t")
        if not bare.startswith("#"):
            return bare  # underlined
        bare = bare.lstrip("#").strip(" \t")
        shut = bare.rstrip("#")
        return shut.rstrip(" \t") if not shut or shut[-1] in " \t" else bare


@dataclass(frozen=True, slots=True)
class Unclosed:
    """A code fence or comment that never ends: everything behind it is hidden."""

    line: int
    what: str


def decode(data: bytes) -> str:
    """The text of a file; encoding it again with surrogate escapes gives the same bytes.

    Raises:
        BadInput: it is no text (UTF-16, or with NUL in it).
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadInput("1: the file is UTF-16. Save it as UTF-8.")
    zero = data.find(b"\0")
    if zero >= 0:
        number = data.count(b"\n", 0, zero) + 1
        raise BadInput(f"{number}: the file holds a NUL byte. Give a text file.")
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The bytes of a text that `decode` gave."""
    return text.encode("utf-8", "surrogateescape")


def shown(text: str) -> str:
    """`text` as valid Unicode: what was no UTF-8 becomes the replacement character."""
    return text if text.isascii() else encode(text).decode("utf-8", "replace")


def scan(text: str) -> tuple[list[Line], list[Unclosed]]:
    """All lines of `text` and what is hidden by mistake."""
    lines: list[Line] = []
    unclosed: list[Unclosed] = []
    hidden: _Hidden | None = None
    for number, start, content, ending in _cut(text):
        if hidden is not None:
            kind, level = Kind.HIDDEN, 0
            if hidden.ends_at(content):
                hidden = None
        else:
            hidden = _opens(number, content)
            kind, level = (Kind.HIDDEN, 0) if hidden else _kind(content)
            if hidden and hidden.ends_at_once(content):
                hidden = None
        lines.append(Line(number, start, content, ending, kind, level))
    if hidden is not None:
        unclosed.append(Unclosed(hidden.line, hidden.what))
    return lines, unclosed


def underlines(line: Line) -> bool:
    """Whether `line` makes the text above it a heading of level 2."""
    return line.kind is Kind.TEXT and _UNDERLINE.match(line.text) is not None


def _cut(text: str) -> Iterator[tuple[int, int, str, str]]:
    position = 1 if text.startswith(BOM) else 0
    number = 0
    while position < len(text):
        match = _LINE.match(text, position)
        assert match is not None
        number += 1
        yield number, position, match[1], match[2]
        position = match.end()


def _kind(content: str) -> tuple[Kind, int]:
    if not content or content.isspace():
        return Kind.BLANK, 0
    hashes = _HASHES.match(content)
    return (Kind.HEADING, len(hashes[1])) if hashes else (Kind.TEXT, 0)


@dataclass(frozen=True, slots=True)
class _Hidden:
    """A stretch in which nothing is read."""

    line: int
    fence: str
    """The signs that opened it; empty for a comment."""

    @property
    def what(self) -> str:
        return "code fence" if self.fence else "comment"

    def ends_at_once(self, content: str) -> bool:
        return not self.fence and "-->" in content.partition("<!--")[2]

    def ends_at(self, content: str) -> bool:
        if not self.fence:
            return "-->" in content
        bare = content.strip(" \t")
        return len(bare) >= len(self.fence) and not bare.strip(self.fence[0])


def _opens(number: int, content: str) -> _Hidden | None:
    if "```" in content or "~~~" in content:
        fence = _FENCE.match(content)
        if fence:
            return _Hidden(number, fence[1])
    if "<!--" in content and _COMMENT.match(content):
        return _Hidden(number, "")
    return None
