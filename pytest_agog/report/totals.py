"""Counts over a whole run, the same in every report that people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pytest_agog.checks.base import Outcome
from pytest_agog.report.view import ScenarioView
from pytest_agog.values import plural

WORDS: Final[dict[Outcome, str]] = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "error": "in error",
}


@dataclass(frozen=True)
class Totals:
    """How many there were, and how they ended."""

    scenarios: int
    claims: int
    outcomes: Counter[Outcome]
    """Of the claims."""
    broken_plays: int
    """Plays that did not come to their end."""

    @classmethod
    def of(cls, views: Sequence[ScenarioView]) -> Totals:
        """The totals of `views`."""
        return cls(
            len(views),
            sum(len(view.checks) for view in views),
            Counter(check.outcome for view in views for check in view.checks),
            sum(view.play.outcome in ("failed", "error") for view in views),
        )

    @property
    def bad(self) -> int:
        """Claims that failed or could not be judged."""
        return self.outcomes["failed"] + self.outcomes["error"]

    @property
    def all_good(self) -> bool:
        """Whether something was judged and nothing failed."""
        return self.claims + self.scenarios > 0 and not self.bad and not self.broken_plays

    @property
    def subject(self) -> str:
        """`7 scenarios, 40 claims`."""
        return f"{plural(self.scenarios, 'scenario')}, {plural(self.claims, 'claim')}"

    def parts(self) -> list[tuple[str, Outcome]]:
        """`35 passed`, `1 failed`, …: what happened, and `0 passed` when nothing did."""
        told: list[tuple[str, Outcome]] = [
            (f"{self.outcomes[outcome]} {word}", outcome)
            for outcome, word in WORDS.items()
            if self.outcomes[outcome] or outcome == "passed"
        ]
        if self.broken_plays:
            told.append((f"{plural(self.broken_plays, 'play')} broken off", "failed"))
        return told
