"""How big it is and what it will cost: stated, else estimated from text, files and history. [O3]"""

from __future__ import annotations

from typing import Final

from pytest_agog.reference.orchestrator.intake.stated import Effort, Stated
from pytest_agog.reference.orchestrator.planning import wording
from pytest_agog.reference.orchestrator.planning.lessons import Lessons

LIMITS: Final[tuple[tuple[Effort, int], ...]] = (("S", 15_000), ("M", 35_000), ("L", 80_000))
"""Below so many tokens it is of that size; all above is XL."""
TYPICAL: Final[dict[Effort, int]] = {"S": 10_000, "M": 25_000, "L": 50_000, "XL": 100_000}
"""Tokens of work whose size is stated and whose cost is not."""
MOST: Final = 120_000
"""No estimate of ours is higher, history apart: what seems bigger has to be split anyway."""
_BASE, _FILE, _CRITERION, _WORD = 8_000, 4_000, 1_500, 20
_LIGHTER: Final = {"documentation": 0.4, "review": 0.5, "release": 0.3, "database": 0.7}
"""Work of these lanes costs less than its files and words suggest."""
_HARD: Final = frozenset({"refactor", "refactoring", "rewrite", "redesign", "architecture", "overhaul", "concurrency",
                          "distributed", "partitioned"})  # fmt: skip
_EASY: Final = frozenset({"typo", "typos", "rename", "bump", "wording", "label", "tooltip"})


def estimate(stated: Stated, words: wording.Wording, lane: str | None, lessons: Lessons) -> tuple[Effort, int]:
    """Size and tokens. What the source states wins over any estimate."""
    if stated.estimated_tokens is not None:
        return stated.effort or size(stated.estimated_tokens), stated.estimated_tokens
    tokens: float
    if stated.effort is not None:
        tokens = TYPICAL[stated.effort]
    else:
        tokens = _weigh(stated, words) * _LIGHTER.get(lane or "", 1.0)
    if lessons.token_factors:
        tokens *= lessons.token_factors.get(lane or "", 1.0)
    count = max(int(tokens / 100 + 0.5), 1) * 100
    return stated.effort or size(count), count


def told(stated: Stated, found: Effort, tokens: int, lane: str | None, factor: float) -> str:
    """Why it is of that size and cost.

    Args:
        stated: the requirement.
        found: its size.
        tokens: its cost.
        lane: where it is routed.
        factor: what history made of the estimate.
    """
    if stated.estimated_tokens is not None:
        return f"{tokens:,} tokens are stated"
    if stated.effort is not None:
        why = f"{found} is stated"
    else:
        counted = f"{len(stated.files)} files, {len(stated.acceptance)} acceptance criteria"
        why = f"{counted}, {len(wording.read(stated).all)} words"
    if factor != 1.0:
        why += f"; {lane} work took {factor:.2f} times its estimate so far"
    return f"{found}, {tokens:,} tokens: {why}"


def size(tokens: int) -> Effort:
    """The size of work that costs so many tokens."""
    return next((name for name, limit in LIMITS if tokens < limit), "XL")


def _weigh(stated: Stated, words: wording.Wording) -> float:
    tokens: float = _BASE + _FILE * len(stated.files) + _CRITERION * len(stated.acceptance) + _WORD * len(words.all)
    if not _HARD.isdisjoint(words.set):
        tokens *= 1.5
    elif not _EASY.isdisjoint(words.title):
        tokens *= 0.5
    return min(tokens, MOST)
