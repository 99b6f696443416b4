"""Several files to stacks: overrides lie on what they change; `extends` and `include` are followed where given."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping as Map
from collections.abc import Sequence as Seq
from dataclasses import replace
from typing import Final

from pytest_agog.stacks import reading
from pytest_agog.stacks.kinds import with_kinds
from pytest_agog.stacks.model import Kind, Stack
from pytest_agog.stacks.tree import Entry, Mapping, Node, Scalar, Sequence

_OVERRIDE: Final = re.compile(r"^(?P<base>.+?)[.-]override(?P<end>\.ya?ml)$")
_DEEPEST: Final = 10


def stacks(
    files: Seq[tuple[str, str]], app: Seq[tuple[str, str]] = (), agents: Seq[tuple[str, str]] = ()
) -> list[Stack]:
    """The stacks of `files` (name and text), each its own unless one changes another; those of `app` make one stack,
    those of `agents` another.

    Raises:
        ComposeUnreadable: one of them is no compose file.
    """
    found: list[tuple[Stack, Kind | None]] = []
    given: tuple[tuple[Seq[tuple[str, str]], Kind], ...] = ((app, "app"), (agents, "agents"))
    read = {name: reading.read(name, text) for name, text in (*app, *agents, *files)}
    for named, kind in given:
        if named:
            layers = [read[name] for name, _ in named]
            found.append((_layered(layers), kind))
    found += [(one, None) for one in _grouped([read[name] for name, _ in files])]
    return with_kinds([(_followed(one, read), kind) for one, kind in found])


def _grouped(singles: list[Stack]) -> list[Stack]:
    """Each file its own stack; what changes another of them lies on top of it."""
    groups: list[list[Stack]] = []
    for one in singles:
        base = next((group for group in groups if changes(group[0], one)), None)
        if base is not None:
            base.append(one)
        else:
            groups.append([one])
    merged: list[list[Stack]] = []
    for group in groups:  # an override may be named before its base
        base = next((other for other in groups if other is not group and changes(other[0], group[0])), None)
        if base is not None and base not in merged:
            base.extend(group)
        elif base is None:
            merged.append(group)
        else:
            base.extend(group)
    return [_layered(group) for group in merged]


def changes(base: Stack, over: Stack) -> bool:
    """Whether `over` only makes sense on top of `base`: by its name, or as its services have no image of their own."""
    match = _OVERRIDE.match(over.file)
    if match is not None and f"{match['base']}{match['end']}" == base.file:
        return True
    without = {name: one for name, one in over.services.items() if one.image is None and one.build is None}
    bare = [name for name, one in without.items() if not one.inherits]
    if not bare or base.file == over.file:
        return False
    return all(
        name in base.services and (base.services[name].image or base.services[name].build) is not None for name in bare
    )


def _layered(layers: list[Stack]) -> Stack:
    if len(layers) == 1:
        return layers[0]
    root = layers[0].roots[0][1]
    for layer in layers[1:]:
        root = reading.merged(root, layer.roots[0][1])
    roots = tuple(root for layer in layers for root in layer.roots)
    return reading.assemble(layers[0].file, tuple(layer.file for layer in layers), roots, root)


def _followed(stack: Stack, read: Map[str, Stack]) -> Stack:
    """`stack` with `extends` and `include` resolved, as far as what they name was given."""
    root = stack.roots[0][1]
    for _, layer in stack.roots[1:]:
        root = reading.merged(root, layer)
    if stack.legacy:
        return stack
    included, all_given = _included(stack.file, root, read)
    for other in included:
        root = reading.merged(other, root)
    services = root.get("services")
    if not isinstance(services, Mapping):
        return replace(stack, partial=True)
    entries = {
        name: Entry(entry.line, _extended(stack.file, services, entry.value, read, _DEEPEST), entry.file)
        for name, entry in services.entries.items()
    }
    new = Mapping(services.line, entries, services.doubled, services.file)
    whole = Mapping(
        root.line, {**root.entries, "services": Entry(root.line_of("services"), new)}, root.doubled, root.file
    )
    again = reading.assemble(stack.file, stack.files, stack.roots, whole)
    bare = any(one.image is None and one.build is None for one in again.services.values())
    partial = bare or not all_given or any(one.inherits for one in again.services.values())
    return replace(again, partial=partial)


def _included(file: str, root: Mapping, read: Map[str, Stack]) -> tuple[list[Mapping], bool]:
    node = root.get("include")
    items = node.items if isinstance(node, Sequence) else []
    found, complete = [], True
    for item in items:
        for path in _paths(item):
            other = read.get(_beside(file, path))
            if other is None or other.file == file:
                complete = False
            else:
                found.append(other.roots[0][1])
    return found, complete


def _paths(item: Node) -> list[str]:
    if isinstance(item, Scalar):
        return [item.text]
    if isinstance(item, Mapping):
        path = item.get("path")
        if isinstance(path, Sequence):
            return [one.text for one in path.items if isinstance(one, Scalar)]
        return [path.text] if isinstance(path, Scalar) else []
    return []


def _beside(file: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), path))


def _extended(file: str, services: Mapping, node: Node, read: Map[str, Stack], depth: int) -> Node:
    """A service with what it extends below it. What cannot be found leaves `extends` standing."""
    if not isinstance(node, Mapping) or "extends" not in node.entries or depth == 0:
        return node
    named = node.get("extends")
    other_file, name = "", ""
    if isinstance(named, Scalar):
        name = named.text
    elif isinstance(named, Mapping):
        target, other = named.get("service"), named.get("file")
        name = target.text if isinstance(target, Scalar) else ""
        other_file = other.text if isinstance(other, Scalar) else ""
    home = services
    if other_file:
        where = read.get(_beside(file, other_file))
        found = where.roots[0][1].get("services") if where is not None else None
        if where is None or not isinstance(found, Mapping):
            return node
        file, home = where.file, found
    base = home.get(name)
    if not isinstance(base, Mapping) or base is node:
        return node
    base = _extended(file, home, base, read, depth - 1)
    if not isinstance(base, Mapping):
        return node
    # Waiting and sharing are not inherited ([compose] extends): only what the service itself is.
    kept = {key: entry for key, entry in base.entries.items() if key not in ("depends_on", "links", "volumes_from")}
    own = {key: entry for key, entry in node.entries.items() if key != "extends"}
    return reading.merged(Mapping(base.line, kept, (), base.file), Mapping(node.line, own, node.doubled, node.file))
