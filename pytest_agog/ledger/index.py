"""An index by NATS subject: a tree of tokens, so that a wildcard visits only what can match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _Node(Generic[T]):
    __slots__ = ("children", "items")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.items: list[T] = []


class SubjectIndex(Generic[T]):
    """Items by subject, found by pattern in time proportional to what matches."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._leaves: dict[str, _Node[T]] = {}

    def add(self, subject: str, item: T) -> None:
        """File `item` under `subject`."""
        leaf = self._leaves.get(subject)
        if leaf is None:
            leaf = self._root
            for part in subject.split("."):
                leaf = leaf.children.setdefault(part, _Node())
            self._leaves[subject] = leaf
        leaf.items.append(item)

    def find(self, pattern: str) -> Iterator[T]:
        """Items whose subject fits `pattern`, grouped by subject, in the order in which they were added to it."""
        if "*" not in pattern and ">" not in pattern:
            leaf = self._leaves.get(pattern)
            return iter(leaf.items if leaf is not None else ())
        return self._walk(self._root, pattern.split("."), 0)

    def last(self, subject: str) -> T | None:
        """What was filed last under exactly `subject`."""
        leaf = self._leaves.get(subject)
        return leaf.items[-1] if leaf is not None else None

    def subjects(self) -> Iterator[str]:
        """All subjects that hold something."""
        return iter(self._leaves)

    def _walk(self, node: _Node[T], pattern: list[str], depth: int) -> Iterator[T]:
        if depth == len(pattern):
            yield from node.items
        elif pattern[depth] == ">":
            for child in node.children.values():
                yield from self._all(child)
        elif pattern[depth] == "*":
            for child in node.children.values():
                yield from self._walk(child, pattern, depth + 1)
        elif (child := node.children.get(pattern[depth])) is not None:  # type: ignore[assignment]
            yield from self._walk(child, pattern, depth + 1)

    def _all(self, node: _Node[T]) -> Iterator[T]:
        stack = [node]
        while stack:
            current = stack.pop()
            yield from current.items
            stack.extend(reversed(current.children.values()))
