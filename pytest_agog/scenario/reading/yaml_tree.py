"""YAML text to a tree of nodes with places.

Built straight from libyaml's events, without recursion: neither deep nesting nor an alias bomb costs more than the
limits allow, and nothing is ever constructed from a tag.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml

from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.budget import Budget
from pytest_agog.scenario.reading.core_schema import Scalar_, resolve
from pytest_agog.scenario.reading.nodes import Entry, Include, Mapping, Node, Scalar, Sequence
from pytest_agog.scenario.reading.source import Place, Source
from pytest_agog.scenario.words import did_you_mean, shown

_NO_COLON: Final = "could not find expected ':'"
_CORE: Final = "tag:yaml.org,2002:"
_COLLECTION_TAGS: Final[dict[Any, tuple[str, str]]] = {
    yaml.MappingStartEvent: ("!", f"{_CORE}map"),
    yaml.SequenceStartEvent: ("!", f"{_CORE}seq"),
}
_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    f"{_CORE}int": int, f"{_CORE}float": float, f"{_CORE}bool": bool, f"{_CORE}null": type(None),
}  # fmt: skip


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    start: int
    anchor: str | None
    nodes_before: int
    text_before: int
    items: list[Node] | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    key: tuple[str, Place] | None = None
    """The key whose value comes next."""
    refused: bool = False
    """The value that comes next belongs to a key that was refused."""


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    nodes: int
    text: int
    height: int


def parse(source: Source, problems: Problems, budget: Budget | None = None) -> Node | None:
    """The tree of `source`; None when it holds nothing. Problems that allow reading on are noted in `problems`.

    Raises:
        ScenarioErrors: it is no YAML, or beyond the limits.
    """
    builder = _Builder(source, problems, budget or Budget(problems))
    loader = yaml.CSafeLoader(source.text)
    try:
        while (event := loader.get_event()) is not None:
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        _not_yaml(source, problems, error)
    except yaml.YAMLError as error:
        problems.fatal(Place(source, 0, 0), f"not valid YAML: {shown(str(error), 100)}")
    return builder.root


class _Builder:
    """Takes events in order, holds the lists and mappings that are open."""

    def __init__(self, source: Source, problems: Problems, budget: Budget) -> None:
        self.root: Node | None = None
        self._source = source
        self._problems = problems
        self._budget = budget
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._heights: list[int] = []
        """For each open one, how deep the tree below it is so far: an alias must not nest deeper than is allowed."""
        self._documents = 0

    def take(self, event: Any) -> None:
        """One event from libyaml."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._begin(event, kind)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._end(event)
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                self._problems.fatal(self._place(event), "a second document; a file holds one", "remove the `---`")

    def _place(self, event: Any) -> Place:
        return Place(self._source, event.start_mark.index, event.end_mark.index)

    def _scalar(self, event: Any) -> None:
        place = self._place(event)
        self._budget.spend(place, 1, len(event.value))
        if self._wants_key():
            self._key(event, place)
            return
        node: Node
        node = Include(place, event.value) if event.tag == "!include" else Scalar(place, self._value(event, place))
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(node, 1, len(event.value), 0)
        self._put(node, 0)

    def _value(self, event: Any, place: Place) -> Scalar_:
        tag: str | None = event.tag
        text: str = event.value
        if tag is None:
            if not event.implicit[0]:
                return text
            return self._resolved(text, place)
        if tag in ("!", f"{_CORE}str"):
            return text
        if (wanted := _TYPES.get(tag)) is not None:
            value = self._resolved(text, place)
            if wanted is float and type(value) is int:
                value = float(value) if abs(value) < 2**1000 else value
            if isinstance(value, wanted) and not (wanted is int and isinstance(value, bool)):
                return value
            self._problems.spoil(place, f"{shown(text)} is no !!{tag.removeprefix(_CORE)}")
            return None
        self._refuse_tag(tag, place)
        return None

    def _resolved(self, text: str, place: Place) -> Scalar_:
        try:
            return resolve(text)
        except ValueError as error:
            self._problems.spoil(place, str(error))
            return None

    def _refuse_tag(self, tag: str, place: Place) -> None:
        written = f"!!{tag.removeprefix(_CORE)}" if tag.startswith(_CORE) else tag
        self._problems.spoil(place, f"the tag {shown(written)} is not allowed", "the only tag is !include FILE")

    def _wants_key(self) -> bool:
        if not self._open:
            return False
        top = self._open[-1]
        return top.items is None and top.key is None and not top.refused

    def _key(self, event: Any, place: Place) -> None:
        top = self._open[-1]
        text: str = event.value
        if event.tag is not None and event.tag not in ("!", f"{_CORE}str"):
            self._refuse_tag(event.tag, place)
            top.refused = True
        elif event.implicit[0] and event.tag is None and text == "<<":
            self._problems.add(
                place, "`<<` merges nothing in YAML 1.2", "`extends: FILE` shares parts, so does `!include FILE`"
            )
            top.refused = True
        elif event.implicit[0] and text == "":
            self._problems.add(place, "a key is missing before the colon")
            top.refused = True
        elif text in top.entries:
            line = top.entries[text].key.position.line
            self._problems.add(place, f"the key {shown(text)} stands here twice", f"it stands in line {line} already")
            top.refused = True
        else:
            top.key = (text, place)
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchored(Scalar(place, text), 1, len(text), 0)

    def _begin(self, event: Any, kind: Any) -> None:
        place = self._place(event)
        self._budget.spend(place, 1, 0)
        self._budget.deep(place, len(self._open) + 1)
        if event.tag is not None and event.tag not in _COLLECTION_TAGS[kind]:
            if event.tag == "!include":
                self._problems.spoil(place, "!include takes the name of one file")
            else:
                self._refuse_tag(event.tag, place)
        if self._wants_key():
            self._problems.add(place, "a key must be plain text, not a list or mapping")
            # Read as the value of a refused key; then the value itself follows and is dropped in turn.
            self._open[-1].key = ("\0", place)
            self._open[-1].refused = True
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        opened = _Open(event.start_mark.index, event.anchor, self._budget.nodes - 1, self._budget.text)
        if kind is yaml.SequenceStartEvent:
            opened.items = []
        self._open.append(opened)
        self._heights.append(0)

    def _end(self, event: Any) -> None:
        opened = self._open.pop()
        height = self._heights.pop() + 1
        place = Place(self._source, opened.start, event.end_mark.index)
        node: Node
        node = Mapping(place, opened.entries) if opened.items is None else Sequence(place, opened.items)
        if opened.anchor is not None:
            nodes = self._budget.nodes - opened.nodes_before
            self._anchors[opened.anchor] = _Anchored(node, nodes, self._budget.text - opened.text_before, height)
        self._put(node, height)

    def _alias(self, event: Any) -> None:
        place = self._place(event)
        name: str = event.anchor
        if any(opened.anchor == name for opened in self._open):
            self._problems.fatal(place, f"the alias *{name} stands inside what it repeats, so it has no end")
        anchored = self._anchors.get(name)
        if anchored is None:
            near = did_you_mean(name, self._anchors)
            self._problems.spoil(place, f"nothing before this has the anchor &{name}{near}")
            anchored = _Anchored(Scalar(place, None), 1, 0, 0)
        self._budget.spend(place, anchored.nodes, anchored.text)
        self._budget.deep(place, len(self._open) + anchored.height)
        if self._wants_key():
            self._problems.add(place, "a key must be plain text, not an alias")
            self._open[-1].refused = True
        else:
            self._put(anchored.node, anchored.height)

    def _put(self, node: Node, height: int) -> None:
        """A value is complete: into the list or mapping that is open, or it is the root."""
        if not self._open:
            self.root = node
            return
        self._heights[-1] = max(self._heights[-1], height)
        top = self._open[-1]
        if top.items is not None:
            top.items.append(node)
        elif top.key is not None:
            key, place = top.key
            top.key = None
            if not top.refused:
                top.entries[key] = Entry(place, node)
        else:
            top.refused = False


