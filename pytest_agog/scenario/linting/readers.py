"""Doubts about readers: names that no `open` step gave, or that two gave. Lint tells of them."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from typing import Final

from pytest_agog.scenario.comms_steps import Open
from pytest_agog.scenario.model import Wait
from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.nodes import Mapping, locate
from pytest_agog.scenario.reading.source import Place
from pytest_agog.scenario.scenario import Scenario, Step
from pytest_agog.scenario.words import did_you_mean, listed, shown

_KINDS: Final = ("sse", "page")
"""The checks that name a reader, which are also the kinds of readers."""


def unknown(
    check: str, arguments: object, steps: Sequence[Step], place: Place, warnings: Problems, none: str = "no step"
) -> None:
    """The reader that an `sse` or `page` names was opened by one of `steps`, as one of that kind.

    `none` says what did not open it.
    """
    if check not in _KINDS:
        return
    given = arguments.get("reader") if isinstance(arguments, MappingABC) else getattr(arguments, "reader", None)
    opened = _opened(steps)
    if not isinstance(given, str) or given in opened[check]:
        return
    (other,) = (kind for kind in _KINDS if kind != check)
    if given in opened[other]:
        warnings.add(
            place,
            f"the reader {shown(given)} is opened as `{other}`, so the check `{check}` finds nothing",
            f"the check for it is `{other}`",
        )
        return
    names = sorted(opened[check])
    known = f"opened as `{check}`: {listed(names)}" if names else f"{none} opens a reader as `{check}`"
    warnings.add(place, f"{none} opens the reader {shown(given)}{did_you_mean(given, names)}", known)


def unknown_in_waits(scenario: Scenario, tree: Mapping, warnings: Problems) -> None:
    """The same for what `wait` steps ask: there only earlier steps count."""
    for place, step in enumerate(scenario.steps):
        if isinstance(step.arguments, Wait):
            for check, arguments in step.arguments.until.items():
                at = locate(tree, ("steps", step.number - 1, step.verb, "until", check, "reader")).place
                unknown(check, arguments, scenario.steps[:place], at, warnings, "no earlier step")


def opened_twice(scenario: Scenario, tree: Mapping, warnings: Problems) -> None:
    """A second reader of a name takes the first one's place, and checks cannot tell them apart."""
    seen: dict[tuple[str, str], int] = {}
    for step in scenario.steps:
        if not isinstance(step.arguments, Open):
            continue
        name = (_kind(step.arguments), step.arguments.as_)
        if name in seen:
            warnings.add(
                locate(tree, ("steps", step.number - 1, step.verb, "as")).place,
                f"the reader {shown(name[1])} is opened twice: this closes the one of line {seen[name]}, and checks "
                "take both for one",
                "give each reader a name of its own",
            )
        seen.setdefault(name, step.position.line)


def _kind(opening: Open) -> str:
    return "sse" if opening.sse is not None else "page"


def _opened(steps: Sequence[Step]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    for step in steps:
        if isinstance(step.arguments, Open):
            found[_kind(step.arguments)].add(step.arguments.as_)
    return found
