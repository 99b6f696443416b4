"""How much of a report stands in another text, however it was wrapped, escaped or stripped.

Both texts are reduced to their letters and digits: escapes (`\\n`, `\\u00e9`, at any depth), HTML entities and tags,
Markdown marks, punctuation, white space and case go. What is left is compared by shingles: every 20th position of a
report starts one of 20 characters, all of them are hashed in one table, and one pass over the other text looks its
shingles up and lengthens each hit in both directions. A common run of 39 characters or more always holds a whole
shingle of the report, so none is overlooked; runs under 40 characters (about eight words) are common phrases and do not
count. The time grows with the lengths of the texts, not with their product.

Not covered: paraphrase and translation, base64, compression and other encodings, text with foreign words or line
numbers in between at less than 40 characters, words in another order.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SHINGLE: Final = 20
"""Letters and digits in a shingle."""
SHORTEST_RUN: Final = 40
"""Shorter runs are common phrases."""
SHORTEST_TEXT: Final = 24
"""A report with fewer letters and digits cannot be told from a phrase."""
SENTENCE: Final = 80
"""So many letters and digits of a report may always stand elsewhere: one quoted sentence."""

_ESCAPE: Final = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|[nrtbf])")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_NO_LETTERS: Final = re.compile(r"[\W_]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def letters(text: str) -> str:
    """The letters and digits of `text`, without case, escapes and markup."""
    if "\\" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else " ", text)
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "&" in text:
        text = html.unescape(html.unescape(text))
    if "<" in text:
        text = _TAG.sub(" ", text)
    return _NO_LETTERS.sub("", unicodedata.normalize("NFKC", text).casefold())


def allowance(length: int, threshold: float) -> float:
    """How many of a report's `length` letters may stand in a prompt: its share, at least a sentence or half of it."""
    return max(threshold * length, min(SENTENCE, length / 2))


@dataclass(frozen=True)
class Shared:
    """What one report and the other text have in common."""

    report: int
    """Number of the report."""
    letters: int
    """Letters and digits of the report that stand in the other text, each counted once."""
    total: int
    """Letters and digits of the report."""
    longest: tuple[int, int]
    """First and last (excluded) letter of the longest run, in the report."""

    @property
    def share(self) -> float:
        """The part of the report that stands in the other text."""
        return self.letters / self.total


class Reports:
    """Reports, ready to be looked for in many texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = [letters(text) for text in texts]
        self._at: dict[str, list[tuple[int, int]]] = {}
        for number, text in enumerate(self.texts):
            for place in range(0, len(text) - SHINGLE + 1, SHINGLE):
                places = self._at.setdefault(text[place : place + SHINGLE], [])
                # Within one report the first place will do: a run that matters has other shingles around it.
                if not places or places[-1][0] != number:
                    places.append((number, place))

    def in_text(self, text: str) -> list[Shared]:
        """What of each report stands in `text`, the largest share first; reports of which nothing does are left out."""
        other = letters(text)
        found: dict[int, list[tuple[int, int]]] = {}
        passed = [0] * len(self.texts)
        table = self._at
        hits = [place for place in range(len(other) - SHINGLE + 1) if other[place : place + SHINGLE] in table]
        for place in hits:
            for number, start in table[other[place : place + SHINGLE]]:
                if place >= passed[number]:
                    run, after = _lengthen(other, place, self.texts[number], start)
                    passed[number] = after - SHINGLE + 1
                    if run[1] - run[0] >= SHORTEST_RUN:
                        found.setdefault(number, []).append(run)
        for number, report in enumerate(self.texts):
            if SHORTEST_TEXT <= len(report) < SHORTEST_RUN and report in other:
                found[number] = [(0, len(report))]
        shared = [
            Shared(number, _covered(runs), len(self.texts[number]), max(runs, key=lambda run: run[1] - run[0]))
            for number, runs in found.items()
        ]
        return sorted(shared, key=lambda item: (-item.share, item.report))


def _lengthen(other: str, place: int, report: str, start: int) -> tuple[tuple[int, int], int]:
    """The run in `report` around a shingle that both have, and where it ends in `other`."""
    forward = _alike(other, place, report, start)
    back = _alike_before(other, place, report, start)
    return (start - back, start + forward), place + forward


def _alike(left: str, i: int, right: str, j: int) -> int:
    """How many characters are the same from `i` and `j` on."""
    done, step = 0, 64
    while step:
        size = min(step, len(left) - i - done, len(right) - j - done)
        if size > 0 and left[i + done : i + done + size] == right[j + done : j + done + size]:
            done += size
            step *= 2
        else:
            step = min(step, max(size, 0)) // 2
    return done


def _alike_before(left: str, i: int, right: str, j: int) -> int:
    """How many characters are the same right before `i` and `j`."""
    done, step = 0, 64
    while step:
        size = min(step, i - done, j - done)
        if size > 0 and left[i - done - size : i - done] == right[j - done - size : j - done]:
            done += size
            step *= 2
        else:
            step = min(step, max(size, 0)) // 2
    return done


def _covered(runs: list[tuple[int, int]]) -> int:
    total, reached = 0, 0
    for start, end in sorted(runs):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def lines_of(text: str, run: tuple[int, int]) -> str:
    """The lines of the original `text` in which a run of its letters stands."""
    chosen, at = [], 0
    for line in text.splitlines():
        size = len(letters(line))
        if size and at < run[1] and at + size > run[0]:
            chosen.append(line)
        at += size
    return "\n".join(chosen)
