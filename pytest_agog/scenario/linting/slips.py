"""Slips that leave a scenario sound and still mean something else than was meant; lint tells of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from pytest_agog.scenario import model
from pytest_agog.scenario.comms_steps import Backfill
from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.nodes import Mapping, Node, Sequence, locate
from pytest_agog.scenario.reading.source import Place
from pytest_agog.scenario.reading.substitute import references
from pytest_agog.scenario.scenario import Claim, Scenario
from pytest_agog.scenario.walking import leaves
from pytest_agog.scenario.words import did_you_mean, listed, shown
from pytest_agog.values import Pattern
from pytest_agog.wire.streams import MAX_MESSAGE

_OPERATORS_ELSEWHERE: Final = {
    "regex": "matches", "regexp": "matches", "pattern": "matches", "like": "matches", "eq": "equals", "in": "one_of",
    "any_of": "one_of", "gt": "at_least", "gte": "at_least", "ge": "at_least", "min": "at_least", "greater": "at_least",
    "lt": "at_most", "lte": "at_most", "le": "at_most", "max": "at_most", "less": "at_most", "range": "between",
    "includes": "contains", "present": "exists",
}  # fmt: skip
"""What other formats call our operators."""


def small_server(scenario: Scenario, tree: Mapping, warnings: Problems) -> None:
    """A server that takes smaller messages than the streams hold is refused before the play begins."""
    nats = scenario.services.nats
    if nats.streams == "wire" and nats.max_payload < MAX_MESSAGE:
        warnings.add(
            locate(tree, ("services", "nats", "max_payload")).place,
            f"the streams of the contract hold messages of {MAX_MESSAGE:,} bytes; on this server no play begins",
            "max_payload: 12MB leaves room for headers; streams: none does without those streams",
        )


def keys_with_variables(tree: Mapping, known: Iterable[str], warnings: Problems) -> None:
    """Keys are never substituted."""
    names = set(known)
    for key, place in _keys(tree):
        if "${" in key and not names.isdisjoint(references(key)):
            warnings.add(place, f"{shown(key)}: keys are never substituted", "write the key out")


def _keys(node: Node) -> Iterator[tuple[str, Place]]:
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _keys(item)
    elif isinstance(node, Mapping):
        for key, entry in node.entries.items():
            yield key, entry.key
            yield from _keys(entry.value)


def operators_from_elsewhere(claim: Claim, node: Mapping, warnings: Problems) -> None:
    """`{regex: …}` in a `where` is no operator here, but an object that must stand there."""
    for leaf in leaves(claim.arguments):
        value = leaf.value.equals if isinstance(leaf.value, Pattern) else None
        if not isinstance(value, dict) or len(value) != 1:
            continue
        found = locate(node, ("with", *leaf.path))
        word = str(next(iter(value)))
        if word in _OPERATORS_ELSEWHERE and isinstance(found.node, Mapping) and word in found.node.entries:
            warnings.add(
                found.node.entries[word].key,
                f"this compares with an object that has the key {shown(word)}",
                f"the operator is {_OPERATORS_ELSEWHERE[word]}",
            )


def one_moment_twice(claim: Claim, place: Callable[[int], Place], warnings: Problems) -> None:
    """`order` goes by the first message that fits each entry, and no message comes after itself."""
    if claim.check != "order":
        return
    seen: list[object] = []
    for index, moment in enumerate(getattr(claim.arguments, "sequence", ())):
        if moment in seen:
            warnings.add(
                place(index),
                f"this claim can never pass: entries {seen.index(moment) + 1} and {index + 1} mean the same message",
                "each entry is the first message that fits; tell them apart with `where`",
            )
        seen.append(moment)


def unknown_process(claim: Claim, scenario: Scenario, place: Place, warnings: Problems) -> None:
    """A `process` claim names an agent, a step's `as` or a command, or a backfill; nothing else is started."""
    if claim.check != "process":
        return
    names = set(scenario.agents)
    for step in scenario.steps:
        if isinstance(step.arguments, model.Chain):
            names.update(turn.agent for turn in step.arguments.turns)
        elif isinstance(step.arguments, model.Run):
            names.add(step.arguments.as_ or step.arguments.command[0])
        elif isinstance(step.arguments, Backfill):
            names.add("backfill")
    name = getattr(claim.arguments, "name", None)
    if isinstance(name, str) and name not in names:
        near = did_you_mean(name, sorted(names))
        known = f"started are {listed(sorted(names))}" if names else "no step starts a process"
        warnings.add(place, f"nothing that this play starts is called {shown(name)}{near}", known)
