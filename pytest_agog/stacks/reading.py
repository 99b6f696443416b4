"""A compose file's tree to services: short and long forms become one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final, Literal, NoReturn

from pytest_agog.stacks import interpolation
from pytest_agog.stacks.model import Dependency, Healthcheck, Resource, Said, Service, Stack, Variable
from pytest_agog.stacks.mounting import mounts
from pytest_agog.stacks.ports import ports
from pytest_agog.stacks.tree import ComposeUnreadable, Entry, Mapping, Node, Scalar, Sequence, parse

_TRUE: Final = ("true", "True", "TRUE", "yes", "on")
_TOP: Final = frozenset(
    {"version", "name", "services", "networks", "volumes", "configs", "secrets", "include", "models"}
)


def read(file: str, text: str) -> Stack:
    """The stack that one file describes.

    Raises:
        ComposeUnreadable: it is no compose file; the line and what is missing.
    """
    documents = parse(file, text)
    if not documents:
        raise ComposeUnreadable(file=file, line=1, reason="the file is empty", remedy="Give one with `services:`.")
    root = documents[0]
    for further in documents[1:]:
        root = merged(root, further)
    services = root.get("services")
    legacy = False
    if services is None and "include" not in root.entries:
        if not _is_legacy(root):
            _no_services(file, root)
        services, legacy = root, True
    if services is not None and not isinstance(services, Mapping):
        line = root.line_of("services")
        if not (isinstance(services, Scalar) and services.is_null):
            _refuse(file, line, "services must be a mapping of names", "Write `services:`, then a name a line.")
        if "include" not in root.entries:
            _refuse(file, line, "there are no services", "Name one below `services:`.")
    return assemble(file, (file,), ((file, root),), root, legacy=legacy)


def assemble(
    file: str, files: tuple[str, ...], roots: tuple[tuple[str, Mapping], ...], root: Mapping, *, legacy: bool = False
) -> Stack:
    """The stack of a root mapping, which may be several files read on top of each other.

    Raises:
        ComposeUnreadable: a service is no mapping.
    """
    found: dict[str, Service] = {}
    nodes = root if legacy else root.get("services")
    for name, entry in nodes.entries.items() if isinstance(nodes, Mapping) else ():
        if name.startswith("x-") or (legacy and name in _TOP):
            continue
        if not isinstance(entry.value, Mapping):
            _refuse(file, entry.line, f"the service {name!r} is no mapping", "Give it an image or a build.")
        found[name] = service(entry.file or file, name, entry.line, entry.value)
    partial = "include" in root.entries or any(one.inherits for one in found.values())
    partial = partial or any(one.image is None and one.build is None for one in found.values())
    name_node = root.get("name")
    return Stack(
        file, files, roots,
        name=interpolation.resolve(name_node.text) if isinstance(name_node, Scalar) and not legacy else "",
        services=found,
        volumes=_resources(file, root.get("volumes")) if not legacy else {},
        networks=_resources(file, root.get("networks")) if not legacy else {},
        legacy=legacy, partial=partial,
    )  # fmt: skip


def written(stack: Stack) -> Iterator[Service]:
    """Its services, and as each of its files says them alone: what an override hides still stands in the file."""
    yield from stack.services.values()
    for file, root in stack.roots if len(stack.roots) > 1 else ():
        services = root.get("services")
        for name, entry in services.entries.items() if isinstance(services, Mapping) else ():
            if isinstance(entry.value, Mapping) and not name.startswith("x-"):
                yield service(entry.file or file, name, entry.line, entry.value)


def merged(base: Mapping, over: Mapping) -> Mapping:
    """`over` on top of `base`, as compose reads several files: mappings join, lists of services' parts add up.

    `!reset` takes away what the base says, and `!override` puts its own in the place. Of `depends_on` and the like,
    a list and a mapping are two ways to write the same ([compose] merge).
    """
    entries = dict(base.entries)
    for key, given in over.entries.items():
        before, entry = entries.get(key), given
        if given.value.tag == "!reset":
            entries.pop(key, None)
            continue
        if before is not None and key in _PAIRS:
            before = Entry(before.line, _paired(before.value), before.file)
            entry = Entry(given.line, _paired(given.value), given.file)
        if before is None or entry.value.tag == "!override":
            entries[key] = entry
        elif isinstance(before.value, Mapping) and isinstance(entry.value, Mapping):
            entries[key] = Entry(before.line, merged(before.value, entry.value), before.file)
        elif isinstance(before.value, Sequence) and isinstance(entry.value, Sequence) and key not in _REPLACED:
            both = Sequence(before.value.line, [*before.value.items, *entry.value.items], before.value.file)
            entries[key] = Entry(before.line, both, before.file)
        else:
            entries[key] = entry
    return Mapping(base.line, entries, (*base.doubled, *over.doubled), base.file)


_REPLACED: Final = frozenset({"command", "entrypoint", "test"})
_PAIRS: Final = frozenset({"depends_on", "environment", "networks"})


def _paired(node: Node) -> Node:
    """A list of names, or of `NAME=value`, as the mapping that says the same; anything else as it is."""
    if not isinstance(node, Sequence) or not node.items or not all(isinstance(one, Scalar) for one in node.items):
        return node
    entries = {}
    for item in node.items:
        if isinstance(item, Scalar):
            name, equals, text = item.text.partition("=")
            value = Scalar(item.line, text, not equals, item.file)
            entries[name] = Entry(item.line, value, item.file)
    return Mapping(node.line, entries, (), node.file, node.tag)


def _is_legacy(root: Mapping) -> bool:
    values = [entry.value for key, entry in root.entries.items() if not key.startswith("x-")]
    return bool(values) and all(
        isinstance(value, Mapping) and ({"image", "build"} & value.entries.keys()) for value in values
    )


def _no_services(file: str, root: Mapping) -> NoReturn:
    near = next((key for key in root.entries if key.lower().rstrip("s") in ("service", "sevice")), None)
    hint = f" (it has {near!r})" if near is not None else ""
    _refuse(file, root.line, f"this is no compose file: it has no `services:`{hint}", "Add them below `services:`.")


def _refuse(file: str, line: int, reason: str, remedy: str) -> NoReturn:
    raise ComposeUnreadable(file=file, line=line, reason=reason, remedy=remedy)


def service(file: str, name: str, line: int, node: Mapping) -> Service:
    """One service from its mapping."""
    build, dockerfile = _build(file, node)
    command, command_said = _words(file, node, "command")
    develop = node.get("develop")
    return Service(
        name, line, file, node,
        image=_said(file, node, "image"),
        build=build,
        dockerfile=dockerfile,
        container_name=_said(file, node, "container_name"),
        command=command,
        command_said=command_said,
        entrypoint=_words(file, node, "entrypoint")[0],
        ports=tuple(ports(file, node.get("ports"))),
        mounts=tuple(mounts(file, node)),
        depends_on=tuple(_dependencies(file, node.get("depends_on"))),
        environment=tuple(variables(file, node.get("environment"))),
        healthcheck=_healthcheck(file, node),
        networks=tuple(_networks(file, node.get("networks"))),
        network_mode=_text(node.get("network_mode")),
        profiles=tuple(item.text for item in _scalars(node.get("profiles"))),
        restart=_text(node.get("restart")),
        working_dir=_text(node.get("working_dir")),
        watches=isinstance(develop, Mapping) and "watch" in develop.entries,
        inherits="extends" in node.entries,
    )  # fmt: skip


def said(file: str, node: Scalar) -> Said:
    """The text of a scalar with its defaults filled in, and its place."""
    return Said(interpolation.resolve(node.text), node.line, node.file or file, node.text)


def _said(file: str, node: Mapping, key: str) -> Said | None:
    value = node.get(key)
    return said(file, value) if isinstance(value, Scalar) and not value.is_null else None


def _text(node: Node | None) -> str:
    return interpolation.resolve(node.text) if isinstance(node, Scalar) and not node.is_null else ""


def _scalars(node: Node | None) -> list[Scalar]:
    if isinstance(node, Sequence):
        return [item for item in node.items if isinstance(item, Scalar)]
    return [node] if isinstance(node, Scalar) and not node.is_null else []


def _build(file: str, node: Mapping) -> tuple[Said | None, str]:
    value = node.get("build")
    if isinstance(value, Scalar) and not value.is_null:
        return said(file, value), ""
    if isinstance(value, Mapping):
        context = value.get("context")
        dockerfile = _text(value.get("dockerfile"))
        if isinstance(context, Scalar):
            return said(file, context), dockerfile
        return Said("", value.line, value.file or file), dockerfile
    return None, ""


def _words(file: str, node: Mapping, key: str) -> tuple[tuple[str, ...], Said | None]:
    value = node.get(key)
    if isinstance(value, Sequence):
        items = [said(file, item) for item in value.items if isinstance(item, Scalar)]
        whole = Said(
            " ".join(item.text for item in items), value.line, value.file or file, " ".join(item.raw for item in items)
        )
        return tuple(item.text for item in items), whole
    if isinstance(value, Scalar) and not value.is_null:
        one = said(file, value)
        return split(one.text), one
    return (), None


def split(text: str) -> tuple[str, ...]:
    """The words of a command line; those between spaces when its quotes do not match."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return tuple(text.split())


