"""[D12] Headings of a Markdown report with the tokens under each, and one section of it.

Headings are found by a CommonMark parser (ATX and setext, not inside code fences, quotes or lists), sections are cut
out of the text as it stands. Front matter is no heading.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pytest_agog.errors import SectionMissing
from pytest_agog.tokens import TokenCounter, count

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

SEPARATOR: Final = " > "
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
"""Lines as CommonMark ends them; `str.splitlines` knows more line ends than that."""
_FRONT_MATTER: Final = re.compile(r"\A\ufeff?---(?:\r\n?|\n)[\w-]+:.*?(?:\r\n?|\n)---[ \t]*(?:\r\n?|\n|\Z)", re.DOTALL)
_NEAREST: Final = 3


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, and what it costs to read its section."""

    level: int
    """1 to 6."""
    title: str
    """As it is read: without markup."""
    path: str
    """The titles that lead to it, from the top: tells headings of one title apart."""
    line: int
    """Of the heading, from 1."""
    tokens: int
    """Of the whole section: the heading, its text, its subsections."""


@dataclass(frozen=True, slots=True)
class _Place:
    level: int
    raw: str
    title: str
    path: str
    begin: int
    end: int
    """First line that is no longer part of the section, from 0."""


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Inline text is parsed for headings only (`_plain`): that is most of the work of a long report.
    return MarkdownIt("commonmark")


def outline(text: str, counter: TokenCounter = count) -> list[Heading]:
    """The headings of `text` in their order."""
    lines, places = _places(text)
    return [
        Heading(place.level, place.title, place.path, place.begin + 1, counter("".join(lines[place.begin : place.end])))
        for place in places
    ]


def section(text: str, heading: str) -> str:
    """The section under `heading`: an exact heading text, or a path of them (`Risks > Summary`), with its subsections.

    When several sections have that heading, all of them, in their order.

    Raises:
        SectionMissing: there is none; the message names the nearest headings.
    """
    lines, places = _places(text)
    wanted = heading.strip()
    found = [place for place in places if wanted in (place.title, place.raw)]
    found = found or [place for place in places if place.path.strip() == wanted]
    if not found:
        raise SectionMissing(heading=heading, nearest=_nearest(wanted, places))
    parts, done = [], 0
    for place in found:
        if place.begin >= done:  # otherwise it stands inside the one before
            parts.append("".join(lines[place.begin : place.end]))
            done = place.end
    return "".join(parts)


def _places(text: str) -> tuple[list[str], list[_Place]]:
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    lines = _LINE.findall(body)
    heads = list(_heads(body))
    skipped = len(_LINE.findall(text[: front.end()])) if front else 0
    places: list[_Place] = []
    above: list[tuple[int, str]] = []
    for (level, raw, begin), end in zip(heads, _ends(heads, len(lines)), strict=True):
        above = [(deep, title) for deep, title in above if deep < level]
        title = _plain(raw)
        above.append((level, title))
        path = SEPARATOR.join(title for _, title in above)
        places.append(_Place(level, raw, title, path, begin + skipped, end + skipped))
    return (_LINE.findall(text[: front.end()]) if front else []) + lines, places


def _ends(heads: Sequence[tuple[int, str, int]], lines: int) -> list[int]:
    """Where each heading's section ends: at the next heading that is not deeper."""
    ends: list[int] = []
    following: list[tuple[int, int]] = []
    for level, _, begin in reversed(heads):
        while following and following[-1][0] > level:
            following.pop()
        ends.append(following[-1][1] if following else lines)
        following.append((level, begin))
    return ends[::-1]


def _heads(text: str) -> list[tuple[int, str, int]]:
    """Level, source and line (from 0) of each heading that structures the document."""
    found = []
    # A byte order mark that some editors put first is no part of the first line.
    parsed = _parser().parse(text.removeprefix("\ufeff"))
    for token, inline in pairwise(parsed):
        if token.type == "heading_open" and token.level == 0 and token.map is not None:
            found.append((int(token.tag[1:]), inline.content.strip(), token.map[0]))
    return found


def _plain(raw: str) -> str:
    """The heading as it is read: `**Risk** of \\`x\\`` is `Risk of x`."""
    inline = _parser().parseInline(raw)[0]
    return "".join(
        " " if child.type in {"softbreak", "hardbreak"} else child.content for child in inline.children or ()
    ).strip()


def _nearest(wanted: str, places: Sequence[_Place]) -> str:
    if not places:
        return "It has no headings at all."
    titles = list(dict.fromkeys(place.title for place in places))
    folded = {title.casefold(): title for title in reversed(titles)}
    close = [folded[match] for match in difflib.get_close_matches(wanted.casefold(), folded, n=_NEAREST, cutoff=0.4)]
    close += [title for title in titles if wanted and wanted.casefold() in title.casefold() and title not in close]
    if not close:
        return "Nothing comes near it."
    return f"Nearest: {', '.join(repr(title) for title in close[:_NEAREST])}."
