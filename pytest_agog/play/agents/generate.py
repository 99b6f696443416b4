"""Reports made up from a seed: Markdown with headings, paragraphs, tables and code, of a wanted number of tokens."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

from pytest_agog import tokens

HEADINGS: Final = ("Summary", "Findings", "Implementation Recommendations", "Risks", "Next Steps")
"""Every generated report has these sections, so that a scenario can fetch one by name."""
TOLERANCE: Final = 0.01
"""How far the number of tokens may be off."""

_SUBJECTS: Final = (
    "the order service", "the lot ledger", "the pricing cache", "the import job", "the search index",
    "the approval step", "the invoice view", "the event consumer", "the nightly export", "the stock table",
)  # fmt: skip
_VERBS: Final = ("reads", "writes", "blocks", "retries", "validates", "batches", "merges", "skips", "locks", "reports")
_OBJECTS: Final = (
    "rows of the last quarter", "every pending message", "duplicate customer names", "two indexes at once",
    "stale price lists", "unacknowledged deliveries", "long running sessions", "a partial snapshot",
    "tenant settings", "rejected uploads",
)  # fmt: skip
_TAILS: Final = (
    "after {n} seconds", "in {n} of 1,000 requests", "once the queue holds {n} items", "for {n} ms at the median",
    "when {n} workers run", "beyond {n} MB", "with {n} % headroom", "on page {n}",
)  # fmt: skip
_FILLERS: Final = ("lots", "orders", "items", "rows", "pages", "users", "files", "jobs")
"""Words for the last line, which makes up what whole sentences cannot."""
_LARGEST_BLOCK: Final = 150
"""Tokens; more than any block has."""
_COUNTED: Final = 400
"""Blocks that are counted at once."""
_LINE: Final = 30
"""Tokens; more than a sentence has."""
_TRIES: Final = 8


def report(wanted: int, seed: int, count: Callable[[str], int] = tokens.count) -> str:
    """A report of `wanted` tokens, within 1 %; the same for the same numbers.

    With o200k_base it has exactly as many, unless that is fewer than title and headings need.
    """
    chance = random.Random(seed)  # noqa: S311 - a made-up text, not a secret
    opening = f"# Generated report {seed}\n\n"
    heads = [f"## {heading}\n\n" for heading in HEADINGS]
    # The last line needs room.
    left = wanted - count(opening + "".join(heads)) - 2
    sections: list[str] = [opening]
    for place, head in enumerate(heads):
        share = max(left, 0) // (len(heads) - place)
        body, used = _body(share, chance, count)
        left -= used
        sections.append(head + body)
    return _filled("".join(sections), wanted, chance, count)


def _body(wanted: int, chance: random.Random, count: Callable[[str], int]) -> tuple[str, int]:
    """Blocks of together at most `wanted` tokens, and how many they have."""
    parts: list[str] = []
    used = 0
    blocks = _blocks(chance)
    while used < wanted:
        size = max(1, min(_COUNTED, (wanted - used) // _LARGEST_BLOCK))
        text = "".join(next(blocks) for _ in range(size))
        tokens_of_batch = count(text)
        if used + tokens_of_batch > wanted:
            break
        parts.append(text)
        used += tokens_of_batch
    return "".join(parts), used


def _blocks(chance: random.Random) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield _block(number, chance)


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


def _filled(text: str, wanted: int, chance: random.Random, count: Callable[[str], int]) -> str:
    """`text` with sentences, then a line of single words at its end, as many as are missing."""
    have = count(text)
    while wanted - have > _LINE:
        sentence = _sentence(chance) + "\n\n"
        text += sentence
        have += count(sentence)
    line: list[str] = []
    each = max(1, *(count(f"{text[-40:]} {word}") - count(text[-40:]) for word in _FILLERS))
    for _ in range(_TRIES):
        have = count(text + " ".join(line))
        missing = wanted - have
        if abs(missing) < each:
            break
        if missing > 0:
            line += [chance.choice(_FILLERS) for _ in range(missing // each)]
        else:
            del line[missing // each :]
    return text + " ".join(line) if line else text
