"""Limits on what a file may grow to through aliases, includes and variables. Sharing makes bombs cheap to write."""

from __future__ import annotations

from typing import Final

from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.source import Place

MAX_NODES: Final = 100_000
"""Values and keys, counted as if every alias, include and variable were written out."""
MAX_TEXT: Final = 8_000_000
"""Characters, counted the same way."""
MAX_DEPTH: Final = 100
"""How deep lists and mappings may nest."""


class Budget:
    """Counts nodes and characters; stops the reading when there are too many."""

    def __init__(self, problems: Problems) -> None:
        self.nodes = 0
        self.text = 0
        self._problems = problems

    def spend(self, place: Place, nodes: int, text: int) -> None:
        """Count so much more.

        Raises:
            ScenarioErrors: that is too much.
        """
        self.nodes += nodes
        self.text += text
        if self.nodes > MAX_NODES:
            self._problems.fatal(
                place,
                f"more than {MAX_NODES:,} values, with aliases, includes and variables written out",
                "split the scenario, or move data into files",
            )
        if self.text > MAX_TEXT:
            self._problems.fatal(
                place,
                f"more than {MAX_TEXT:,} characters, with aliases, includes and variables written out",
                "move data into files",
            )

    def deep(self, place: Place, depth: int) -> None:
        """Check how deep a node lies.

        Raises:
            ScenarioErrors: too deep.
        """
        if depth > MAX_DEPTH:
            self._problems.fatal(place, f"nested more than {MAX_DEPTH} levels deep")
