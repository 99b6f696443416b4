"""How close a pass came to failing: a claim that only just holds today is a claim that fails tomorrow."""

from __future__ import annotations

from typing import Final

from pytest_agog.play.result import Judgement
from pytest_agog.report.token_view import percent
from pytest_agog.values import Bound, format_duration

NEARLY: Final = 0.8
"""The share of `within` that makes a pass a close call."""
NEARLY_SPENT: Final = 0.9
"""The share of allowed tokens that makes a pass a close call."""


def close_call(judgement: Judgement) -> str:
    """Why this pass was close, in a few words; empty when it was not, or when the claim did not pass."""
    if not judgement.verdict.passed:
        return ""
    if judgement.claim.id.startswith("tokens."):
        return _close_tokens(judgement)
    return _close_time(judgement)


def _close_time(judgement: Judgement) -> str:
    """Time spent on `holds_for` does not count as waiting: it is always spent in full."""
    claim = judgement.claim
    waited = judgement.waited - claim.holds_for
    if claim.within <= 0 or waited < NEARLY * claim.within:
        return ""
    return f"took {format_duration(waited)} of {format_duration(claim.within)}"


def _close_tokens(judgement: Judgement) -> str:
    """Savings are compared as what was spent: 95.4 % saved where 95 % are asked for is 4.6 of the 5 % allowed."""
    bound = getattr(judgement.claim.arguments, "value", None)
    name = judgement.claim.id.removeprefix("tokens.")
    measured = _measured(judgement, "tokens" if name == "notice" else name)
    if not isinstance(bound, Bound) or measured is None:
        return ""
    if name == "notice":
        limit = bound.at_most
        close = limit is not None and limit > 0 and measured >= NEARLY_SPENT * limit
        return f"{measured:g} of {limit:g} tokens" if close and limit is not None else ""
    limit = bound.at_least
    if limit is None or limit >= 1 or (1 - measured) < NEARLY_SPENT * (1 - limit):
        return ""
    return f"{percent(measured)} where {percent(limit)} are asked for"


def _measured(judgement: Judgement, name: str) -> float | None:
    """The number that the check measured, as its evidence has it."""
    for piece in judgement.verdict.evidence:
        value = piece.details.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
    return None
