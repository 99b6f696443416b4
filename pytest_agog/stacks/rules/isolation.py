"""The two stacks stand apart: nothing of the agents in the application, networks and volumes of their own."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from pytest_agog.stacks import kinds
from pytest_agog.stacks.interpolation import is_open
from pytest_agog.stacks.model import Resource, Said, Service, Stack
from pytest_agog.stacks.reading import said, variables
from pytest_agog.stacks.rules.base import Remark, Rule, at
from pytest_agog.stacks.tree import Mapping, Scalar, Sequence
from pytest_agog.stacks.words import AGENT_TOOLS, AGENT_WORDS, APP_WORDS, words

_ADDRESS: Final = re.compile(
    r"\bnats://|\btls://nats|\b(?:nats|ollama)[\w.-]{0,100}:\d+|:11434\b|\bws://nats", re.IGNORECASE
)
_OFF: Final = ("", "false", "0", "no", "off", "none", "disabled", "stub", "null")
_MOVE: Final = "Move it to the agent stack; the application runs without it."


# --- no agent dependencies --------------------------------------------------------------------------------------------
def _dependencies(stacks: list[Stack]) -> Iterator[Remark]:
    for stack in stacks:
        if stack.kind == "app":
            yield from _of_application(stack)


def _of_application(stack: Stack) -> Iterator[Remark]:
    tools = set()
    for service in stack.services.values():
        if kinds.is_agent_tool(service):
            tools.add(service.name)
            what = "NATS" if kinds.is_nats(service) else "Ollama"
            yield Remark(service.file, service.line, f"the application stack runs {what} ({service.name})", _MOVE)
    for service in stack.services.values():
        if service.name not in tools:
            yield from _of_service(service, tools)
    for volume in stack.volumes.values():
        if volume.external and _is_agents(volume.called or volume.name):
            yield at(
                volume.said, f"the application stack needs the agents' volume {volume.called or volume.name}",
                "Remove it; the stack must start where no agent ever ran.",
            )  # fmt: skip
    for network in stack.networks.values():
        if _is_agents(network.called or network.name):
            yield at(
                network.said,
                f"the application stack needs the agents' network {network.called or network.name}",
                "Remove it; the stack must start where no agent ever ran.",
            )


def _of_service(service: Service, tools: set[str]) -> Iterator[Remark]:
    for dependency in service.depends_on:
        if dependency.name not in tools and _named_for_agents(dependency.name):
            yield at(dependency.said, f"service {service.name} depends on {dependency.name} of the agents", _MOVE)
        elif dependency.name in tools:
            yield at(
                dependency.said, f"service {service.name} depends on {dependency.name}, an agent's tool",
                "Remove the dependency; the application runs without it.",
            )  # fmt: skip
    for key, name, place in _ties(service):
        if name in tools or _named_for_agents(name) or _is_agents(name):
            yield at(place, f"service {service.name} is tied to {name} of the agents by {key}", _MOVE)
    for where, place in _told(service):
        if _ADDRESS.search(place.text):
            yield at(
                place, f"service {service.name} is told of an agent's tool by {where}",
                "Remove it; the application's agent services are stubs.",
            )  # fmt: skip
    for variable in service.environment:
        value = variable.value
        if value is None or value.strip().strip("'\"").lower() in _OFF:
            continue
        named = set(words(variable.name)) & AGENT_TOOLS
        if _ADDRESS.search(value) or (named and not is_open(value)):
            yield at(
                variable.said, f"service {service.name} is told of an agent's tool by {variable.name}",
                "Remove it; the application's agent services are stubs.",
            )  # fmt: skip


def _ties(service: Service) -> Iterator[tuple[str, str, Said]]:
    """What else a service cannot start without: the key, the service or container, and its place."""
    for key in ("links", "external_links", "volumes_from"):
        node = service.node.get(key)
        for item in node.items if isinstance(node, Sequence) else ():
            if isinstance(item, Scalar):
                place = said(service.file, item)
                yield key, place.text.removeprefix("container:").partition(":")[0], place
    mode = service.node.get("network_mode")
    if isinstance(mode, Scalar) and mode.text.startswith(("service:", "container:")):
        place = said(service.file, mode)
        yield "network_mode", place.text.partition(":")[2], place


def _told(service: Service) -> Iterator[tuple[str, Said]]:
    """Texts other than variables by which a program is told of addresses."""
    if service.command_said is not None:
        yield "its command", service.command_said
    entrypoint = service.node.get("entrypoint")
    for one in entrypoint.items if isinstance(entrypoint, Sequence) else [entrypoint]:
        if isinstance(one, Scalar):
            yield "its entrypoint", said(service.file, one)
    build = service.node.get("build")
    for argument in variables(service.file, build.get("args")) if isinstance(build, Mapping) else ():
        yield f"the build argument {argument.name}", argument.said


def _is_agents(name: str) -> bool:
    found = set(words(name))
    return bool(found & AGENT_WORDS) and not found & APP_WORDS


def _named_for_agents(name: str) -> bool:
    found = words(name)
    return bool(found) and (found[0] in AGENT_WORDS or bool(set(found) & AGENT_TOOLS))


# --- networks ---------------------------------------------------------------------------------------------------------
def _networks(stacks: list[Stack]) -> Iterator[Remark]:
    agents = [stack for stack in stacks if stack.kind == "agents"]
    apps = [stack for stack in stacks if stack.kind == "app"]
    theirs = {
        _identity(stack, one.called, one.name, external=one.external)
        for stack in apps
        for one in stack.networks.values()
    }
    theirs |= {_identity(stack, "", "default") for stack in apps if stack.name and _in_default(stack)}
    for stack in agents:
        own = [one for one in stack.networks.values() if not one.external]
        for network in stack.networks.values():
            name = _effective(stack, network)
            if is_open(name):
                continue
            if _identity(stack, network.called, network.name, external=network.external) in theirs:
                if _is_agents(name):
                    continue  # the application is in the wrong, and told so
                yield at(
                    network.said, f"the agent stack shares the network {name} with the application",
                    "Give each stack a network of its own.",
                )  # fmt: skip
            elif network.external and set(words(name)) & APP_WORDS and not set(words(name)) & AGENT_WORDS:
                yield at(
                    network.said, f"the agent stack joins the application's network {name}",
                    "Give it a network of its own.",
                )  # fmt: skip
        certain = stack.sure or kinds.uses_agent_tools(stack)
        if not own and not stack.networks and not stack.name and stack.services and not stack.partial:
            first = next(iter(stack.services.values()))
            yield Remark(
                first.file, stack.roots[0][1].line_of("services"), "the agent stack declares no network of its own",
                "Declare one, such as agogsaas_agents_network, and put its services into it.",
                "finding" if certain else "note",
            )  # fmt: skip
        elif own:
            yield from _outside(stack)
        elif stack.name and _in_default(stack) and _identity(stack, "", "default") in theirs:
            yield Remark(
                stack.file, stack.roots[0][1].line_of("name"),
                f"the agent stack shares the network {stack.name}_default with the application",
                "Give each project a name of its own.",
            )  # fmt: skip


def _outside(stack: Stack) -> Iterator[Remark]:
    """Services that are left in the default network while the others are in the stack's own."""
    if "default" in stack.networks:
        return
    for service in stack.services.values():
        if service.networks or service.inherits or (service.image is None and service.build is None):
            continue  # what has no image is part of a service in another file, which may name its networks
        if service.network_mode == "host":
            yield Remark(
                service.file, service.node.line_of("network_mode"),
                f"service {service.name} of the agent stack is in the host's network", "Put it into the stack's own.",
            )  # fmt: skip
        elif not service.network_mode:
            yield Remark(
                service.file, service.line, f"service {service.name} is not in the agent stack's network",
                "Add it below the service's `networks:`.",
            )  # fmt: skip


