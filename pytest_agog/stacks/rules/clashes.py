"""What two services cannot both have, and what nobody declares."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pytest_agog.stacks.interpolation import is_open
from pytest_agog.stacks.kinds import shares_services
from pytest_agog.stacks.model import Port, Said, Service, Severity, Stack
from pytest_agog.stacks.ports import clash
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


def _pairs(stacks: list[Stack]) -> Iterator[tuple[Stack, Service, Stack, Service]]:
    for stack in stacks:
        for one, other in itertools.combinations(stack.services.values(), 2):
            if _together(one, other):
                yield stack, one, stack, other
    for first, second in itertools.combinations(stacks, 2):
        if side_by_side(first, second):
            for one, other in itertools.product(first.services.values(), second.services.values()):
                yield first, one, second, other


def _ports(stacks: list[Stack]) -> Iterator[Remark]:
    told: set[tuple[str, int]] = set()
    for stack in stacks:
        for service in stack.services.values():
            for mine, theirs in itertools.combinations(service.ports, 2):
                if clash(mine, theirs) and mine.said.text != theirs.said.text:
                    yield from _clash(service, mine, service, theirs, told)
    for _, one, _, other in _pairs(stacks):
        for mine, theirs in itertools.product(one.ports, other.ports):
            if clash(mine, theirs):
                yield from _clash(one, mine, other, theirs, told)


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
    for _, one, _, other in _pairs(stacks):
        mine, theirs = one.container_name, other.container_name
        if mine is None or theirs is None or mine.text != theirs.text or is_open(mine.text):
            continue
        if (theirs.file, theirs.line) in told:
            continue
        told.add((theirs.file, theirs.line))
        yield at(
            theirs,
            f"service {other.name} has the container name {theirs.text}, which {one.name} has already "
            f"({_where(mine, theirs)})",
            "Give each container a name of its own, or leave container_name out.",
        )


_MODES: Final = ("host", "none", "bridge", "default")


def _one_of_several(stack: Stack) -> bool:
    """Whether the file's name tells that it is read with others: `docker-compose.dev.yml` and not `compose.yaml`."""
    return not stack.sure and len(stack.files) == 1 and len(stack.file.rpartition("/")[2].split(".")) > _PLAIN


_PLAIN: Final = 2


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