def _not_yaml(source: Source, problems: Problems, error: yaml.MarkedYAMLError) -> None:
    mark = error.problem_mark or error.context_mark
    index = mark.index if mark is not None else 0
    place = Place(source, index, index + 1)
    if tab := _tab_before(source, place):
        problems.fatal(tab, "a tab indents this line; YAML takes spaces only", "replace it with two spaces")
    text = str(error.problem or error.context or "it cannot be read")
    if text == _NO_COLON and error.context_mark is not None:
        _without_colon(source, problems, error.context_mark.index)
    if error.context_mark is not None and not source.text[index:].strip():
        # The file ends before something does; where that begins is of more use than the end.
        place, text = Place(source, error.context_mark.index, error.context_mark.index + 1), f"{text} ({error.context})"
    elif error.problem and error.context and error.context_mark is not None:
        line = source.position(error.context_mark.index).line
        text += f" ({error.context} that begins in line {line})"
    problems.fatal(place, f"not valid YAML: {text}", _remedy(text))


def _without_colon(source: Source, problems: Problems, start: int) -> NoReturn:
    """What lacks a colon begins at `start`; libyaml only notices where the next line begins, or the file ends."""
    position = source.position(start)
    length = len(source.line(position.line)[position.column - 1 :].rstrip())
    place = Place(source, start, start + max(length, 1))
    if source.text[start : start + 1] in {"[", "{", '"', "'"}:
        problems.fatal(place, "not valid YAML: this is never closed", "close the bracket or the quotes")
    problems.fatal(place, "a key without a value", "write `key: value`, with a space after the colon")


def _tab_before(source: Source, place: Place) -> Place | None:
    """A tab in the indentation of the line at `place`, or of one of the two before it."""
    number = place.position.line
    for candidate in (number, number - 1, number - 2):
        line = source.line(candidate) if candidate >= 1 else ""
        indentation = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indentation and len(indentation) < len(line):
            start = source.line_starts()[candidate - 1] + indentation.index("\t")
            return Place(source, start, start + 1)
    return None


def _remedy(text: str) -> str:
    if "mapping values are not allowed" in text:
        return "text that holds `: ` needs quotes; or the indentation is wrong"
    if "unexpected ':'" in text:
        return "in braces and brackets a colon needs a space after it"
    if "cannot start any token" in text or "expected alphabetic or numeric" in text:
        return "text that begins with one of @ ` % * & > | needs quotes"
    if "did not find expected key" in text or "did not find expected '-'" in text:
        return "check the indentation, that every key has a colon, and that quotes inside quotes are doubled"
    if "end of stream" in text:
        return "close the quotes"
    if "expected ',' or" in text:
        return "a bracket is not closed, or text with a comma or bracket needs quotes"
    return ""
