"""Tokens as reports show them: what hand-overs would have cost inline, what they cost with notices, and the savings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_agog.checks.tokens import account
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.report.text import masked_text


@dataclass(frozen=True)
class AgentTokens:
    """One agent's share of a chain."""

    agent: str
    inline: int
    notices: int
    fetched: int

    @property
    def net_savings(self) -> float | None:
        """1 - (notices + fetched) / inline, as a fraction; None when nothing was handed to this agent."""
        return savings(self.inline, self.notices + self.fetched)


@dataclass(frozen=True)
class TokenView:
    """Tokens of one scenario, or the sum of several. [D13]"""

    inline: int
    """What the spawns would have cost with the earlier reports in their prompts."""
    notices: int
    """What they cost with notices, prompts included."""
    fetched: int
    """Text that agents were handed on demand."""
    largest_notice: int | None = None
    agents: tuple[AgentTokens, ...] = ()

    @property
    def spawn_savings(self) -> float | None:
        """1 - notices / inline, as a fraction; None when nothing was handed over."""
        return savings(self.inline, self.notices)

    @property
    def net_savings(self) -> float | None:
        """1 - (notices + fetched) / inline, as a fraction; None when nothing was handed over."""
        return savings(self.inline, self.notices + self.fetched)


def savings(inline: int, cost: int) -> float | None:
    """The share of `inline` that was not spent; None when there was nothing to save, negative when more was spent."""
    return None if inline <= 0 else 1 - cost / inline


def total(parts: Sequence[TokenView]) -> TokenView:
    """The sum of several scenarios; savings are those of the sums, not an average of shares."""
    return TokenView(
        sum(part.inline for part in parts),
        sum(part.notices for part in parts),
        sum(part.fetched for part in parts),
        max((part.largest_notice for part in parts if part.largest_notice is not None), default=None),
    )


def percent(share: float | None, none: str = "\u2013") -> str:
    """`share` as `94.9%`, rounded down, so that 94.96 % never reads as the 95 % that it is not."""
    if share is None:
        return none
    # The tiny addend undoes binary fractions: 0.95 * 1000 must not floor to 949.
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f}%"


def token_view(ledger: Ledger) -> TokenView | None:
    """The tokens of a play, or None when it handed nothing over: no report that a prompt could have carried."""
    found = account(ledger)
    if not found.inline:
        return None
    return TokenView(
        found.inline,
        found.notices,
        found.fetched,
        found.largest_notice,
        tuple(AgentTokens(masked_text(row.agent), row.inline, row.notices, row.fetched) for row in found.by_agent),
    )
