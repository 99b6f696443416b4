"""Reading one YAML file: to text, within limits, with every failure at its place."""

from __future__ import annotations

import os
import re
import stat
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from pytest_agog.scenario.reading.places import Position

MAX_BYTES: Final = 1_000_000
"""The largest scenario file: 1 MB."""

# What YAML does not allow in a file, except tab and line ends (YAML 1.2.2, 5.1 c-printable).
_NOT_PRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_OTHER_ENCODINGS: Final = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
"""By the byte order mark."""
_LINE_END: Final = re.compile("\r\n|\r|\n")


@dataclass(frozen=True, eq=False)
class Source:
    """The text of one file. Offsets count characters; a byte order mark is not part of the text."""

    path: Path
    text: str
    _starts: list[int] = field(default_factory=list, repr=False)

    def line_starts(self) -> list[int]:
        """Offsets at which lines begin. Lines end with LF, CRLF or CR, as editors count them."""
        if not self._starts:
            self._starts.append(0)
            self._starts.extend(match.end() for match in _LINE_END.finditer(self.text))
        return self._starts

    def position(self, start: int, end: int | None = None) -> Position:
        """Line and column of an offset; `end` gives an end column when it lies on the same line."""
        starts = self.line_starts()
        start = min(max(start, 0), len(self.text))
        line = bisect_right(starts, start)
        begin = starts[line - 1]
        end_column = None
        if end is not None and end > start:
            stop = min(end, begin + len(self.line(line)))
            end_column = stop - begin + 1 if stop > start else None
        return Position(self.path, line, start - begin + 1, end_column)

    def line(self, number: int) -> str:
        """The text of line `number` (from 1) without its line end; empty when there is none."""
        starts = self.line_starts()
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")


class Place(NamedTuple):
    """A stretch of a file; cheap, since every node has one. Line and column are worked out when somebody asks."""

    source: Source
    start: int
    end: int

    @property
    def position(self) -> Position:
        """The same as line and columns."""
        return self.source.position(self.start, self.end)

    @property
    def is_block(self) -> bool:
        """Whether text over several lines stands here, which a bare > or | begins: a trap for subjects."""
        return self.source.text[self.start : self.start + 1] in {">", "|"}


class Unreadable(Exception):
    """A file that is no text; `place` is where that shows."""

    def __init__(self, place: Place, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.hint = hint


def read(path: Path) -> Source:
    """The text of the file at `path`.

    Raises:
        Unreadable: it is no file, too large, no UTF-8 or binary. Size and kind are looked at before it is opened.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would show a path that the user did not write
    data = _bytes(path)
    for mark, name in _OTHER_ENCODINGS:
        if data.startswith(mark):
            raise Unreadable(Place(Source(path, ""), 0, 0), f"the file is {name}", "save it as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        source = Source(path, before + data[error.start :].decode("utf-8", "backslashreplace"))
        place = Place(source, len(before), len(before) + 4)
        raise Unreadable(
            place, f"the file is no UTF-8 text: byte 0x{data[error.start]:02x}", "save it as UTF-8"
        ) from None
    source = Source(path, text)
    if match := _NOT_PRINTABLE.search(text):
        raise Unreadable(
            Place(source, match.start(), match.end()),
            f"the file holds the control character U+{ord(match[0]):04X}, so it is binary or damaged",
            "in double quotes such a character can be written as an escape",
        )
    return source


def _bytes(path: Path) -> bytes:
    nowhere = Place(Source(path, ""), 0, 0)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise Unreadable(nowhere, "this is a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(nowhere, "this is no regular file")
        size = status.st_size
        if size <= MAX_BYTES:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            size = len(data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unreadable(nowhere, f"the file cannot be read: {reason}") from None
    if size > MAX_BYTES:
        raise Unreadable(
            nowhere, f"the file has {size:,} bytes, at most {MAX_BYTES:,} are read", "move parts into data files"
        )
    return data
