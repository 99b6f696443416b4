"""Which stack is which: the application, the agents beside it, or an ordinary file that is neither."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import Final

from pytest_agog.stacks.interpolation import is_open
from pytest_agog.stacks.model import Kind, Service, Stack
from pytest_agog.stacks.tree import Mapping, Node, Scalar
from pytest_agog.stacks.words import AGENT_WORDS, APP_WORDS, repository, words

_TWO: Final = 2
_MARKS: Final[dict[Kind, frozenset[str]]] = {"app": APP_WORDS, "agents": AGENT_WORDS}


def with_kinds(found: list[tuple[Stack, Kind | None]]) -> list[Stack]:
    """`found` with the kind of each: as given, else by the file's name, else by what it holds.

    Of two files of which one is known, the other is its counterpart. An ordinary file stays without a kind: that
    somebody uses NATS does not make him run a second stack.
    """
    stacks = []
    for stack, given in found:
        kind = given or by_name(stack) or by_content(stack)
        stacks.append(replace(stack, kind=kind, sure=given is not None or _certain(stack, kind)))
    if len(stacks) == _TWO:
        stacks = _paired(stacks)
    return stacks


def _paired(stacks: list[Stack]) -> list[Stack]:
    kinds = [stack.kind for stack in stacks]
    if None in kinds and kinds != [None, None]:
        at = kinds.index(None)
        other: Kind = "agents" if kinds[1 - at] == "app" else "app"
        if other == "app" or uses_agent_tools(stacks[at]):
            stacks[at] = replace(stacks[at], kind=other)
    elif kinds == [None, None] and not shares_services(*stacks):
        using = [uses_agent_tools(stack) and has_agent_service(stack) for stack in stacks]
        if using in ([True, False], [False, True]):
            at = using.index(True)
            stacks[at] = replace(stacks[at], kind="agents")
            stacks[1 - at] = replace(stacks[1 - at], kind="app")
    if {stack.kind for stack in stacks} == {"app", "agents"}:
        stacks = [replace(stack, sure=True) for stack in stacks]
    return stacks


def by_name(stack: Stack) -> Kind | None:
    """What the file's name says: `docker-compose.app.yml`, `agents.yaml`. An override's base counts."""
    named = set(words(posixpath.splitext(posixpath.basename(stack.file))[0]))
    if named & AGENT_WORDS and (uses_agent_tools(stack) or has_agent_service(stack)) and not named & APP_WORDS:
        return "agents"
    if named & APP_WORDS and not named & AGENT_WORDS:
        return "app"
    return None


def by_content(stack: Stack) -> Kind | None:
    """What volumes and networks say: their names carry the stack's name, and it holds what that needs.

    `todo-app-data` is a word that projects like, so an application needs both: a volume and a network of one prefix.
    """
    if marked(stack, "agents") and uses_agent_tools(stack):
        return "agents"
    if _prefixed(stack, "app") and not uses_agent_tools(stack):
        return "app"
    return None


def _certain(stack: Stack, kind: Kind | None) -> bool:
    """Whether more than one thing says so. That an ordinary project calls itself `…-app` is no second stack."""
    if kind is None or not marked(stack, kind):
        return False
    if kind == "app":
        return by_name(stack) == kind
    named = by_name(stack) == kind and (_of_agents(stack) or bool(set(words(stack.name)[1:]) & AGENT_WORDS))
    return named or _prefixed(stack, kind)


def _of_agents(stack: Stack) -> bool:
    """Whether a volume or network is called `shop_agents_…`; one agent's own (`atlas-agent-home`) says nothing."""
    return any(_prefix(name, "agents")[-1:] == ("agents",) for name in _names(stack))


def marked(stack: Stack, kind: Kind) -> bool:
    """Whether a network or volume carries the stack's name, as in `shop_app_network`, or the project does."""
    marks = _MARKS[kind]
    for parts in map(words, _names(stack)):
        if set(parts[:-1]) & marks and (len(parts) > _TWO or kind == "agents"):
            return True
    return bool(set(words(stack.name)[1:]) & marks)


def _prefixed(stack: Stack, kind: Kind) -> bool:
    """Whether a volume and a network begin with one project's name and the stack's: `shop_app_…`."""
    networks = {_prefix(one.called or one.name, kind) for one in stack.networks.values() if not one.external}
    volumes = {_prefix(one.called or one.name, kind) for one in stack.volumes.values() if not one.external}
    return bool((networks & volumes) - {()})


def _prefix(name: str, kind: Kind) -> tuple[str, ...]:
    """What stands before a thing's own name, up to the stack's; empty when no project does."""
    parts = words(name)
    at = next((at for at, word in enumerate(parts[:-1]) if at and word in _MARKS[kind]), 0)
    return tuple(parts[: at + 1]) if at else ()


def _names(stack: Stack) -> list[str]:
    return [one.called or one.name for one in (*stack.networks.values(), *stack.volumes.values())]


def uses_agent_tools(stack: Stack) -> bool:
    """Whether NATS or Ollama runs in it."""
    return any(is_agent_tool(one) for one in stack.services.values())


def has_agent_service(stack: Stack) -> bool:
    """Whether a service of its own making is called an agent's; monitoring agents are somebody else's images."""
    return any(set(words(name)) & AGENT_WORDS and one.build is not None for name, one in stack.services.items())


def is_agent_tool(service: Service) -> bool:
    """Whether the service is NATS or Ollama, by image or name."""
    return is_nats(service) or is_ollama(service)


def is_nats(service: Service) -> bool:
    """Whether the service is a NATS server."""
    program = _program(service)
    if program:
        return program in ("nats", "nats-server", "nats-streaming")
    return service.name.lower() in ("nats", "nats-server", "jetstream")


def is_ollama(service: Service) -> bool:
    """Whether the service is Ollama."""
    program = _program(service)
    if program:
        return program == "ollama"
    return service.name.lower() == "ollama" and (service.build is not None or service.image is not None)


def _program(service: Service) -> str:
    """The last word of its image, which mirrors and vendors keep: `nats` of ghcr.io/acme/nats. Empty if unknown."""
    last = repository(service.image.text)[0].rpartition("/")[2] if service.image is not None else ""
    return "" if is_open(last) else last


def shares_services(one: Stack, other: Stack) -> bool:
    """Whether two files are variants of one stack (development and production): most services have the same names."""
    least = min(len(one.services), len(other.services))
    return least > 0 and _TWO * len(one.services.keys() & other.services.keys()) >= least


def is_swarm(stack: Stack) -> bool:
    """Whether the file is for `docker stack deploy`, which ignores `depends_on` and refuses its conditions."""
    deployed = [one.node.get("deploy") for one in stack.services.values()]
    if any(isinstance(one, Mapping) and "constraints" in _keys(one.get("placement")) for one in deployed):
        return True
    if any(_text(one, "driver") == "overlay" for one in _declared(stack, "networks")):
        return True
    named = set(words(posixpath.splitext(posixpath.basename(stack.file))[0]))
    return bool(named & {"stack", "swarm"}) and any(isinstance(one, Mapping) for one in deployed)


def _declared(stack: Stack, key: str) -> list[Node]:
    nodes = [root.get(key) for _, root in stack.roots]
    return [entry.value for node in nodes if isinstance(node, Mapping) for entry in node.entries.values()]


def _keys(node: Node | None) -> frozenset[str]:
    return frozenset(node.entries) if isinstance(node, Mapping) else frozenset()


def _text(node: Node, key: str) -> str:
    value = node.get(key) if isinstance(node, Mapping) else None
    return value.text if isinstance(value, Scalar) else ""
