"""What a scenario needs of the stage: what it declares, what its steps touch and what its claims look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_agog.scenario.comms_steps import Backfill, Cut, Open
from pytest_agog.scenario.model import Kill, Restart, Wait
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.wire.naming import STREAM

_POSTGRES_CHECKS: Final = frozenset({"rows", "table"})
_COMMS_CHECKS: Final = frozenset({"sse", "page"})


def needs_postgres(scenario: Scenario) -> bool:
    """Whether the scenario declares Postgres, touches it in a step, or claims something about rows or tables.

    Agent comms stores what it hears there, so whoever needs comms needs Postgres.
    """
    if scenario.services.postgres is not None or needs_comms(scenario):
        return True
    if any(check in _POSTGRES_CHECKS for check, _ in _asked(scenario)):
        return True
    for step in scenario.steps:
        arguments = step.arguments
        if isinstance(arguments, Backfill):
            return True
        if isinstance(arguments, (Kill, Restart)) and arguments.component == "postgres":
            return True
    return False


def needs_comms(scenario: Scenario) -> bool:
    """Whether the scenario declares agent comms, touches it in a step, or claims something that only it can show.

    `http` alone is no reason: a path may be meant for the monitoring of NATS. `lag` is one where it looks at the stream
    of comms.
    """
    services = scenario.services
    if services.comms is not None or "comms" in services.components:
        return True
    if any(check in _COMMS_CHECKS or _is_of_comms(check, told) for check, told in _asked(scenario)):
        return True
    for step in scenario.steps:
        arguments = step.arguments
        if isinstance(arguments, (Open, Cut)):
            return True
        if isinstance(arguments, (Kill, Restart)) and arguments.component == "comms":
            return True
    return False


def links_cut(scenario: Scenario) -> frozenset[str]:
    """The links that steps cut."""
    return frozenset(step.arguments.link for step in scenario.steps if isinstance(step.arguments, Cut))


def _asked(scenario: Scenario) -> Iterator[tuple[str, Any]]:
    """Every check that claims and `wait` steps use, with its arguments: a model, or what stands in the file."""
    for claim in scenario.claims:
        yield claim.check, claim.arguments
    for step in scenario.steps:
        if isinstance(step.arguments, Wait):
            yield from step.arguments.until.items()


def _is_of_comms(check: str, arguments: Any) -> bool:
    if check != "lag":
        return False
    stream = arguments.get("stream") if isinstance(arguments, Mapping) else getattr(arguments, "stream", None)
    return bool(stream == STREAM)
