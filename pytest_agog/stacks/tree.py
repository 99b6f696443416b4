"""YAML text of a compose file to a tree in which every node knows its line.

Compose files share parts by anchors, merge keys (`<<`) and `x-` extensions; a file may hold several documents; tags
such as `!reset` are allowed. Nothing is constructed from a tag, and an alias shares what it repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml

from pytest_agog.errors import BadInput

MAX_CHARACTERS: Final = 2_000_000
_MAX_DEPTH: Final = 60
_MAX_NODES: Final = 200_000
"""Counted as if every alias were written out."""
_MERGE: Final = "<<"


class ComposeUnreadable(BadInput):
    """{file}:{line}: {reason}. {remedy}"""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, as text. `plain` says that it stood without quotes, so that `true` and an empty value mean more."""

    line: int
    text: str
    plain: bool = True
    file: str = ""
    tag: str = ""
    """Such as `!reset`; empty without one."""

    @property
    def is_null(self) -> bool:
        """Whether nothing is given."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: list[Node]
    file: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The line of a key, and its value."""

    line: int
    value: Node
    file: str = ""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values. Merge keys are resolved: what stands in the mapping itself wins."""

    line: int
    entries: dict[str, Entry]
    doubled: tuple[tuple[str, int], ...] = ()
    """Keys that stand here twice, with the line of the second."""
    file: str = ""
    tag: str = ""

    def get(self, key: str) -> Node | None:
        """The value of `key`; None when it is absent."""
        entry = self.entries.get(key)
        return entry.value if entry is not None else None

    def line_of(self, key: str) -> int:
        """The line of `key`; of the mapping when it is absent."""
        entry = self.entries.get(key)
        return entry.line if entry is not None else self.line

    def file_of(self, key: str) -> str:
        """The file in which `line_of` counts; empty for a mapping that was never read from one."""
        entry = self.entries.get(key)
        return entry.file if entry is not None and entry.file else self.file


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class _Open:
    line: int
    anchor: str | None
    is_list: bool
    tag: str = ""
    weight: int = 1
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    merged: list[Node] = field(default_factory=list)
    doubled: list[tuple[str, int]] = field(default_factory=list)
    key: tuple[str, int] | None = None


def parse(file: str, text: str) -> list[Mapping]:
    """The documents of a file; empty ones are left out.

    Raises:
        ComposeUnreadable: it is no YAML, or no mapping, or beyond the limits.
    """
    if len(text) > MAX_CHARACTERS:
        _refuse(file, 1, f"the file has {len(text):,} characters, at most {MAX_CHARACTERS:,} are read", "Split it.")
    builder = _Builder(file)
    text = text.removeprefix("\ufeff")
    loader = yaml.CSafeLoader(text)
    try:
        while (event := loader.get_event()) is not None:
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(str(error.problem or error.context or "it cannot be read").split())
        remedy = "Check indentation, colons and quotes in this line and the one before."
        _refuse(file, mark.line + 1 if mark else 1, f"not valid YAML: {reason}", remedy)
    except yaml.YAMLError as error:
        line = 1 + text.encode()[: getattr(error, "position", 0)].count(b"\n")
        _refuse(file, line, f"not valid YAML: {' '.join(str(error).split())[:100]}", "Save it as UTF-8 text.")
    documents = []
    for root in builder.roots:
        if isinstance(root, Scalar) and root.is_null:
            continue
        if not isinstance(root, Mapping):
            _refuse(file, root.line, "this is no compose file: it holds no keys", "Give one with `services:`.")
        documents.append(root)
    return documents


def _refuse(file: str, line: int, reason: str, remedy: str) -> NoReturn:
    raise ComposeUnreadable(file=file, line=line, reason=reason, remedy=remedy)


class _Builder:
    """Takes libyaml's events in order, without recursion."""

    def __init__(self, file: str) -> None:
        self.roots: list[Node] = []
        self._file = file
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0

    def take(self, event: Any) -> None:
        """One event."""
        line = event.start_mark.line + 1
        match event:
            case yaml.ScalarEvent():
                self._count(line, 1)
                node = Scalar(line, event.value, event.style in (None, ""), self._file, event.tag or "")
                self._keep(event.anchor, node, 1)
                self._put(node)
            case yaml.AliasEvent():
                found = self._anchors.get(str(event.anchor))
                if found is None:
                    _refuse(self._file, line, f"nothing before this has the anchor &{event.anchor}", "Add the anchor.")
                self._count(line, found[1])
                if self._open:
                    self._open[-1].weight += found[1]
                self._put(found[0])
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._count(line, 1)
                if len(self._open) >= _MAX_DEPTH:
                    _refuse(self._file, line, f"nested more than {_MAX_DEPTH} levels deep", "Write it flatter.")
                is_list = isinstance(event, yaml.SequenceStartEvent)
                self._open.append(_Open(line, event.anchor, is_list, event.tag or ""))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()
            case yaml.DocumentStartEvent():
                self._anchors.clear()

    def _count(self, line: int, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _MAX_NODES:
            _refuse(self._file, line, f"more than {_MAX_NODES:,} values, with aliases written out", "Split the file.")

    def _keep(self, anchor: str | None, node: Node, weight: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, weight)

    def _end(self) -> None:
        opened = self._open.pop()
        node: Node
        if opened.is_list:
            node = Sequence(opened.line, opened.items, self._file, opened.tag)
        else:
            node = Mapping(opened.line, _merged(opened), tuple(opened.doubled), self._file, opened.tag)
        self._keep(opened.anchor, node, opened.weight)
        if self._open:
            self._open[-1].weight += opened.weight
        self._put(node)

    def _put(self, node: Node) -> None:
        if not self._open:
            self.roots.append(node)
            return
        top = self._open[-1]
        if top.is_list:
            top.items.append(node)
        elif top.key is None:
            if not isinstance(node, Scalar):
                _refuse(self._file, node.line, "a key must be plain text, not a list or mapping", "Quote it.")
            top.key = (node.text, node.line)
        else:
            key, line = top.key
            top.key = None
            if key == _MERGE:
                top.merged.extend(node.items if isinstance(node, Sequence) else [node])
                return
            if key in top.entries:
                top.doubled.append((key, line))
            top.entries[key] = Entry(line, node, self._file)


def _merged(opened: _Open) -> dict[str, Entry]:
    """Its own keys, then those of what it merges; of several, the earlier wins."""
    entries = dict(opened.entries)
    for source in opened.merged:
        if isinstance(source, Mapping):
            for key, entry in source.entries.items():
                entries.setdefault(key, entry)
    return entries


def walk(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Every node below `node` with the keys that lead to it; list items add nothing to the path."""
    pending: list[tuple[tuple[str, ...], Node]] = [(path, node)]
    while pending:
        where, one = pending.pop()
        yield where, one
        if isinstance(one, Mapping):
            pending.extend(((*where, key), entry.value) for key, entry in reversed(one.entries.items()))
        elif isinstance(one, Sequence):
            pending.extend((where, item) for item in reversed(one.items))
