"""Changing fields of a roadmap's entries without touching another byte of it. [O13], F51

All changes of one call are made in one pass, so that a thousand cost hardly more than one. A field that is not there
gets a line in the style of its neighbours: those of its entry, else those of the nearest entry that has some.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from pytest_agog.errors import BadInput
from pytest_agog.masking import mask
from pytest_agog.reference.orchestrator.intake.gathering import Field
from pytest_agog.reference.orchestrator.intake.labels import LISTS
from pytest_agog.reference.orchestrator.intake.lines import Kind, encode
from pytest_agog.reference.orchestrator.intake.roadmap import Entry, Roadmap, parse
from pytest_agog.reference.orchestrator.intake.stated import Stated

CHANGEABLE: Final = ("Status", "Agent", "Effort", "Priority", "Blockers")
"""What may be changed, in the order in which new lines are written."""
MAX_VALUE: Final = 500
"""Characters."""

Changes = Mapping[str, Mapping[str, str]]
"""By id: the fields to change and their new values."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A roadmap with changes made."""

    data: bytes
    changed: tuple[str, ...]
    """The ids whose entries differ now; one that says so already is not among them."""
    absent: tuple[str, ...]
    """The ids that no readable entry has."""


@dataclass(frozen=True, slots=True)
class _Style:
    """How a labelled line is written."""

    prefix: str
    name: str
    between: str
    tail: str
    gap: int
    """Blank lines between two fields."""
    below_heading: int
    """Blank lines between heading and first field."""

    def line(self, field: str, value: str) -> str:
        name = field.lower() if self.name.islower() else field.upper() if self.name.isupper() else field
        return f"{self.prefix}{name}{self.between}{value}{self.tail}"


_DEFAULT: Final = _Style("- ", "Status", ": ", "", 0, 0)


def flat(text: str, limit: int = 200) -> str:
    """Any text as a value that reads back as it is: one line, secrets masked, no emphasis or comment around it."""
    line = " ".join(mask(text).split())
    line = "".join(sign if sign.isprintable() else " " for sign in line).replace("<!--", "").replace("-->", "")
    line = " ".join(line.split()).strip("*_` \t")
    return line if len(line) <= limit else line[: limit - 1].rstrip("*_` ") + "…"


def edit(roadmap: Roadmap, changes: Changes) -> Edited:
    """The roadmap with `changes` made.

    Raises:
        BadInput: a field cannot be changed, or a value would not read back as what it is.
    """
    for fields in changes.values():
        for field, value in fields.items():
            _check(field, value)
    styles = _Styles(roadmap)
    edits: list[tuple[int, int, str]] = []
    changed: list[str] = []
    for identity, entry in roadmap.entries.items():
        if identity not in changes:
            continue
        made = _of_entry(roadmap, styles, entry, changes[identity])
        if made:
            changed.append(identity)
            edits += made
    data = encode(_apply(roadmap.text, edits))
    if changed:
        _verify(roadmap, parse(data), {identity: changes[identity] for identity in changed})
    return Edited(data, tuple(changed), tuple(identity for identity in changes if identity not in roadmap.entries))


def _check(field: str, value: str) -> None:
    if field not in CHANGEABLE:
        raise BadInput(f"{field!r} of a roadmap's entry cannot be changed; {', '.join(CHANGEABLE)} can")
    if not value or value != value.strip() or not value.isprintable() or len(value) > MAX_VALUE:
        raise BadInput(f"{field} {value[:60]!r} cannot be written to a roadmap; expected one line of text")


def _of_entry(
    roadmap: Roadmap, styles: _Styles, entry: Entry, fields: Mapping[str, str]
) -> list[tuple[int, int, str]]:  # fmt: skip
    edits: list[tuple[int, int, str]] = []
    missing: list[str] = []
    for name in CHANGEABLE:
        if name not in fields:
            continue
        field = entry.fields.get(name)
        if field is None:
            missing.append(name)
        elif field.value != fields[name]:
            edits.append(_replacement(roadmap.text, field, fields[name]))
    if missing:
        edits.append(_insertion(roadmap, styles, entry, missing, fields))
    return edits


def _replacement(text: str, field: Field, value: str) -> tuple[int, int, str]:
    if field.start == field.end:  # an empty value has no room around it
        before = "" if text[field.start - 1 : field.start] in (" ", "\t") else " "
        after = "" if text[field.end : field.end + 1] in ("", " ", "\t", "\r", "\n", "*", "_", "`") else " "
        value = f"{before}{value}{after}"
    return field.start, field.end, value


