"""What users can extend. Implement these in a conftest.py or a plugin; docs/how-to/extend.md shows one example each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_agog.checks.base import Check
    from pytest_agog.ledger.ledger import Ledger
    from pytest_agog.play.result import PlayResult
    from pytest_agog.play.steps import PlayedStep
    from pytest_agog.scenario.scenario import Scenario


@pytest.hookspec
def pytest_agog_checks() -> Iterable[Check[Any]]:  # type: ignore[empty-body]
    """Further checks; each becomes a word of the scenario format, with schema, lint and `agog explain`."""


@pytest.hookspec
def pytest_agog_steps() -> Iterable[PlayedStep]:  # type: ignore[empty-body]
    """Further step verbs."""


@pytest.hookspec
def pytest_agog_agents() -> Iterable[str]:  # type: ignore[empty-body]
    """Names of further agents that scenarios need not declare."""


@pytest.hookspec(firstresult=True)
def pytest_agog_token_counter() -> Callable[[str], int] | None:
    """Another token counter than o200k_base; the first one given is used for every count."""


@pytest.hookspec
def pytest_agog_observe(ledger: Ledger, scenario: Scenario) -> None:
    """A play begins. `ledger.listen(callback)` tells of every growth."""


@pytest.hookspec
def pytest_agog_played(result: PlayResult) -> None:
    """A play ended and was judged."""


@pytest.hookspec
def pytest_agog_report(result: PlayResult) -> str | None:
    """A paragraph of Markdown that is added to this scenario's part of the summary."""