def _dependencies(file: str, node: Node | None) -> Iterator[Dependency]:
    if isinstance(node, Mapping):
        for name, entry in node.entries.items():
            value = entry.value
            place = Said(name, entry.line, entry.file or file)
            if isinstance(value, Mapping):
                required = _text(value.get("required")).lower() != "false"
                yield Dependency(name, _text(value.get("condition")), place, required)
            else:
                yield Dependency(name, "", place)
    else:
        for item in _scalars(node):
            yield Dependency(item.text, "", said(file, item))


def variables(file: str, node: Node | None) -> Iterator[Variable]:
    """The entries of `environment` or `args`, as list or as mapping."""
    if isinstance(node, Mapping):
        for name, entry in node.entries.items():
            if isinstance(entry.value, Scalar):
                value = None if entry.value.is_null else interpolation.resolve(entry.value.text)
                yield Variable(
                    name, value, Said(value or "", entry.value.line, entry.value.file or file, entry.value.text)
                )
    else:
        for item in _scalars(node):
            name, equals, value = item.text.partition("=")
            resolved = interpolation.resolve(value)
            yield Variable(name, resolved if equals else None, Said(resolved, item.line, item.file or file, value))


def _healthcheck(file: str, node: Mapping) -> Healthcheck | None:
    value = node.get("healthcheck")
    if not isinstance(value, Mapping):
        return None
    if _text(value.get("disable")) in _TRUE:
        place = Said("", node.line_of("healthcheck"), node.file_of("healthcheck") or file)
        return Healthcheck(place, "none", ())
    test = value.get("test")
    if isinstance(test, Scalar) and not test.is_null:
        one = said(file, test)
        return Healthcheck(one, "none" if one.text == "NONE" else "shell", (one.text,))
    if not isinstance(test, Sequence):
        return None
    words = [said(file, item) for item in test.items if isinstance(item, Scalar)]
    raw = " ".join(word.raw for word in words)
    place = Said(" ".join(word.text for word in words), value.line_of("test"), value.file_of("test") or file, raw)
    first = words[0].text if words else ""
    rest = tuple(word.text for word in words[1:])
    forms: dict[str, Literal["exec", "shell", "none"]] = {"CMD": "exec", "CMD-SHELL": "shell", "NONE": "none"}
    if first not in forms:
        return Healthcheck(place, "wrong", tuple(word.text for word in words))
    form = forms[first]
    return Healthcheck(place, form, (" ".join(rest),) if form == "shell" else rest)


def _networks(file: str, node: Node | None) -> Iterator[Said]:
    if isinstance(node, Mapping):
        for name, entry in node.entries.items():
            yield Said(name, entry.line, entry.file or file)
    else:
        for item in _scalars(node):
            yield said(file, item)


def _resources(file: str, node: Node | None) -> dict[str, Resource]:
    found = {}
    for name, entry in node.entries.items() if isinstance(node, Mapping) else ():
        place = Said(name, entry.line, entry.file or file)
        if not isinstance(entry.value, Mapping):
            found[name] = Resource(name, place)
            continue
        external = entry.value.get("external")
        called = _text(entry.value.get("name"))
        if isinstance(external, Mapping):
            called = called or _text(external.get("name"))
        is_external = isinstance(external, Mapping) or _text(external) in _TRUE
        found[name] = Resource(name, place, called, is_external)
    return found
