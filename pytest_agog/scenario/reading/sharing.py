"""Shared parts: `!include FILE` anywhere, `extends: FILE` at the top. Every node keeps the place where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_agog.scenario.data_files import DataRoots, NotFound
from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.budget import Budget
from pytest_agog.scenario.reading.nodes import Entry, Include, Mapping, Node, Scalar, Sequence, children
from pytest_agog.scenario.reading.source import Place, Source, Unreadable, read
from pytest_agog.scenario.reading.yaml_tree import parse
from pytest_agog.scenario.words import shown

MAX_CHAIN: Final = 16
"""How many files may include or extend one another in a row."""
MAX_FILES: Final = 300
"""How often one scenario may include or extend a file, each use counted."""
MAX_TEXT: Final = 4_000_000
"""How many characters all these files may have together, each use counted."""


def read_tree(source: Source, roots: DataRoots, problems: Problems) -> Node | None:
    """The tree of a scenario file with everything that it includes and extends put in its place.

    Raises:
        ScenarioErrors: a file is no YAML or beyond the limits; smaller problems are noted in `problems`.
    """
    return _Reader(roots, problems).root(source)


class _Reader:
    def __init__(self, roots: DataRoots, problems: Problems) -> None:
        self._roots = roots
        self._problems = problems
        self._budget = Budget(problems)
        self._files = 0
        self._text = 0
        self._chain: list[Path] = []
        """Files that are being read right now, outermost first."""

    def root(self, source: Source) -> Node | None:
        """A scenario file, or one that it extends."""
        self._chain.append(source.path)
        tree = parse(source, self._problems, self._budget)
        if isinstance(tree, Mapping) and (extends := tree.entries.get("extends")) is not None:
            own = Mapping(tree.place, {key: entry for key, entry in tree.entries.items() if key != "extends"})
            # The file's own includes come first: the chain still says which file they stand in.
            resolved = self._included(own, 1)
            tree = self._extended(extends, resolved if isinstance(resolved, Mapping) else own)
        elif tree is not None and "!include" in source.text:
            tree = self._included(tree, 1)
        self._chain.pop()
        return tree

    def _extended(self, extends: Entry, child: Mapping) -> Mapping:
        base: Mapping | None = None
        for place, path in self._names(extends.value):
            source = self._open(place, path)
            parent = self.root(source) if source is not None else None
            if isinstance(parent, Mapping):
                base = parent if base is None else merge(base, parent)
            elif source is not None:
                self._problems.add(place, f"{shown(path)} holds no mapping, so nothing can extend it")
        return child if base is None else merge(base, child)

    def _names(self, node: Node) -> list[tuple[Place, str]]:
        items = node.items if isinstance(node, Sequence) else [node]
        names = [(item.place, item.value) for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]
        if len(names) != len(items) or not names:
            self._problems.add(node.place, "expected a file, or a list of files, to extend")
        return names

    def _included(self, node: Node, depth: int) -> Node:
        """`node` with files in place of its includes; the same object when it has none."""
        self._budget.deep(node.place, depth)
        if isinstance(node, Include):
            return self._include(node, depth)
        if isinstance(node, Scalar) or not any(not isinstance(child, Scalar) for child in children(node)):
            return node
        if isinstance(node, Sequence):
            items = [self._included(item, depth + 1) for item in node.items]
            same = all(new is old for new, old in zip(items, node.items, strict=True))
            return node if same else Sequence(node.place, items)
        entries = {key: Entry(e.key, self._included(e.value, depth + 1)) for key, e in node.entries.items()}
        same = all(entries[key].value is node.entries[key].value for key in entries)
        return node if same else Mapping(node.place, entries)

    def _include(self, include: Include, depth: int) -> Node:
        source = self._open(include.place, include.path)
        if source is None:
            return Scalar(include.place, None)
        self._chain.append(source.path)
        tree = parse(source, self._problems, self._budget)
        if tree is None:
            self._problems.spoil(include.place, f"{shown(include.path)} is empty")
            tree = Scalar(include.place, None)
        tree = self._included(tree, depth)
        self._chain.pop()
        return tree

    def _open(self, place: Place, path: str) -> Source | None:
        """The file that is named at `place`; None, with the problem noted, when it cannot be had."""
        if len(self._chain) > MAX_CHAIN:
            self._problems.fatal(place, f"more than {MAX_CHAIN} files include or extend one another in a row")
        try:
            file = self._roots.find(path, beside=place.source.path.parent)
            if any(file.samefile(open_file) for open_file in self._chain):
                self._problems.spoil(place, f"{shown(path)} includes or extends itself, directly or through others")
                return None
            return self._counted(place, read(file))
        except NotFound as error:
            hint = "files are included before variables are put in" if "${" in path else error.hint
            self._problems.spoil(place, error.message, hint)
        except Unreadable as error:
            self._problems.mark_spoilt(place)
            self._problems.add(error.place, error.message, error.hint)
        except OSError as error:
            self._problems.spoil(place, f"{shown(path)} cannot be read: {error.strerror}")
        return None

    def _counted(self, place: Place, source: Source) -> Source:
        self._files += 1
        self._text += len(source.text)
        if self._files > MAX_FILES:
            self._problems.fatal(place, f"more than {MAX_FILES} times a file is included or extended")
        if self._text > MAX_TEXT:
            self._problems.fatal(place, f"all files together have more than {MAX_TEXT:,} characters")
        return source


def merge(parent: Mapping, child: Mapping) -> Mapping:
    """`parent` with `child` over it: mappings merge key by key, all else of the child's replaces the parent's."""
    entries = dict(parent.entries)
    for key, entry in child.entries.items():
        below = entries.get(key)
        if below is not None and isinstance(below.value, Mapping) and isinstance(entry.value, Mapping):
            entries[key] = Entry(entry.key, merge(below.value, entry.value))
        else:
            entries[key] = entry
    return Mapping(child.place, entries)
