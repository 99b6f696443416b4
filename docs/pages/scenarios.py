"""The page `reference/scenarios.md`: the scenario format, every step and every check."""

from __future__ import annotations

from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.describing.reference_page import reference_page


def page() -> str:
    """The whole page, as `agog explain --all --markdown` prints it."""
    return reference_page(vocabulary())
