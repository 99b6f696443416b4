"""Published ports: short and long syntax, ranges, addresses and protocols."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_agog.stacks import interpolation
from pytest_agog.stacks.model import Port, Said
from pytest_agog.stacks.tree import Mapping, Node, Scalar, Sequence

_SHORT: Final = re.compile(
    r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/\[\]]*):)??(?:(?P<published>[^:/]*):)?(?P<target>[^:/]+)(?:/(?P<protocol>\w+))?"
)
_RANGE: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_LARGEST: Final = 65535
_EVERYWHERE: Final = ("", "0.0.0.0", "::", "[::]", "*")  # noqa: S104 - what files say, not what we bind


def ports(file: str, node: Node | None) -> Iterator[Port]:
    """The entries of `ports`; one that cannot be read publishes nothing."""
    if not isinstance(node, Sequence):
        return
    for item in node.items:
        if isinstance(item, Scalar):
            yield _short(file, item)
        elif isinstance(item, Mapping):
            yield _long(file, item)


def _short(file: str, item: Scalar) -> Port:
    text = interpolation.resolve(item.text).strip()
    place = Said(text, item.line, item.file or file, item.text)
    match = _SHORT.fullmatch(text)
    if match is None:
        return Port(place, None, None, "tcp", "", "")
    first, last = _span(match["published"])
    return Port(place, first, last, match["protocol"] or "tcp", match["host"] or "", match["target"])


def _long(file: str, item: Mapping) -> Port:
    def text(key: str) -> str:
        value = item.get(key)
        return interpolation.resolve(value.text) if isinstance(value, Scalar) and not value.is_null else ""

    published = text("published")
    place = Said(f"{published}:{text('target')}", item.line_of("published"), item.file_of("published") or file)
    first, last = _span(published)
    return Port(place, first, last, text("protocol") or "tcp", text("host_ip"), text("target"))


def _span(text: str | None) -> tuple[int | None, int | None]:
    match = _RANGE.fullmatch(text or "")
    if match is None:
        return None, None
    first = int(match[1])
    last = int(match[2] or match[1])
    return (first, last) if 0 < first <= last <= _LARGEST else (None, None)


def clash(one: Port, other: Port) -> bool:
    """Whether both want the same port of the same address."""
    if one.first is None or other.first is None or one.last is None or other.last is None:
        return False
    if one.protocol.lower() != other.protocol.lower() or not _same_address(one.host, other.host):
        return False
    # A range for one port, or for fewer ports than it has, leaves the choice to the engine.
    if chooses(one) or chooses(other):
        return False
    return one.first <= other.last and other.first <= one.last


def chooses(port: Port) -> bool:
    """Whether the engine takes the host's port: none is given, or more than are needed."""
    first, last = _span(port.target)
    if port.first is None or port.last is None:
        return True
    width = (last - first) if first is not None and last is not None else 0
    return port.last - port.first > width


def _same_address(one: str, other: str) -> bool:
    if interpolation.is_open(one) or interpolation.is_open(other):
        return False
    if one and other and (":" in one) != (":" in other):
        return False  # one of IPv4 and one of IPv6
    return one in _EVERYWHERE or other in _EVERYWHERE or _plain(one) == _plain(other)


def _plain(address: str) -> str:
    return {"localhost": "127.0.0.1"}.get(address, address.strip("[]"))
