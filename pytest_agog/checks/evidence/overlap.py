"""How much of a report stands in another text, however it was wrapped, escaped or stripped.

Both texts are reduced to their letters and digits: escapes (`\\n`, `\\u00e9`, at any depth), HTML entities and tags,
Markdown marks, punctuation, white space and case go. Where numbers count the lines of the other text, it is looked at
with and without them. What is left is compared by shingles: every 20th position of a report starts one of 20
characters, all of them are hashed in one table, and one pass over the other text looks its shingles up and lengthens
each hit in both directions. A common run of 39 characters or more always holds a whole shingle of the report, so none
is overlooked; runs under 40 characters (about eight words) are common phrases and do not count. Nor do a report's
headings: an outline is no report. The time grows with the lengths of the texts, not with their product.

Not covered: paraphrase and translation, base64, percent-encoding, compression and other encodings, text with foreign
words in between at less than 40 characters, words in another order.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SHINGLE: Final = 20
"""Letters and digits in a shingle."""
SHORTEST_RUN: Final = 40
"""Shorter runs are common phrases."""
SHORTEST_TEXT: Final = 24
"""A report with fewer letters and digits cannot be told from a phrase."""
SENTENCE: Final = 120
"""So many letters and digits of a report may always stand elsewhere: one quoted sentence."""

_ESCAPE: Final = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|([nr])|[tbf])")
_NUMBERED: Final = re.compile(r"[^\w]{0,40}?(?:[Ll](?:ine|n)?[ .:#]{0,2})?(\d{1,6})(?!\w)")
"""A line that begins with a number: what a file viewer, `cat -n` or `grep -n` put before it."""
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_NO_LETTERS: Final = re.compile(r"[\W_]+")
_HEADING: Final = re.compile(r"^([ ]{0,3}#{1,6}[ \t]+)([^\n]{1,160})$", re.MULTILINE)
_OPENS, _CLOSES = "\ua66e", "\ua610"
_MARKS: Final = re.compile(f"([{_OPENS}{_CLOSES}])")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def letters(text: str) -> str:
    """The letters and digits of `text`, without case, escapes and markup."""
    text = _unescaped(text)
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "&" in text:
        text = html.unescape(html.unescape(text))
    if "<" in text:
        text = _TAG.sub(" ", text)
    return _NO_LETTERS.sub("", unicodedata.normalize("NFKC", text).casefold())


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\n" if found[2] else " ", text)


def without_line_numbers(text: str) -> str | None:
    """`text` without the numbers that count its lines (1, 2, 3 …, also behind `> ` or `L`); None when none do."""
    lines = _unescaped(text).split("\n")
    found = [(place, match) for place, line in enumerate(lines) if (match := _NUMBERED.match(line))]
    numbers = [-2, *(int(match[1]) for _, match in found), -2]
    counted = 0
    for (place, match), before, number, after in zip(found, numbers, numbers[1:], numbers[2:], strict=False):
        if number in (before + 1, after - 1):
            lines[place] = lines[place][match.end() :]
            counted += 1
    return "\n".join(lines) if counted else None


def _with_headings(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The letters of a Markdown text, and where in them its headings stand."""
    # Two letters that no report holds go through the reduction with the text, and mark the places.
    marked = letters(_HEADING.sub(rf"\1{_OPENS}\2{_CLOSES}", text.replace(_OPENS, "").replace(_CLOSES, "")))
    parts: list[str] = []
    headings: list[tuple[int, int]] = []
    size = 0
    begun: int | None = None
    for part in _MARKS.split(marked):
        if part == _OPENS:
            begun = size
        elif part == _CLOSES:
            if begun is not None and size > begun:
                headings.append((begun, size))
            begun = None
        else:
            parts.append(part)
            size += len(part)
    return "".join(parts), headings


def allowance(length: int, threshold: float) -> float:
    """How many of a report's `length` letters may stand in a prompt: its share, at least a sentence or half of it."""
    return max(threshold * length, min(SENTENCE, length / 2))


