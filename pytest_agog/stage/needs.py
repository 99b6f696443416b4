"""What a scenario needs of the stage: what it declares, what its steps touch and what its claims look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_agog.ledger.probing.sites import is_of_orchestrator
from pytest_agog.scenario.comms_steps import Backfill, Cut, Open
from pytest_agog.scenario.model import Kill, Restart, Wait
from pytest_agog.scenario.orchestrator_steps import Advance, Submit
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
    if scenario.services.orchestrator is not None and "memory" in scenario.services.orchestrator.config:
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
    if any(
        (check in _COMMS_CHECKS and not _is_of_orchestrator(told)) or _is_of_comms(check, told)
        for check, told in _asked(scenario)
    ):
        return True
    for step in scenario.steps:
        arguments = step.arguments
        if isinstance(arguments, (Open, Cut)):
            return True
        if isinstance(arguments, (Kill, Restart)) and arguments.component == "comms":
            return True
    return False


def needs_orchestrator(scenario: Scenario) -> bool:
    """Whether the scenario declares the orchestrator, or gives it something to do."""
    services = scenario.services
    if services.orchestrator is not None or "orchestrator" in services.components:
        return True
    if any(_is_of_orchestrator(told) for _, told in _asked(scenario)):
        return True
    for step in scenario.steps:
        arguments = step.arguments
        if isinstance(arguments, (Submit, Advance)):
            return True
        if isinstance(arguments, (Kill, Restart)) and arguments.component == "orchestrator":
            return True
    return False


def needs_listener(scenario: Scenario) -> bool:
    """Whether the scenario declares the host listener, or has an orchestrator, whose agents it runs."""
    services = scenario.services
    if services.listener is not None:
        return services.listener.instances > 0
    if "listener" in services.components or needs_orchestrator(scenario):
        return True
    return any(
        isinstance(step.arguments, (Kill, Restart)) and step.arguments.component == "listener"
        for step in scenario.steps
    )


def roadmap_of(scenario: Scenario) -> str | None:
    """The roadmap that a step submits, as the scenario writes its path; None when there is none."""
    files = [step.arguments.file for step in scenario.steps if isinstance(step.arguments, Submit)]
    return next((file for file in files if file is not None and file.lower().endswith((".md", ".markdown"))), None)


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


def _is_of_orchestrator(arguments: Any) -> bool:
    """Whether a check looks at a page of the orchestrator's board."""
    path = arguments.get("path") if isinstance(arguments, Mapping) else getattr(arguments, "path", None)
    return isinstance(path, str) and is_of_orchestrator(path)


def _is_of_comms(check: str, arguments: Any) -> bool:
    if check != "lag":
        return False
    stream = arguments.get("stream") if isinstance(arguments, Mapping) else getattr(arguments, "stream", None)
    return bool(stream == STREAM)