def _in_default(stack: Stack) -> bool:
    """Whether a service is in the network that compose makes for whoever names none."""
    left = any(not one.networks and not one.network_mode and not one.inherits for one in stack.services.values())
    return left and "default" not in stack.networks


def _identity(stack: Stack, called: str, name: str, *, external: bool = False) -> str:
    """What the engine calls a network or volume; without a project's name its folder stands for it."""
    if called or external:
        return called or name
    return f"{stack.name or posixpath.dirname(stack.file) + '/'}_{name}"


def _effective(stack: Stack, resource: Resource) -> str:
    if resource.called:
        return resource.called
    return resource.name if resource.external or not stack.name else f"{stack.name}_{resource.name}"


# --- volumes ----------------------------------------------------------------------------------------------------------
_COMMON: Final = frozenset({
    "postgres", "postgresql", "pg", "pgdata", "db", "database", "data", "nats", "ollama", "redis", "backend",
    "frontend", "node", "agent", "mysql", "mongo", "volume", "vol", "minio", "web", "api",
})  # fmt: skip


def _prefixes(stacks: list[Stack]) -> Iterator[Remark]:
    for stack in stacks:
        if stack.kind is None:
            continue
        marks, others = (APP_WORDS, {"agents"}) if stack.kind == "app" else (AGENT_WORDS, APP_WORDS)
        if _own_prefix(stack, stacks):
            continue
        for volume in stack.volumes.values():
            name = _effective(stack, volume)
            if volume.external or is_open(name):
                continue
            parts = words(name)
            if set(parts[:-1]) & marks and not set(parts[:2]) & others:
                continue
            yield at(
                volume.said,
                f"the volume {name} does not carry the prefix of the {_TITLE[stack.kind]} stack",
                f"Call it …_{'app' if stack.kind == 'app' else 'agents'}_{volume.name}.",
                "finding" if stack.sure else "note",
            )
    yield from _shared(stacks)


