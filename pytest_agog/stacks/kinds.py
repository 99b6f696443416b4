"""Which stack is which: the application, the agents beside it, or an ordinary file that is neither."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import Final

from pytest_agog.stacks.model import Kind, Service, Stack
from pytest_agog.stacks.words import AGENT_WORDS, APP_WORDS, repository, words

_TWO: Final = 2


def with_kinds(found: list[tuple[Stack, Kind | None]]) -> list[Stack]:
    """`found` with the kind of each: as given, else by the file's name, else by what it holds.

    Of two files of which one is known, the other is its counterpart. An ordinary file stays without a kind: that
    somebody uses NATS does not make him run a second stack.
    """
    stacks = []
    for stack, given in found:
        kind = given or by_name(stack) or by_content(stack)
        stacks.append(replace(stack, kind=kind, sure=given is not None or marked(stack, kind)))
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
    """What volumes, networks and services say: their names carry the stack's name, and it holds what that needs."""
    if marked(stack, "agents") and uses_agent_tools(stack):
        return "agents"
    if marked(stack, "app") and not uses_agent_tools(stack):
        return "app"
    return None


def marked(stack: Stack, kind: Kind | None) -> bool:
    """Whether a network or volume carries the stack's name, as in `shop_app_network`."""
    if kind is None:
        return False
    marks = APP_WORDS if kind == "app" else AGENT_WORDS
    for resource in (*stack.networks.values(), *stack.volumes.values()):
        parts = words(resource.called or resource.name)
        if set(parts[:-1]) & marks and (len(parts) > _TWO or kind == "agents"):
            return True
    return bool(set(words(stack.name)[1:]) & marks)


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
    if service.image is not None:
        repo = repository(service.image.text)[0]
        return repo in ("nats", "nats-streaming", "bitnami/nats", "bitnamilegacy/nats", "synadia/nats-server")
    return service.name.lower() in ("nats", "nats-server", "jetstream")


def is_ollama(service: Service) -> bool:
    """Whether the service is Ollama."""
    if service.image is not None:
        return repository(service.image.text)[0].rpartition("/")[2] == "ollama"
    return service.name.lower() == "ollama" and service.build is not None


def shares_services(one: Stack, other: Stack) -> bool:
    """Whether two files are variants of one stack (development and production): most services have the same names."""
    least = min(len(one.services), len(other.services))
    return least > 0 and _TWO * len(one.services.keys() & other.services.keys()) >= least
