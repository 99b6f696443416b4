"""YAML files with one or several documents, read so that each value knows its line.

Kubernetes reads YAML 1.1, and so does this. Duplicate keys and aliases are refused: neither has a place in a manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from pytest_agog.errors import BadInput

_LARGEST: Final = 2**20
"""Bytes of one file; a manifest of a stream has less than one thousandth of it."""
_DEEPEST: Final = 30
_SUFFIXES: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    path: Path
    line: int
    """Where it begins, from 1."""
    value: Any
    """As plain data."""
    lines: dict[tuple[str | int, ...], int]
    """The line of each key and each list item, by its path."""

    def at(self, location: Sequence[str | int]) -> str:
        """`file:line` of the deepest part of `location` that is there."""
        for end in range(len(location), -1, -1):
            if (line := self.lines.get(tuple(location[:end]))) is not None:
                return f"{self.path}:{line}"
        return f"{self.path}:{self.line}"


def files(paths: Sequence[Path]) -> list[Path]:
    """The YAML and JSON files that `paths` name, folders searched in full, each once, in order.

    Raises:
        BadInput: one is not there, or a folder holds none.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
            if not inside:
                raise BadInput(f"{path} holds no manifest. Give a folder with .yaml files.")
        elif path.is_file():
            inside = [path]
        else:
            raise BadInput(f"{path} is not there. Give files or folders with -f.")
        for file in inside:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def read(path: Path) -> list[Document]:
    """The documents of one file; empty ones are left out.

    Raises:
        BadInput: it cannot be read, or is no YAML.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise BadInput(f"{path} is larger than 1 MiB, which no manifest is. Give another file with -f.")
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}). Give another file with -f.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is no UTF-8 text. Convert it first.") from None
    try:
        return list(_documents(path, text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"{path}:{line}: no valid YAML ({error.problem}). Correct it.") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: no valid YAML ({' '.join(str(error).split())}). Correct it.") from None


def _documents(path: Path, text: str) -> Iterator[Document]:
    _refuse_aliases(path, text)
    loader = yaml.CSafeLoader(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            lines: dict[tuple[str | int, ...], int] = {}
            value = _Reader(path, loader, lines).value(node, ())
            if value is not None:
                yield Document(path, node.start_mark.line + 1, value, lines)
    finally:
        loader.dispose()


def _refuse_aliases(path: Path, text: str) -> None:
    """Before anything is composed: an alias to what is around it has no end, and depth costs recursion."""
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise BadInput(f"{path}:{line}: an alias (*{event.anchor}). Write the value out.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise BadInput(f"{path}:{line}: nested deeper than {_DEEPEST} levels. No manifest is.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Reader:
    def __init__(self, path: Path, loader: Any, lines: dict[tuple[str | int, ...], int]) -> None:
        self._path = path
        self._loader = loader
        self._lines = lines

    def value(self, node: yaml.Node, location: tuple[str | int, ...]) -> Any:
        self._lines.setdefault(location, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*location, index)) for index, item in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:timestamp":
            return str(node.value)  # Kubernetes has no times, it takes them as text
        try:
            return self._loader.construct_object(node)
        except (ValueError, yaml.constructor.ConstructorError) as error:
            line = node.start_mark.line + 1
            raise BadInput(
                f"{self._path}:{line}: {str(node.value)[:60]!r} cannot be read ({str(error).splitlines()[0]})."
            ) from None

    def _mapping(self, node: yaml.MappingNode, location: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise BadInput(f"{self._path}:{line}: a key that is no text. Write `name: value`.")
            name = str(key.value)
            if name in found:
                raise BadInput(f"{self._path}:{line}: {name!r} stands here a second time. Remove one of them.")
            self._lines[(*location, name)] = line
            found[name] = self.value(child, (*location, name))
        return found
