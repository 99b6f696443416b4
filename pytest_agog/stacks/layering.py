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
    return with_kinds([(_followed(one, read, parts), kind) for one, kind, parts in _absorbed(found, read)])


def _absorbed(
    found: list[tuple[Stack, Kind | None]], read: Map[str, Stack]
) -> list[tuple[Stack, Kind | None, list[Stack]]]:
    """The stacks that stand alone, each with those that are its parts.

    A part is included by another file, or holds nothing but services that others extend. It does not run by itself.
    """
    kept = list(found)
    parts: dict[str, list[Stack]] = {}
    reached = {one.file: _reached(one, read) for one, _ in found}
    for one, kind in found:
        homes = [other for other, _ in kept if other.file != one.file and one.file in reached[other.file]]
        if not homes or kind is not None:
            continue
        kept.remove((one, kind))
        for home in homes:
            parts.setdefault(home.file, []).extend([*parts.get(one.file, []), one])
    return [(one, kind, parts.get(one.file, [])) for one, kind in kept]


def _reached(stack: Stack, read: Map[str, Stack]) -> set[str]:
    """The files that are parts of `stack`."""
    found: set[str] = set()
    extended: dict[str, set[str]] = {}
    for file, root in stack.roots:
        found |= {other.file for other in _included(file, root, read)[0]}
        services = root.get("services")
        for entry in services.entries.values() if isinstance(services, Mapping) else ():
            where, name = _extends(file, entry.value)
            if where != file:
                extended.setdefault(where, set()).add(name)
    found |= {where for where, names in extended.items() if where in read and read[where].services.keys() <= names}
    return found - set(stack.files)


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


def _followed(stack: Stack, read: Map[str, Stack], parts: Seq[Stack] = ()) -> Stack:
    """`stack` with `extends` and `include` resolved, as far as what they name was given."""
    root = stack.roots[0][1]
    for _, layer in stack.roots[1:]:
        root = reading.merged(root, layer)
    if stack.legacy:
        return stack
    included, all_given = _included(stack.file, root, read)
    below: Mapping | None = None
    for other in included:
        below = reading.merged(below, other.roots[0][1]) if below is not None else other.roots[0][1]
    if below is not None:
        root = reading.merged(below, root)
    files = tuple(dict.fromkeys((*stack.files, *(file for part in parts for file in part.files))))
    roots = (*stack.roots, *(one for part in parts for one in part.roots))
    services = root.get("services")
    if not isinstance(services, Mapping):
        return replace(stack, files=files, roots=roots, partial=True)
    entries = {
        name: Entry(entry.line, _extended(entry.file or stack.file, services, entry.value, read, _DEEPEST), entry.file)
        for name, entry in services.entries.items()
    }
    new = Mapping(services.line, entries, services.doubled, services.file)
    whole = Mapping(
        root.line, {**root.entries, "services": Entry(root.line_of("services"), new)}, root.doubled, root.file
    )
    again = reading.assemble(stack.file, files, roots, whole)
    bare = any(one.image is None and one.build is None for one in again.services.values())
    partial = bare or not all_given or any(one.inherits for one in again.services.values())
    return replace(again, partial=partial)


def _included(
    file: str, root: Mapping, read: Map[str, Stack], above: frozenset[str] = frozenset()
) -> tuple[list[Stack], bool]:
    """The files that are included, and what those include, the deepest first; and whether all were given."""
    node = root.get("include")
    items = node.items if isinstance(node, Sequence) else []
    above |= {file}
    found: dict[str, Stack] = {}
    complete = True
    for item in items:
        for path in _paths(item):
            other = read.get(_beside(item.file or file, path))
            if other is None or other.file in above:
                complete = False
                continue
            if len(above) < _DEEPEST:
                further, all_given = _included(other.file, other.roots[0][1], read, above)
                found.update({one.file: one for one in further})
                complete = complete and all_given
            found[other.file] = other
    return list(found.values()), complete


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


def _extends(file: str, node: Node) -> tuple[str, str]:
    """The file and the name of what a service of `file` extends; `file` and nothing when it extends none."""
    named = node.get("extends") if isinstance(node, Mapping) else None
    if isinstance(named, Scalar):
        return file, named.text
    if not isinstance(named, Mapping):
        return file, ""
    target, other = named.get("service"), named.get("file")
    where = _beside(file, other.text) if isinstance(other, Scalar) and other.text else file
    return where, target.text if isinstance(target, Scalar) else ""


def _extended(file: str, services: Mapping, node: Node, read: Map[str, Stack], depth: int) -> Node:
    """A service with what it extends below it. What cannot be found leaves `extends` standing."""
    if not isinstance(node, Mapping) or "extends" not in node.entries or depth == 0:
        return node
    where, name = _extends(file, node)
    home = services
    if where != file:
        other = read.get(where)
        found = other.roots[0][1].get("services") if other is not None else None
        if not isinstance(found, Mapping):
            return node
        file, home = where, found
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
