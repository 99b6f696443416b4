"""The entries of a roadmap, and whether two versions of it differ in anything besides what may differ.

A small reading of its own: the harness does not ask the system under test how it reads. Headings that name a `REQ-…`
begin an entry; it reaches to the next one, or to the next heading of its level or above. Fences and comments count for
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_HEADING: Final = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+(.*)")
_ID: Final = re.compile(r"[*_`\[( \t]*(REQ-[A-Za-z0-9-]*[A-Za-z0-9])(?![\w-])")
_FENCE: Final = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_FIELD: Final = re.compile(
    r"[ \t]*(?:[-*+][ \t]+)?[*_`]*(?P<name>status|blockers?)[*_` \t]*:[*_` \t]*(?P<value>.*?)[*_` \t]*", re.IGNORECASE
)
STATUS, BLOCKERS = "status", "blockers"
_MASK: Final = "\0"


@dataclass(frozen=True)
class Field:
    """A labelled line of an entry."""

    line: int
    """Index of its line."""
    start: int
    """Where its value begins in the line."""
    end: int
    value: str


@dataclass
class Entry:
    """One entry."""

    id: str
    first: int
    """Index of its heading's line."""
    fields: dict[str, Field] = field(default_factory=dict)
    """`status` and `blockers`, where it has them; the first of each."""


@dataclass(frozen=True)
class Roadmap:
    """The lines of a roadmap, each with the line ending before it, and its entries."""

    lines: tuple[str, ...]
    entries: Mapping[str, Entry]


def read(data: bytes) -> Roadmap:
    """The roadmap in a file's bytes; bytes that are no UTF-8 stay apart from each other."""
    text = data.decode("utf-8", "surrogateescape")
    parts = re.split(r"(\r\n|\n|\r)", text)
    lines = (parts[0], *(ending + content for ending, content in zip(parts[1::2], parts[2::2], strict=True)))
    return Roadmap(lines, _entries(lines))


def _entries(lines: Sequence[str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    current: Entry | None = None
    level, fence, comment = 0, "", False
    for index, line in enumerate(lines):
        text = line.lstrip("\r\n")
        if fence or comment:
            closes = _FENCE.match(text)
            fence = "" if fence and closes and closes[1].startswith(fence) and not text.strip("`~ \t") else fence
            comment = comment and "-->" not in text
            continue
        if (opened := _FENCE.match(text)) is not None:
            fence = opened[1]
        elif text.lstrip().startswith("<!--"):
            comment = "-->" not in text
        elif (heading := _HEADING.fullmatch(text)) is not None:
            named = _ID.match(heading[2])
            if named is not None:
                current, level = Entry(named[1], index), len(heading[1])
                found.setdefault(named[1], current)
            elif len(heading[1]) <= level:
                current = None
        elif current is not None and (labelled := _FIELD.fullmatch(text)) is not None:
            offset = len(line) - len(text)
            name = STATUS if labelled["name"].casefold() == STATUS else BLOCKERS
            place = Field(index, offset + labelled.start("value"), offset + labelled.end("value"), labelled["value"])
            current.fields.setdefault(name, place)
    return found


@dataclass(frozen=True)
class Difference:
    """The first place at which two versions differ and may not."""

    line: int
    """Counted from 1, in the later version."""
    before: str
    after: str


def difference(before: Roadmap, after: Roadmap, may_change: Callable[[str, str], bool]) -> Difference | None:
    """The first difference that is none of a field that may change. `may_change` is asked for entry and field.

    A field that may change may also be new, on a line of its own with blank lines around it.
    """
    old, new = list(before.lines), list(after.lines)
    added: set[int] = set()
    for identity, entry in after.entries.items():
        earlier = before.entries.get(identity)
        for name, place in entry.fields.items():
            if earlier is None or not may_change(identity, name):
                continue
            was = earlier.fields.get(name)
            if was is None:
                added.add(place.line)
            else:
                old[was.line] = _masked(old[was.line], was)
                new[place.line] = _masked(new[place.line], place)
    return _walk(old, new, before, after, added)


def _masked(line: str, place: Field) -> str:
    # An empty value has no room before it, a new one has.
    return line[: place.start].rstrip(" \t") + _MASK + line[place.end :].rstrip(" \t") if place.value == "" else (
        line[: place.start].rstrip(" \t") + _MASK + line[place.end :]
    )  # fmt: skip


def _walk(
    old: Sequence[str], new: Sequence[str], before: Roadmap, after: Roadmap, added: set[int]
) -> Difference | None:  # fmt: skip
    place = 0
    for index, line in enumerate(new):
        if place < len(old) and old[place] == line:
            place += 1
        elif index not in added and not _is_room(new, index, added):
            return Difference(index + 1, _line(before, place), _line(after, index))
    if place < len(old):
        return Difference(len(new), _line(before, place), "")
    return None


def _is_room(lines: Sequence[str], index: int, added: set[int]) -> bool:
    """Whether a blank line stands beside one that was added; those at the end of a file do not."""
    if lines[index].strip():
        return False
    ahead, behind = index, index
    while ahead < len(lines) and not lines[ahead].strip():
        ahead += 1
    while behind >= 0 and not lines[behind].strip():
        behind -= 1
    return ahead in added or (behind in added and ahead < len(lines))


def _line(roadmap: Roadmap, index: int) -> str:
    return roadmap.lines[index] if index < len(roadmap.lines) else ""
