"""Reports made up from a seed: Markdown with headings, paragraphs, tables and code, of a wanted number of tokens."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from pytest_agog import tokens

HEADINGS = ("Summary", "Findings", "Implementation Recommendations", "Risks", "Next Steps")
"""Every generated report has these sections, so that a scenario can fetch one by name."""
TOLERANCE = 0.01
"""How far the number of tokens may be off."""

_SUBJECTS = (
    "the order service", "the lot ledger", "the pricing cache", "the import job", "the search index",
    "the approval step", "the invoice view", "the event consumer", "the nightly export", "the stock table",
)  # fmt: skip
_VERBS = ("reads", "writes", "blocks", "retries", "validates", "batches", "merges", "skips", "locks", "reports")
_OBJECTS = (
    "rows of the last quarter", "every pending message", "duplicate customer names", "two indexes at once",
    "stale price lists", "unacknowledged deliveries", "long running sessions", "a partial snapshot",
    "tenant settings", "rejected uploads",
)  # fmt: skip
_TAILS = (
    "after {n} seconds", "in {n} of 1,000 requests", "once the queue holds {n} items", "for {n} ms at the median",
    "when {n} workers run", "beyond {n} MB", "with {n} % headroom", "on page {n}",
)  # fmt: skip


def report(wanted: int, seed: int, count: Callable[[str], int] = tokens.count) -> str:
    """A report of `wanted` tokens, within 1 % (or two tokens); the same for the same numbers."""
    chance = random.Random(seed)  # noqa: S311 - a made-up text, not a secret
    opening = f"# Generated report {seed}\n\n"
    blocks = [opening]
    each = max((wanted - count(opening)) // len(HEADINGS), 1)
    for heading in HEADINGS:
        blocks.extend(_section(heading, each, chance, count))
    return _fitted("".join(blocks), wanted, chance, count)


def _section(heading: str, wanted: int, chance: random.Random, count: Callable[[str], int]) -> Iterator[str]:
    head = f"## {heading}\n\n"
    yield head
    left = wanted - count(head)
    number = 0
    while left > 0:
        number += 1
        block = _block(number, chance)
        size = count(block)
        if size > left:
            return
        left -= size
        yield block


def _block(number: int, chance: random.Random) -> str:
    if number % 9 == 0:
        rows = "".join(f"| {chance.choice(_SUBJECTS)} | {chance.randint(1, 9999)} |\n" for _ in range(4))
        return f"| part | count |\n|---|---|\n{rows}\n"
    if number % 7 == 0:
        return f"```sql\nSELECT count(*) FROM lots WHERE batch = {chance.randint(1, 99999)};\n```\n\n"
    if number % 12 == 0:
        return f"### Case {chance.randint(100, 999)}.{number}\n\n{_sentence(chance)}\n\n"
    return " ".join(_sentence(chance) for _ in range(chance.randint(3, 6))) + "\n\n"


def _sentence(chance: random.Random) -> str:
    tail = chance.choice(_TAILS).format(n=chance.randint(2, 997))
    text = f"{chance.choice(_SUBJECTS)} {chance.choice(_VERBS)} {chance.choice(_OBJECTS)} {tail}."
    return text[0].upper() + text[1:]


def _fitted(text: str, wanted: int, chance: random.Random, count: Callable[[str], int]) -> str:
    """`text` with sentences added, then words cut, until it has `wanted` tokens."""
    have = count(text)
    while have < wanted:
        more = " ".join(_sentence(chance) for _ in range(max((wanted - have) // 16, 1)))
        text = f"{text}{more}\n\n"
        have = count(text)
    if have > wanted * (1 + TOLERANCE) + 2:
        words = text.split(" ")
        low, high = 0, len(words)
        while low < high:
            middle = (low + high + 1) // 2
            if count(" ".join(words[:middle])) <= wanted:
                low = middle
            else:
                high = middle - 1
        text = " ".join(words[:low])
    return text
