"""How close a pass came to failing: a claim that only just holds today is a claim that fails tomorrow."""

from __future__ import annotations

from typing import Final

from pytest_agog.play.result import Judgement
from pytest_agog.values import format_duration

NEARLY: Final = 0.8
"""The share of `within` that makes a pass a close call."""


def close_call(judgement: Judgement) -> str:
    """Why this pass was close, in a few words; empty when it was not, or when the claim did not pass.

    Time spent on `holds_for` does not count as waiting: it is always spent in full.
    """
    claim = judgement.claim
    if not judgement.verdict.passed or claim.within <= 0:
        return ""
    waited = judgement.waited - claim.holds_for
    if waited < NEARLY * claim.within:
        return ""
    return f"took {format_duration(waited)} of {format_duration(claim.within)}"
