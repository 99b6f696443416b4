"""Reading a roadmap: headings `### REQ-…: title` with labelled lines below them. [O1]

An entry reaches to the next entry, or to the next heading of its own or a higher level. Nothing in code fences and
comments is read. An entry is read as a whole or not at all: one whose id, status, priority, agent or dependencies
cannot be understood is reported with its line, because half of it would start the wrong work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake import entry_head, gathering, words
from pytest_agog.reference.orchestrator.intake.entry_head import Head
from pytest_agog.reference.orchestrator.intake.gathering import Field
from pytest_agog.reference.orchestrator.intake.lines import Kind, Line, decode, scan, shown, underlines
from pytest_agog.reference.orchestrator.intake.stated import Stated, Taken, Unreadable


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that can be read, and where it stands."""

    stated: Stated
    first: int
    """Index of its heading among the lines."""
    body: int
    """Index of the line after its heading."""
    stop: int
    """Index after its last line."""
    fields: Mapping[str, Field]


@dataclass(frozen=True)
class Roadmap:
    """A roadmap as it was read."""

    text: str
    digest: str
    """SHA-256 of the file's bytes, as hexadecimal."""
    lines: tuple[Line, ...]
    entries: Mapping[str, Entry]
    unreadable: tuple[Unreadable, ...]

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The ids in the order of the file."""
        return tuple(self.entries)

    @property
    def taken(self) -> Taken:
        """What it says, without where it says it."""
        return Taken(tuple(entry.stated for entry in self.entries.values()), self.unreadable)


def read_roadmap(path: Path, *, name: str | None = None) -> Roadmap:
    """The roadmap in a file.

    Args:
        path: the file.
        name: what to call it in messages; its path otherwise.

    Raises:
        BadInput: it cannot be read, or is no text.
    """
    shown_as = str(path) if name is None else name
    try:
        return parse(path.read_bytes(), name=shown_as)
    except OSError as error:
        raise BadInput(
            f"{shown_as}:1: the roadmap cannot be read: {error.strerror or error}. Give a Markdown file."
        ) from None


def parse(data: bytes, *, name: str = "") -> Roadmap:
    """The roadmap in the bytes of a file.

    Raises:
        BadInput: they are no text.
    """
    try:
        text = decode(data)
    except BadInput as error:
        raise BadInput(f"{name or 'roadmap'}:{error}") from None
    lines, unclosed = scan(text)
    entries: dict[str, Entry] = {}
    unreadable: list[Unreadable] = []
    seen: dict[str, int] = {}
    for start, body, stop in _regions(lines):
        number = lines[start].number
        identity = ""
        try:
            head = _head(lines, start, body)
            identity = head.id
            if identity in seen:
                raise BadInput(f"stands in line {seen[identity]} already; every entry needs an id of its own")  # noqa: TRY301 - one place for all reasons
            seen[identity] = number
            entries[identity] = _entry(lines, head, (start, body, stop), name)
        except BadInput as error:
            unreadable.append(Unreadable(number, f"{identity}: {error}" if identity else str(error), name))
    for hidden in unclosed:
        if any(_may_begin_entry(line) for line in lines[hidden.line :]):
            why = f"this {hidden.what} is never closed, so the entries below it are not read; close it"
            unreadable.append(Unreadable(hidden.line, why, name))
    unreadable.sort(key=lambda item: item.line)
    return Roadmap(text, hashlib.sha256(data).hexdigest(), tuple(lines), entries, tuple(unreadable))


def _regions(lines: list[Line]) -> list[tuple[int, int, int]]:
    """Where entries stand, readable or not: their heading, the line after it, the line after their last."""
    found: list[tuple[int, int, int]] = []
    start, body, level = -1, 0, 0
    for index in range(len(lines)):
        here = _heading_level(lines, index)
        if here is None:
            continue
        begins, height, after = here
        if start >= 0 and (begins or height <= level):
            found.append((start, body, index))
            start = -1
        if begins:
            start, body, level = index, after, height
    if start >= 0:
        found.append((start, body, len(lines)))
    return found


def _heading_level(lines: list[Line], index: int) -> tuple[bool, int, int] | None:
    """Of a heading: whether an entry begins here, its level, and the index of the line after it."""
    line = lines[index]
    if line.kind is Kind.HEADING:
        return entry_head.looks_like_entry(line.heading), line.level, index + 1
    if line.kind is not Kind.TEXT:
        return None
    if "REQ-" not in line.text:
        return None
    if _crowded(line):
        return True, _hashes(line), index + 1
    if line.text[:7].lstrip(" ").startswith("REQ-") and index + 1 < len(lines) and underlines(lines[index + 1]):
        return True, 2, index + 2
    return None


def _crowded(line: Line) -> bool:
    """`###REQ-042: title`: to Markdown that is no heading, but its writer meant one."""
    bare = line.text[:20].lstrip(" ")
    return bare.startswith("#") and bare.lstrip("#").startswith("REQ-")


def _hashes(line: Line) -> int:
    bare = line.text.lstrip(" ")
    return len(bare) - len(bare.lstrip("#"))


def _may_begin_entry(line: Line) -> bool:
    bare = line.text.lstrip(" ")
    return bare.startswith("#") and entry_head.looks_like_entry(bare.lstrip("#").lstrip())


def _head(lines: list[Line], start: int, body: int) -> Head:
    line = lines[start]
    if line.kind is Kind.TEXT and body == start + 1:
        raise BadInput(f"{shown(line.text.strip())[:60]!r} is no heading; put a space behind the #")
    return entry_head.read_head(line.heading, line.level or 2)


def _entry(lines: list[Line], head: Head, place: tuple[int, int, int], name: str) -> Entry:
    start, body, stop = place
    fields, prose = gathering.gather(lines, body, stop)
    stated = _stated(head, fields, lines[start].number, prose, name)
    return Entry(stated, start, body, stop, fields)


def _stated(head: Head, fields: Mapping[str, Field], line: int, prose: str, name: str) -> Stated:
    def value(field: str) -> str:
        return shown(fields[field].value) if field in fields else ""

    def several(field: str) -> list[str]:
        return [shown(item) for item in fields[field].items] if field in fields else []

    def text(field: str) -> str | None:
        return None if words.is_nothing(value(field)) else value(field)

    effort, tokens = words.effort(value("Effort"))
    return Stated(
        id=head.id,
        title=head.title,
        line=line,
        text=shown(prose),
        state=words.state(value("Status")),
        agent=words.agent(value("Agent")),
        effort=effort,
        priority=words.priority(value("Priority")),
        dependencies=words.dependencies(several("Dependencies")),
        files=words.files(several("Files")),
        acceptance=tuple(several("Acceptance Criteria")),
        estimated_tokens=words.tokens(value("Estimated Tokens")) or tokens,
        phase=text("Phase"),
        requested_by=text("Requested By"),
        deadline=text("Deadline"),
        file=name,
    )
