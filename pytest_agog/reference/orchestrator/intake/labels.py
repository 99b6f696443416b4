"""Labelled lines of an entry: `- Status: NEW`, `Status: NEW`, `**Status**: NEW`, `**Status:** NEW` and their like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FIELDS: Final[Mapping[str, str]] = {
    "status": "Status",
    "agent": "Agent",
    "assigned agent": "Agent",
    "assigned to": "Agent",
    "effort": "Effort",
    "complexity": "Effort",
    "priority": "Priority",
    "dependencies": "Dependencies",
    "dependency": "Dependencies",
    "depends on": "Dependencies",
    "blocked by": "Dependencies",
    "files": "Files",
    "file": "Files",
    "acceptance criteria": "Acceptance Criteria",
    "blockers": "Blockers",
    "phase": "Phase",
    "requested by": "Requested By",
    "deadline": "Deadline",
    "estimated tokens": "Estimated Tokens",
}
"""Labels as they are written, in lower case with single spaces, and the fields that they name."""
LISTS: Final = frozenset({"Dependencies", "Files", "Acceptance Criteria"})
"""Fields that may go on as a bullet list below their label."""

_LABEL: Final = re.compile(
    r"(?P<indent>[ \t]*)(?P<bullet>(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?:\[[ xX]\][ \t]+)?(?P<mark>[*_]{1,3}|`)?"
    r"(?P<name>[A-Za-z](?:[A-Za-z]|[ _-](?=[A-Za-z])){2,24})"
)
_COLON: Final = re.compile(r"[ \t]{0,8}(?P<before>[*_]{1,3}|`)?[ \t]{0,8}[:\uff1a](?P<after>[*_]{1,3}|`)?[ \t]*")
_BULLET: Final = re.compile(r"(?P<indent>[ \t]*)(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(?P<text>.*)", re.DOTALL)
_TAB: Final = 4


@dataclass(frozen=True, slots=True)
class Label:
    """A labelled line. Positions are in characters from the line's beginning."""

    field: str
    name_start: int
    name_end: int
    start: int
    """Of the value."""
    end: int
    indent: int
    """Columns before the bullet or the name."""
    bullet: bool


@dataclass(frozen=True, slots=True)
class Bullet:
    """An item of a list."""

    indent: int
    text: str


def label(line: str) -> Label | None:
    """What the line is a label of; None when it is none of ours."""
    if ":" not in line and "\uff1a" not in line:
        return None
    found = _LABEL.match(line)
    if found is None:
        return None
    field = field_named(found["name"])
    if field is None:
        return None
    start, close = _after_the_colon(line, found.end(), found["mark"] or "")
    if start is None:
        return None
    start, end = bare(line, start, close, whole=field not in LISTS)
    return Label(
        field, found.start("name"), found.end("name"), start, end, width(found["indent"]), bool(found["bullet"])
    )


def field_named(name: str) -> str | None:
    """The field that `name` is a label of."""
    return FIELDS.get(name.lower().replace("_", " ").replace("-", " "))


def bullet(line: str) -> Bullet | None:
    """The item that begins on this line."""
    found = _BULLET.match(line)
    return Bullet(width(found["indent"]), found["text"].strip(" \t")) if found else None


def width(space: str) -> int:
    """Columns of white space; a tab counts as four."""
    return len(space) + (_TAB - 1) * space.count("\t")


def bare(line: str, start: int, close: str = "", *, whole: bool = True) -> tuple[int, int]:
    """Where the value itself stands that begins at `start`: without space, comment and emphasis around it.

    Args:
        line: the line.
        start: where the value begins.
        close: emphasis that was opened before the label and ends after the value.
        whole: take emphasis around the whole value away.
    """
    end = len(line.rstrip(" \t"))
    while line.endswith("-->", start, end) and (comment := line.rfind("<!--", start, end)) >= 0:
        end = len(line[:comment].rstrip(" \t"))
    if close and line.endswith(close, start, end):
        end -= len(close)
    for _ in range(3 if whole else 0):
        sign = line[start : start + 1]
        if end - start < 3 or sign not in "*_`" or line[end - 1] != sign or sign in line[start:end].strip(sign):
            break
        start, end = start + 1, end - 1
    return start, max(start, len(line[:end].rstrip(" \t")))


def _after_the_colon(line: str, position: int, mark: str) -> tuple[int | None, str]:
    """Where the value begins, and the emphasis that still has to close behind it."""
    colon = _COLON.match(line, position)
    if colon is None:
        return None, ""
    before, after = colon["before"] or "", colon["after"] or ""
    if mark:
        if before == mark:
            return (colon.start("after") if after else colon.end()), ""
        if not before and after == mark:
            return colon.end(), ""
        return (None, "") if before or after else (colon.end(), mark)
    if before:
        return None, ""
    return (colon.start("after") if after else colon.end()), ""
