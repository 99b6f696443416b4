"""What two services cannot both have, and what nobody declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pytest_agog.stacks.interpolation import is_open
from pytest_agog.stacks.kinds import shares_services
from pytest_agog.stacks.model import Port, Said, Service, Severity, Stack
from pytest_agog.stacks.ports import chooses, clash
from pytest_agog.stacks.rules.base import Remark, Rule, at, each
from pytest_agog.stacks.tree import Mapping as Tree
from pytest_agog.stacks.tree import walk


def side_by_side(one: Stack, other: Stack) -> bool:
    """Whether both are meant to run at the same time; variants of one stack (development, production) are not."""
    if {one.kind, other.kind} == {"app", "agents"}:
        return True
    return not shares_services(one, other)


def _together(one: Service, other: Service) -> bool:
    """Whether two services of one stack can run at the same time: not those of profiles that exclude each other."""
    return not one.profiles or not other.profiles or bool(set(one.profiles) & set(other.profiles))


class _Taken:
    """What services have taken so far, by stack and key, in the order of the files."""

    def __init__(self, stacks: list[Stack]) -> None:
        # A service's own stack first: that is where people look for the other one.
        self._beside = {
            id(one): [one, *(other for other in stacks if other is not one and side_by_side(other, one))]
            for one in stacks
        }
        self._ports: dict[int, dict[int, list[tuple[Service, Port]]]] = {id(one): {} for one in stacks}
        self._ranges: dict[int, list[tuple[Service, Port]]] = {}
        self._names: dict[tuple[int, str], list[tuple[Service, Said]]] = {}

    def port(self, stack: Stack, service: Service, port: Port) -> tuple[Service, Port] | None:
        """Who has the port already; it is taken from now on."""
        if port.first is None or chooses(port):
            return None
        found = next(
            (
                (other, theirs)
                for near in self._beside[id(stack)]
                for other, theirs in self._near(id(near), port)
                if _apart(stack, service, near, other, port.said, theirs.said) and clash(theirs, port)
            ),
            None,
        )
        if port.first != port.last:
            self._ranges.setdefault(id(stack), []).append((service, port))
            return found
        there = self._ports[id(stack)].setdefault(port.first, [])
        if not there or there[-1][0] is not service or there[-1][1].said.text != port.said.text:
            there.append((service, port))
        return found

    def _near(self, stack: int, port: Port) -> Iterator[tuple[Service, Port]]:
        if port.first is None or port.last is None:
            return
        ports = self._ports[stack]
        numbers = range(port.first, port.last + 1)
        for number in numbers if len(numbers) <= len(ports) else [one for one in ports if one in numbers]:
            yield from ports.get(number, ())
        yield from self._ranges.get(stack, ())

    def name(self, stack: Stack, service: Service, name: Said) -> tuple[Service, Said] | None:
        """Who has the container name already; it is taken from now on."""
        found = next(
            (
                (other, theirs)
                for near in self._beside[id(stack)]
                for other, theirs in self._names.get((id(near), name.text), ())
                if _apart(stack, service, near, other, name, theirs)
            ),
            None,
        )
        self._names.setdefault((id(stack), name.text), []).append((service, name))
        return found


def _apart(stack: Stack, service: Service, near: Stack, other: Service, mine: Said, theirs: Said) -> bool:
    """Whether two entries are two, of services that run at the same time."""
    if near is not stack:
        # A file that several stacks extend or include says it once.
        return (mine.file, mine.line) != (theirs.file, theirs.line)
    if other is service:
        return mine.text != theirs.text
    return _together(other, service)


def _ports(stacks: list[Stack]) -> Iterator[Remark]:
    told: set[tuple[str, int]] = set()
    taken = _Taken(stacks)
    for stack in stacks:
        for service in stack.services.values():
            for port in service.ports:
                found = taken.port(stack, service, port)
                if found is not None:
                    yield from _clash(*found, service, port, told)


def _clash(one: Service, mine: Port, other: Service, theirs: Port, told: set[tuple[str, int]]) -> Iterator[Remark]:
    place = (theirs.said.file, theirs.said.line)
    if place in told:
        return
    told.add(place)
    port = max(mine.first or 0, theirs.first or 0)
    yield at(
        theirs.said,
        f"service {other.name} publishes port {port}/{theirs.protocol}, which {one.name} has already "
        f"({_where(mine.said, theirs.said)})",
        "Publish another port on the host.",
    )


def _where(first: Said, second: Said) -> str:
    return f"line {first.line}" if first.file == second.file else f"{first.file}:{first.line}"


def _names(stacks: list[Stack]) -> Iterator[Remark]:
    told: set[tuple[str, int]] = set()
    taken = _Taken(stacks)
    for stack in stacks:
        for service in stack.services.values():
            theirs = service.container_name
            if theirs is None or is_open(theirs.text):
                continue
            found = taken.name(stack, service, theirs)
            if found is None or (theirs.file, theirs.line) in told:
                continue
            told.add((theirs.file, theirs.line))
            one, mine = found
            yield at(
                theirs,
                f"service {service.name} has the container name {theirs.text}, which {one.name} has already "
                f"({_where(mine, theirs)})",
                "Give each container a name of its own, or leave container_name out.",
            )


def _one_of_several(stack: Stack) -> bool:
    """Whether the file's name tells that it is read with others: `docker-compose.dev.yml` and not `compose.yaml`."""
    name = stack.file.rpartition("/")[2]
    several = len(name.split(".")) > _PLAIN or _VARIANT.match(name) is not None
    return not stack.sure and len(stack.files) == 1 and several


