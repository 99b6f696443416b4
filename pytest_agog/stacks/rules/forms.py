"""Values of a form that compose refuses: a text for a list, a list for a mapping, ports that no host has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_agog.stacks.model import Port, Stack
from pytest_agog.stacks.rules.base import Remark, Rule, at, each
from pytest_agog.stacks.tree import Mapping, Node, Scalar, Sequence

_LIST: Final = "a list"
_MAPPING: Final = "a mapping"
_EITHER: Final = "a list or a mapping"
_OF_SERVICES: Final = {
    "ports": _LIST, "volumes": _LIST, "links": _LIST, "external_links": _LIST, "volumes_from": _LIST,
    "profiles": _LIST, "cap_add": _LIST, "devices": _LIST, "healthcheck": _MAPPING, "deploy": _MAPPING,
    "depends_on": _EITHER, "environment": _EITHER, "networks": _EITHER, "extra_hosts": _EITHER,
}  # fmt: skip
_OF_TEXTS: Final = (
    "environment", "depends_on", "networks", "links", "profiles", "cap_add", "extra_hosts", "expose", "command",
    "entrypoint",
)  # fmt: skip
"""Lists of texts: `- KEY: value` is a mapping with one key, which is not what `- KEY=value` is."""
_OF_FILES: Final = {"volumes": _MAPPING, "networks": _MAPPING, "secrets": _MAPPING, "configs": _MAPPING}
_NUMBERS: Final = re.compile(r"(\d+)(?:-(\d+))?")
_LARGEST: Final = 65535


def _forms(stack: Stack) -> Iterator[Remark]:
    if stack.legacy:
        return
    for file, root in stack.roots:
        yield from _wrong(file, "", root, _OF_FILES)
        services = root.get("services")
        for name, entry in services.entries.items() if isinstance(services, Mapping) else ():
            if isinstance(entry.value, Mapping):
                yield from _wrong(file, f"service {name}: ", entry.value, _OF_SERVICES)
                yield from _items(file, name, entry.value)
    for service in stack.services.values():
        for port in service.ports:
            if why := _no_port(port):
                yield at(
                    port.said, f"service {service.name} publishes {port.said.text}: {why}",
                    f"Take a port from 1 to {_LARGEST}, the first of a range before the last.",
                )  # fmt: skip


def _wrong(file: str, whose: str, node: Mapping, wanted: dict[str, str]) -> Iterator[Remark]:
    for key, form in wanted.items():
        value = node.get(key)
        if value is None or _fits(value, form):
            continue
        what = "a text" if isinstance(value, Scalar) else "a list" if isinstance(value, Sequence) else "a mapping"
        line, place = node.line_of(key), node.file_of(key) or file
        yield Remark(place, line, f"{whose}{key} is {what}, and has to be {form}", f"Write {key} as {form}.")


def _items(file: str, service: str, node: Mapping) -> Iterator[Remark]:
    for key in _OF_TEXTS:
        value = node.get(key)
        for item in value.items if isinstance(value, Sequence) else ():
            if isinstance(item, Scalar):
                continue
            what = "a list" if isinstance(item, Sequence) else "a mapping"
            instead = (
                "Write KEY=value, without a colon" if key == "environment" else "Put quotes around what has a colon"
            )
            text = f"service {service}: an entry of {key} is {what}, and has to be a text"
            yield Remark(item.file or file, item.line, text, f"{instead}.")


def _fits(value: Node, form: str) -> bool:
    if isinstance(value, Scalar):
        return value.is_null or value.tag == "!reset"
    return form == _EITHER or isinstance(value, Sequence if form == _LIST else Mapping)


def _no_port(port: Port) -> str:
    """Why no engine can publish it; empty when it can, or the environment decides."""
    parts = port.said.text.partition("/")[0].split(":")
    spans = [match for match in map(_NUMBERS.fullmatch, parts[-2:]) if match is not None]
    widths = []
    for match in spans:
        first, last = int(match[1]), int(match[2] or match[1])
        if max(first, last) > _LARGEST:
            return f"{match[0]} is no port"
        if last < first:
            return f"{match[0]} ends before it begins"
        widths.append(last - first)
    return "the ranges differ in length" if len(widths) > 1 and widths[1] not in (0, widths[0]) else ""


RULES: Final = (Rule("wrong-form", "Compose refuses the file, and nothing of it starts.", each(_forms)),)