_TITLE: Final = {"app": "application", "agents": "agent"}


def _own_prefix(stack: Stack, stacks: list[Stack]) -> bool:
    """Whether all volumes of the stack begin with one word that is no service's, and that no other stack uses."""
    firsts = {words(_effective(stack, one))[0] for one in stack.volumes.values() if words(_effective(stack, one))}
    if len(firsts) != 1 or any(len(words(_effective(stack, one))) == 1 for one in stack.volumes.values()):
        return False
    first = next(iter(firsts))
    services = {word for name in stack.services for word in words(name)}
    if first in _COMMON or first in services - {first if stack.name.startswith(first) else ""}:
        return False
    others = {
        words(_effective(other, one))[0]
        for other in stacks if other is not stack
        for one in other.volumes.values() if words(_effective(other, one))
    }  # fmt: skip
    return len(stacks) > 1 and first not in others


def _shared(stacks: list[Stack]) -> Iterator[Remark]:
    seen: dict[str, tuple[Stack, Resource]] = {}
    for stack in stacks:
        if stack.kind is None:
            continue
        for volume in stack.volumes.values():
            name = _effective(stack, volume)
            if is_open(name):
                continue
            before, first = seen.setdefault(
                _identity(stack, volume.called, volume.name, external=volume.external), (stack, volume)
            )
            external = volume.external or first.external
            if before.kind == stack.kind or not (external or set(words(name)) & (APP_WORDS | AGENT_WORDS)):
                continue
            if _is_agents(name) and (first if before.kind == "app" else volume).external:
                continue  # the application is in the wrong, and told so
            yield at(
                volume.said,
                f"both stacks use the volume {name} ({first.said.file}:{first.said.line})",
                "Give each stack its own volumes, with its prefix.",
            )


RULES: Final = (
    Rule(
        "agent-dependency",
        "The application is deployed where no agent runs, and does not start there with NATS, Ollama or their network.",
        _dependencies,
    ),
    Rule("own-network", "Agents that share the application's network reach what they should not.", _networks),
    Rule("volume-prefix", "Without a prefix for each stack the data of one is taken for the other's.", _prefixes),
)  # fmt: skip