_PLAIN: Final = 2
_VARIANT: Final = re.compile(r"(?:docker-)?compose[-_]\w")


def _undeclared(stack: Stack) -> Iterator[Remark]:
    severity: Severity = "note" if _one_of_several(stack) else "finding"
    for remark in _absent(stack):
        yield replace(remark, severity=severity)


def _absent(stack: Stack) -> Iterator[Remark]:
    if stack.legacy:
        return
    known = stack.services.keys()
    for service in stack.services.values():
        if service.inherits:
            continue
        for mount in service.mounts:
            if mount.type != "volume" or not mount.source or is_open(mount.source) or stack.partial:
                continue
            if mount.source not in stack.volumes:
                yield at(
                    mount.said,
                    f"service {service.name} mounts the volume {mount.source}, which is not declared",
                    "Declare it below the top-level `volumes:`.",
                )
        for network in service.networks:
            if network.text not in stack.networks and network.text != "default" and not stack.partial:
                yield at(
                    network,
                    f"service {service.name} is in the network {network.text}, which is not declared",
                    "Declare it below the top-level `networks:`.",
                )
        for dependency in service.depends_on:
            if (
                dependency.name not in known
                and dependency.required
                and not stack.partial
                and not is_open(dependency.name)
            ):
                yield at(
                    dependency.said,
                    f"service {service.name} depends on {dependency.name}, which is not there",
                    "Correct the name, or remove the dependency.",
                )


def _doubled(stack: Stack) -> Iterator[Remark]:
    told: set[tuple[str, int]] = set()
    for file, root in stack.roots:
        for _, node in walk(root):
            for key, line in node.doubled if isinstance(node, Tree) else ():
                if (node.file or file, line) not in told:
                    told.add((node.file or file, line))
                    yield Remark(
                        node.file or file, line, f"the key {key} stands here twice", "Keep one; compose refuses both."
                    )


def _legacy(stack: Stack) -> Iterator[Remark]:
    if stack.legacy:
        yield Remark(
            stack.file, 1, "services stand at the top level, in the form of version 1, which compose no longer reads",
            "Move them below `services:`.", "note",
        )  # fmt: skip


RULES: Final = (
    Rule("port-clash", "The second of two services that publish one port does not start.", _ports),
    Rule("container-name-clash", "Container names are one namespace on a host; the second does not start.", _names),
    Rule("undeclared-name", "Compose refuses a file that uses what it does not declare.", each(_undeclared)),
    Rule("duplicate-key", "Of two keys of one name compose refuses both, or one silently wins.", each(_doubled)),
    Rule("legacy-form", "Compose no longer reads files without `services:`.", each(_legacy)),
)
