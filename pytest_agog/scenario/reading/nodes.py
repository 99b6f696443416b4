"""The tree of a YAML file: plain values that know their place. Immutable; aliases share nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pytest_agog.scenario.reading.core_schema import Scalar_
from pytest_agog.scenario.reading.places import Path_
from pytest_agog.scenario.reading.source import Place


class Scalar(NamedTuple):
    """Text, a number, true, false or null."""

    place: Place
    value: Scalar_


class Include(NamedTuple):
    """`!include FILE`, before the file was read."""

    place: Place
    path: str


class Sequence(NamedTuple):
    """A list."""

    place: Place
    items: list[Node]


class Entry(NamedTuple):
    """A key's place, and its value."""

    key: Place
    value: Node


class Mapping(NamedTuple):
    """Keys, always text as written, and values."""

    place: Place
    entries: dict[str, Entry]


Node = Scalar | Include | Sequence | Mapping


def plain(node: Node) -> Any:
    """`node` as plain data: what a YAML library would return. An include that was not read is null."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Mapping):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return None


def children(node: Node) -> Iterator[Node]:
    """The values directly in `node`."""
    if isinstance(node, Mapping):
        for entry in node.entries.values():
            yield entry.value
    elif isinstance(node, Sequence):
        yield from node.items


class Located(NamedTuple):
    """Where a path leads: as far into the tree as it goes."""

    node: Node
    place: Place
    key: Place | None
    """The key that the last step went through, when it was one."""
    path: Path_
    """The part of the path that exists."""


def locate(node: Node, path: Path_) -> Located:
    """Follow `path` from `node`; steps that the tree does not have (pydantic's names of union branches) are skipped."""
    key: Place | None = None
    walked: list[str | int] = []
    for step in path:
        if isinstance(node, Mapping) and (entry := node.entries.get(str(step))) is not None:
            key, node = entry.key, entry.value
        elif isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
            key, node = None, node.items[step]
        else:
            continue
        walked.append(step)
    return Located(node, node.place, key, tuple(walked))
