"""The heading of a roadmap entry: `### REQ-042: title`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake.lines import shown
from pytest_agog.wire.orchestration import requirement_id

LEVELS: Final = range(2, 7)
MAX_TITLE: Final = 500
"""Characters. A title goes into prompts and subjects' payloads."""

# Signs (a tick, emphasis, a bracket), perhaps a number such as 3.1, then what wants to be an id.
_LOOKS_LIKE_ONE: Final = re.compile(
    r"(?P<lead>[^\w#]{0,12}(?:\d{1,4}(?:\.\d{1,4}){0,4}[.)]?[ \t]+)?[^\w#]{0,12})"
    r"(?=req(?:[-_#:.\u2013\u2014]|[ \t]*\d))",
    re.IGNORECASE,
)
_ID: Final = re.compile(r"REQ-[A-Za-z0-9-]+")
_BETWEEN: Final = re.compile(
    r"(?:\]\([^)]*\)|[*_`~\])])*[ \t]*(?:[:\uff1a]|[\u2013\u2014](?=[ \t])|(?<=[ \t])-(?=[ \t]))"
)
_EMPHASIS: Final = re.compile(r"[*_`~]{1,6}")


@dataclass(frozen=True, slots=True)
class Head:
    """The heading of an entry."""

    id: str
    title: str


def looks_like_entry(heading: str) -> bool:
    """Whether a heading wants to be that of an entry, well written or not."""
    return "eq" in heading[:40].lower() and _LOOKS_LIKE_ONE.match(heading) is not None


def read_head(heading: str, level: int) -> Head:
    """Id and title.

    Raises:
        BadInput: why it is none, in one sentence.
    """
    if level not in LEVELS:
        raise BadInput(f"{heading[:60]!r} is a heading of level {level}; entries stand at level 2 to 6")
    lead = _LOOKS_LIKE_ONE.match(heading)
    position = lead.end() if lead else 0
    found = _ID.match(heading, position)
    if found is None:
        raise BadInput(
            f"{shown(heading)[:60]!r} has no requirement id; expected REQ- and then letters, digits and dashes"
        )
    between = _BETWEEN.match(heading, found.end())
    if between is None:
        rest = heading[found.end() :].strip(" \t*_`~])")
        if rest:
            raise BadInput(f"{shown(heading)[:60]!r}: expected a colon and the title right after {found[0]}")
        raise BadInput(f"{found[0]} has no title; write `{found[0]}: title`")
    identity = requirement_id(found[0])
    title = heading[between.end() :].strip(" \t")
    if lead and lead["lead"]:
        title = _without_the_end(title, lead["lead"])
    title = shown(_emphasis(title)).strip()
    if not title:
        raise BadInput(f"{identity} has no title; write `{identity}: title`")
    return Head(identity, " ".join(title.split())[:MAX_TITLE])


def _without_the_end(title: str, lead: str) -> str:
    """Emphasis that began before the id ends with the title, or has ended at the id."""
    for sign in "*_`~":
        count = lead.count(sign)
        if count and title.endswith(sign * count) and title.count(sign) % (2 * count):
            title = title[:-count]
    return title.strip(" \t")


def _emphasis(title: str) -> str:
    """A title that is emphasised as a whole, without that."""
    opened = _EMPHASIS.match(title)
    if opened and len(title) > 2 * opened.end() and title.endswith(opened[0][::-1]):
        inner = title[opened.end() : -opened.end()]
        if opened[0][0] not in inner:
            return inner
    return title[opened.end() :] if opened and title[opened.end() :].startswith(" ") else title
