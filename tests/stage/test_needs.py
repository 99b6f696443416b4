"""What a scenario needs of the stage, said by its services, its steps and its claims."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.checks.registry import builtin_checks
from pytest_agog.scenario.comms_steps import Backfill, Cut, Open
from pytest_agog.scenario.model import Kill, Restart, Wait
from pytest_agog.scenario.reading.places import Position
from pytest_agog.scenario.scenario import Claim, Scenario, Step
from pytest_agog.stage.needs import links_cut, needs_comms, needs_postgres
from pytest_agog.values import Strict

Make = Callable[..., Scenario]
PLACE = Position(Path("x.yaml"), 1, 1)


def step(arguments: Strict) -> Step:
    return Step(1, "some", arguments, PLACE)


def claim(check: str, **arguments: Any) -> Claim:
    return Claim("it", "It is", check, builtin_checks()[check].arguments.model_validate(arguments), PLACE)


LAG = {"stream": "agent-comms", "consumer": "jangar-agent-comms", "pending_and_unacked": {"equals": 0}}


@pytest.mark.parametrize("services", [{"comms": {}}, {"comms": None}, {"components": ["comms"]}])
def test_declared_comms_is_needed(scenario: Make, services: dict[str, Any]) -> None:
    # A `comms:` with nothing after it asks for it too.
    assert needs_comms(scenario(services))
    assert needs_postgres(scenario(services))


@pytest.mark.parametrize(
    "arguments",
    [
        Open(**{"sse": {"runId": "r"}, "as": "live"}),
        Cut(link="comms-nats"),
        Cut(link="reader-comms", heal=True),
        Kill(component="comms"),
        Restart(component="comms"),
        Wait(until={"sse": {"reader": "live", "count": 1}}),
        Wait(until={"lag": LAG}),
    ],
)
def test_steps_that_need_comms(scenario: Make, arguments: Strict) -> None:
    wanted = scenario(steps=(step(arguments),))
    assert needs_comms(wanted)
    assert needs_postgres(wanted)


@pytest.mark.parametrize(
    "made", [claim("sse", reader="live", count=1), claim("page", path="/agents"), claim("lag", **LAG)]
)
def test_claims_that_need_comms(scenario: Make, made: Claim) -> None:
    assert needs_comms(scenario(claims=(made,)))


def test_what_does_without_comms(scenario: Make) -> None:
    lag_elsewhere = claim("lag", **{**LAG, "stream": "REQUIREMENTS"})
    claims = (claim("http", path="/healthz"), claim("rows"), lag_elsewhere)
    backfill = step(Backfill(dir="runs/1"))
    wanted = scenario({"postgres": {}}, claims=claims, steps=(step(Kill(component="nats")), backfill))
    assert not needs_comms(wanted)
    assert not needs_comms(scenario({"components": ["deliverables"]}))
    assert needs_postgres(scenario(steps=(backfill,)))
    assert not needs_postgres(scenario(claims=(claim("http", path="/healthz"), lag_elsewhere)))


def test_links_that_are_cut(scenario: Make) -> None:
    steps = (step(Cut(link="comms-nats")), step(Cut(link="comms-nats", heal=True)), step(Cut(link="reader-comms")))
    assert links_cut(scenario(steps=steps)) == {"comms-nats", "reader-comms"}
    assert links_cut(scenario()) == frozenset()