@dataclass(frozen=True)
class Shared:
    """What one report and the other text have in common."""

    report: int
    """Number of the report."""
    letters: int
    """Letters and digits of the report that stand in the other text, each counted once; without its headings."""
    total: int
    """Letters and digits of the report, without its headings."""
    longest: tuple[int, int]
    """First and last (excluded) letter of the longest run, in the report."""

    @property
    def share(self) -> float:
        """The part of the report that stands in the other text."""
        return self.letters / self.total


class Reports:
    """Reports, ready to be looked for in many texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        found = [_with_headings(text) for text in texts]
        self.texts = [text for text, _ in found]
        self._headings: list[list[tuple[int, int]]] = [
            # A report that is hardly more than its headings is known by them.
            headings if len(text) - sum(end - start for start, end in headings) >= SHORTEST_RUN else []
            for text, headings in found
        ]
        self.sizes = [self._body(number, 0, len(text)) for number, text in enumerate(self.texts)]
        """Letters and digits of each report, without its headings."""
        self._at: dict[str, list[tuple[int, int]]] = {}
        for number, text in enumerate(self.texts):
            for place in range(0, len(text) - SHINGLE + 1, SHINGLE):
                places = self._at.setdefault(text[place : place + SHINGLE], [])
                # Within one report the first place will do: a run that matters has other shingles around it.
                if not places or places[-1][0] != number:
                    places.append((number, place))

    def in_text(self, text: str) -> list[Shared]:
        """What of each report stands in `text`, the largest share first; reports of which nothing does are left out."""
        found: dict[int, list[tuple[int, int]]] = {}
        self._look(letters(text), found)
        if (unnumbered := without_line_numbers(text)) is not None:
            self._look(letters(unnumbered), found)
        shared = [
            Shared(number, self._covered(number, runs), self.sizes[number], max(runs, key=lambda run: run[1] - run[0]))
            for number, runs in found.items()
        ]
        return sorted(shared, key=lambda item: (-item.share, item.report))

    def _look(self, other: str, found: dict[int, list[tuple[int, int]]]) -> None:
        """Add to `found` the runs of each report that stand in `other`, which is letters and digits."""
        passed = [0] * len(self.texts)
        table = self._at
        hits = [place for place in range(len(other) - SHINGLE + 1) if other[place : place + SHINGLE] in table]
        for place in hits:
            for number, start in table[other[place : place + SHINGLE]]:
                if place >= passed[number]:
                    run, after = _lengthen(other, place, self.texts[number], start)
                    passed[number] = after - SHINGLE + 1
                    if run[1] - run[0] >= SHORTEST_RUN and self._body(number, *run) >= SHORTEST_RUN:
                        found.setdefault(number, []).append(run)
        for number, report in enumerate(self.texts):
            if SHORTEST_TEXT <= len(report) < SHORTEST_RUN and report in other:
                found[number] = [(0, len(report))]

    def _body(self, number: int, start: int, end: int) -> int:
        """How many letters of a stretch of a report are none of its headings'."""
        headings = self._headings[number]
        inside = 0
        for place in range(max(bisect_right(headings, (start, 0)) - 1, 0), len(headings)):
            first, last = headings[place]
            if first >= end:
                break
            inside += max(0, min(last, end) - max(first, start))
        return end - start - inside

    def _covered(self, number: int, runs: list[tuple[int, int]]) -> int:
        total, reached = 0, 0
        for start, end in sorted(runs):
            if end > reached:
                total += self._body(number, max(start, reached), end)
                reached = end
        return total


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


def lines_of(text: str, run: tuple[int, int]) -> str:
    """The lines of the original `text` in which a run of its letters stands."""
    chosen, at = [], 0
    for line in text.splitlines():
        size = len(letters(line))
        if size and at < run[1] and at + size > run[0]:
            chosen.append(line)
        at += size
    return "\n".join(chosen)
