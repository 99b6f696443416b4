"""The words that scenarios may use in this run: the built-in checks and steps, and those that plugins add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_agog.checks.registry import Checks, builtin_checks
from pytest_agog.errors import BadInput
from pytest_agog.play.steps import BUILTIN_STEPS, PlayedStep
from pytest_agog.scenario.vocabulary import Vocabulary
from pytest_agog.wire.streams import AGENT_TYPES


def builtin_steps() -> dict[str, PlayedStep]:
    """The step verbs that ship with the package."""
    return {step.verb: step for step in BUILTIN_STEPS}


def register_steps(steps: Mapping[str, PlayedStep], more: Iterable[PlayedStep]) -> dict[str, PlayedStep]:
    """`steps` with `more` added.

    Raises:
        BadInput: two steps have one verb.
    """
    together = dict(steps)
    for step in more:
        if step.verb in together:
            raise BadInput(f"two steps have the verb {step.verb!r}; rename the one that a plugin adds")
        together[step.verb] = step
    return together


def vocabulary(
    checks: Checks | None = None,
    steps: Mapping[str, PlayedStep] | None = None,
    agents: Iterable[str] = (),
    faults: Iterable[str] = (),
) -> Vocabulary:
    """Checks, steps and agents as the reader of scenarios knows them; the built-in ones where nothing is given."""
    return Vocabulary(
        checks=builtin_checks() if checks is None else checks,
        steps={verb: step.word for verb, step in (builtin_steps() if steps is None else steps).items()},
        agents=frozenset({*AGENT_TYPES, *agents}),
        faults=frozenset(faults),
    )
