"""The fields of one entry, gathered from its lines; what is neither label nor value is its prose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake import labels, words
from pytest_agog.reference.orchestrator.intake.labels import LISTS, Label
from pytest_agog.reference.orchestrator.intake.lines import Kind, Line

_WORDS_OF_A_VALUE: Final = 3
"""A value that stands on the line below its label is short; anything longer is prose."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field and where its value stands."""

    name: str
    line: int
    """Index of the line with the label."""
    label: Label | None
    """None when the label is a heading (`#### Priority`)."""
    value: str
    """What stands on one line; empty for a list that only stands below."""
    value_line: int
    """Index of the line with the value."""
    start: int
    """Where the value begins in the whole text; a change is made there."""
    end: int
    items: tuple[str, ...]
    """Of a list, its items."""
    stop: int
    """Index of the line after the field."""


def gather(lines: Sequence[Line], start: int, stop: int) -> tuple[dict[str, Field], str]:
    """The fields of the entry whose body is `lines[start:stop]`, and its prose.

    The first of several counts, since that is what a reader sees first.

    Raises:
        BadInput: a field is given twice in the same place, with different values.
    """
    fields: dict[str, Field] = {}
    prose: list[str] = []
    below = False  # under a heading inside the entry
    index = start
    while index < stop:
        line = lines[index]
        found = _field(lines, index, stop)
        below = below or line.kind is Kind.HEADING
        if found is None:
            if line.kind in (Kind.TEXT, Kind.HEADING):
                prose.append(line.heading if line.kind is Kind.HEADING else line.text.strip())
            index += 1
            continue
        first = fields.setdefault(found.name, found)
        if first is not found and not below:
            _same(first, found, lines)
        index = found.stop
    return fields, "\n".join(prose)


def _same(first: Field, again: Field, lines: Sequence[Line]) -> None:
    """Two different statuses side by side leave open which one holds; a remark deeper in a list does not."""
    if first.label is None or again.label is None:
        return
    alike = (first.label.indent, first.label.bullet) == (again.label.indent, again.label.bullet)
    if alike and (first.value, first.items) != (again.value, again.items):
        raise BadInput(
            f"{first.name} is given twice (lines {lines[first.line].number} and {lines[again.line].number}); keep one"
        )


def _field(lines: Sequence[Line], index: int, stop: int) -> Field | None:
    line = lines[index]
    if line.kind is Kind.TEXT:
        label = labels.label(line.text)
        return None if label is None else _labelled(lines, index, stop, label)
    if line.kind is Kind.HEADING:
        name = labels.field_named(line.heading.strip(" *_:"))
        return None if name is None else _under_heading(lines, index, stop, name)
    return None


def _labelled(lines: Sequence[Line], index: int, stop: int, label: Label) -> Field:
    line = lines[index]
    value = line.text[label.start : label.end]
    start, end = line.start + label.start, line.start + label.end
    if label.field not in LISTS:
        if not value and (below := _value_below(lines, index + 1, stop, label.field)):
            return below_label(lines, index, label.field, label, below)
        return Field(label.field, index, label, value, index, start, end, (), index + 1)
    items = _split(label.field, value)
    after = index + 1
    while value.rstrip(" \t").endswith((",", ";")) and after < stop and _is_prose(lines[after]):
        value = lines[after].text.strip(" \t")
        items += _split(label.field, value)
        after += 1
    listed, after = _bullets(lines, after, stop, label.field, label if not items else None, free=not items)
    return Field(label.field, index, label, line.text[label.start : label.end], index, start, end,
                 (*items, *listed), after)  # fmt: skip


def below_label(
    lines: Sequence[Line], index: int, name: str, label: Label | None, place: tuple[int, int, int]
) -> Field:
    """A field whose value stands on a line of its own."""
    at, start, end = place
    line = lines[at]
    return Field(name, index, label, line.text[start:end], at, line.start + start, line.start + end, (), at + 1)


def _under_heading(lines: Sequence[Line], index: int, stop: int, name: str) -> Field | None:
    """`#### Priority` with the value below, as issue forms write it."""
    after = index + 1
    while after < stop and lines[after].kind is Kind.BLANK:
        after += 1
    if name in LISTS:
        inline: list[str] = []
        if after < stop and _is_prose(lines[after]):
            inline = _split(name, lines[after].text.strip(" \t"))
            after += 1
        listed, after = _bullets(lines, after, stop, name, None, free=True)
        end = lines[index].end
        return Field(name, index, None, "", index, end, end, (*inline, *listed), after)
    place = _value_below(lines, after, stop, name)
    return below_label(lines, index, name, None, place) if place else None


def _value_below(lines: Sequence[Line], index: int, stop: int, name: str) -> tuple[int, int, int] | None:
    """Line and columns of a short value that stands there, if one does."""
    if index >= stop or lines[index].kind is not Kind.TEXT or labels.label(lines[index].text):
        return None
    text = lines[index].text
    item = labels.bullet(text)
    start, end = labels.bare(text, len(text) - len(item.text) if item else len(text) - len(text.lstrip(" \t")))
    value = text[start:end]
    if not value or len(value.split()) > _WORDS_OF_A_VALUE:
        return None
    readers = {"Status": words.state, "Priority": words.priority, "Agent": words.agent}
    try:
        if name in readers:
            readers[name](value)
    except BadInput:
        return None
    return index, start, end


def _bullets(
    lines: Sequence[Line], index: int, stop: int, name: str, label: Label | None, *, free: bool
) -> tuple[list[str], int]:
    """The items below a label and the index after them.

    Right below an empty label any bullet is an item (below a bullet, any deeper one). Otherwise, also behind a blank
    line, only one that looks like what the list holds, so that a list of other things is left alone.
    """
    found: list[str] = []
    after, gap = index, False
    for at in range(index, stop):
        line = lines[at]
        if line.kind is Kind.BLANK:
            gap = True
            continue
        item = labels.bullet(line.text) if line.kind is Kind.TEXT else None
        if item is None or labels.label(line.text) is not None:
            break
        deeper = label is None or not label.bullet or item.indent > label.indent
        if not (free and deeper and (label is None or not gap or name == "Acceptance Criteria")) and not _fits(
            name, item.text
        ):
            break
        found += _split(name, item.text)
        after, gap = at + 1, False
    return found, after


def _fits(name: str, text: str) -> bool:
    if name == "Dependencies":
        return words.names_requirement(text)
    return name == "Files" and words.looks_like_path(text)


def _split(name: str, value: str) -> list[str]:
    if name == "Acceptance Criteria":
        return [value] if value else []
    return words.items(value)


def _is_prose(line: Line) -> bool:
    return line.kind is Kind.TEXT and labels.label(line.text) is None and labels.bullet(line.text) is None