def _insertion(
    roadmap: Roadmap, styles: _Styles, entry: Entry, names: list[str], values: Mapping[str, str]
) -> tuple[int, int, str]:
    style = styles.of(entry)
    newline = roadmap.lines[entry.first].ending or roadmap.lines[0].ending or "\n"
    lines = [style.line(name, values[name]) for name in names]
    joined = (newline * (style.gap + 1)).join(lines)
    status = entry.fields.get("Status")
    labelled = _labelled(entry)
    if status is not None and status.label is not None:
        return _behind(roadmap, status.stop, newline * style.gap, joined, newline, "")
    if labelled:
        start = roadmap.lines[labelled[0].line].start
        return start, start, joined + newline * (style.gap + 1)
    follows = entry.body < len(roadmap.lines) and roadmap.lines[entry.body].kind is not Kind.BLANK
    return _behind(
        roadmap, entry.body, newline * style.below_heading, joined, newline, newline if follows else ""
    )  # fmt: skip


def _behind(
    roadmap: Roadmap, index: int, gap: str, joined: str, newline: str, after: str
) -> tuple[int, int, str]:  # fmt: skip
    """New lines behind the line before `index`; a file without a line feed at its end stays one."""
    previous = roadmap.lines[index - 1]
    if previous.ending:
        return previous.stop, previous.stop, f"{gap}{joined}{newline}{after}"
    return previous.stop, previous.stop, f"{newline}{gap}{joined}"


def _apply(text: str, edits: list[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    position = 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        parts += (text[position:start], new)
        position = end
    return "".join((*parts, text[position:]))


def _verify(before: Roadmap, after: Roadmap, changes: Changes) -> None:
    """The new values are read back, and nothing else reads differently."""
    for identity, fields in changes.items():
        entry = after.entries.get(identity)
        for name, value in fields.items():
            if entry is None or name not in entry.fields or entry.fields[name].value != value:
                raise BadInput(f"{name} {value[:60]!r} of {identity} would not read back as that; nothing was written")
    rest = [_lasting(entry.stated) for identity, entry in before.entries.items() if identity not in changes]
    kept = [_lasting(entry.stated) for identity, entry in after.entries.items() if identity not in changes]
    if rest != kept or len(before.unreadable) != len(after.unreadable):
        raise BadInput(f"changing {', '.join(list(changes)[:5])} would change how others read; nothing was written")


def _lasting(stated: Stated) -> Stated:
    return replace(stated, line=0, file="")


def _labelled(entry: Entry) -> list[Field]:
    """The fields that stand on a line of their own with their label, from the top."""
    return sorted((field for field in entry.fields.values() if field.label), key=lambda field: field.line)


class _Styles:
    """How the entries of a roadmap write their fields; looked up only where a line is new."""

    def __init__(self, roadmap: Roadmap) -> None:
        self._roadmap = roadmap

    @cached_property
    def _styled(self) -> list[Entry]:
        return [entry for entry in self._roadmap.entries.values() if _labelled(entry)]

    def of(self, entry: Entry) -> _Style:
        labelled = _labelled(entry)
        neighbour = self._neighbour(entry)
        if labelled:
            inherited = self._gap(neighbour) if neighbour and len(labelled) == 1 else None
            return self._style(labelled[0].line, labelled, entry, inherited)
        if neighbour is None:
            return _DEFAULT
        labelled = _labelled(neighbour)
        return self._style(labelled[0].line, labelled, neighbour, None)

    def _neighbour(self, entry: Entry) -> Entry | None:
        """The nearest entry above that has fields, else the nearest one below."""
        place = bisect_left(self._styled, entry.first, key=lambda other: other.first)
        if place > 0:
            return self._styled[place - 1]
        below = [other for other in self._styled[place : place + 2] if other is not entry]
        return below[0] if below else None

    def _style(self, first: int, labelled: list[Field], entry: Entry, inherited: int | None) -> _Style:
        lines = self._roadmap.lines
        scalars = [field for field in labelled if field.name not in LISTS and field.value_line == field.line]
        model = next((field for field in scalars if field.value), (scalars or labelled)[0])
        label, text = model.label, lines[model.line].text
        assert label is not None
        between, tail = text[label.name_end : label.start], text[label.end :]
        if not between.endswith((" ", "\t", "*", "_", "`")) or label.start == label.end:
            between = between.rstrip(" \t") + " "
        if tail.strip(" \t*_`\\"):
            # A comment belongs to the other line; what opens emphasis must not stay without what closes it.
            closing = tail[: len(tail) - len(tail.lstrip("*_`"))]
            between, tail = between.removesuffix(closing) if closing else between, ""
        above = lines[entry.body : first]
        room = len(above) if all(line.kind is Kind.BLANK for line in above) else 1
        gap = self._gap(entry) if inherited is None else inherited
        return _Style(
            text[: label.name_start], text[label.name_start : label.name_end], between, tail, gap, min(room, 3)
        )

    def _gap(self, entry: Entry) -> int:
        """Blank lines between its first two fields, when nothing else stands between them."""
        labelled = _labelled(entry)
        if len(labelled) < 2:
            return 0
        between = self._roadmap.lines[labelled[0].stop : labelled[1].line]
        return min(len(between), 3) if all(line.kind is Kind.BLANK for line in between) else 0
