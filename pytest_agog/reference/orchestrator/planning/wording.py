"""The words of a requirement, read once for all who ask."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from pytest_agog.reference.orchestrator.intake.stated import Stated

_WORD: Final = re.compile(r"\w+|[^\w\s*`-]")
_REQUIREMENT: Final = re.compile(r"REQ-[A-Za-z0-9-]+")
_ADDRESS: Final = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://\S+")


class Wording(NamedTuple):
    """Words in small letters, in order. Signs stand between them, so that no phrase reaches across a comma."""

    title: list[str]
    all: list[str]
    """Of title, prose and acceptance criteria."""
    set: AbstractSet[str]
    """All of them."""
    prose: str
    """Title and prose, as written."""


def words(text: str) -> list[str]:
    """The words of a text. Ids of requirements and addresses of pages are none: `REQ-API-1` is not about an API."""
    if "REQ-" in text:
        text = _REQUIREMENT.sub(" ; ", text)
    if "://" in text:
        text = _ADDRESS.sub(" ; ", text)
    found = _WORD.findall(text.lower())
    # Emphasis with underscores; those inside a name belong to it: `lot_events` has nothing to do with events.
    return [word.strip("_") or "_" for word in found] if "_" in text else found


def read(stated: Stated) -> Wording:
    """The words of a requirement."""
    title = words(stated.title)
    every = title
    if stated.text or stated.acceptance:
        every = title.copy()
        for part in (stated.text, *stated.acceptance):
            every.append(".")
            every += words(part)
    prose = f"{stated.title}\n{stated.text}" if stated.text else stated.title
    return Wording(title, every, set(every), prose)
