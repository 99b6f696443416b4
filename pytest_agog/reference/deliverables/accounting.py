"""[D13] What a chain of agents costs in tokens: with reports in the prompts, with notices, and with what is then read.

`inline` is the sum over spawns of the tokens of all earlier reports; `notices` the same sum over their notices, plus
the prompts themselves; `fetched` the tokens of what agents were handed on demand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_agog.tokens import TokenCounter, count


@dataclass(frozen=True, slots=True)
class Tokens:
    """The sums, and what they save as fractions of `inline`."""

    inline: int = 0
    notices: int = 0
    fetched: int = 0

    @property
    def spawn_savings(self) -> float | None:
        """1 - notices/inline; None when nothing was handed over."""
        return 1 - self.notices / self.inline if self.inline else None

    @property
    def net_savings(self) -> float | None:
        """1 - (notices + fetched)/inline; None when nothing was handed over."""
        return 1 - (self.notices + self.fetched) / self.inline if self.inline else None


class Accounts:
    """Keeps the sums of one chain."""

    def __init__(self, counter: TokenCounter = count) -> None:
        self._count = counter
        self._inline = self._notices = self._fetched = 0

    def spawned(self, prompt: str, earlier: Iterable[tuple[str, str]]) -> None:
        """An agent was started with `prompt`; `earlier` are the (report, notice) pairs of the chain so far."""
        self._notices += self._count(prompt)
        for report, notice in earlier:
            self._inline += self._count(report)
            self._notices += self._count(notice)

    def handed(self, text: str) -> None:
        """An agent was handed `text` on demand."""
        self._fetched += self._count(text)

    @property
    def totals(self) -> Tokens:
        """The sums so far."""
        return Tokens(self._inline, self._notices, self._fetched)
