"""Templates to HTML: everything is escaped, and names of strangers cannot turn the text around them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from pytest_agog.reference.comms.pages import assets, markdown
from pytest_agog.reference.comms.pages.timeline import hue
from pytest_agog.reference.comms.pages.tools import tone
from pytest_agog.reference.comms.pages.urls import ROOT, Place

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = "\u200c\u200d"
"""Part of words and of emoji."""


def render(template: str, **values: object) -> str:
    """The template with these values."""
    return _environment().get_template(template).render(**values)


def warm_up() -> None:
    """Compile what the first page would wait for: 0.3 s."""
    for name in _environment().list_templates():
        _environment().get_template(name)
    markdown.render("**warm**\n\n| a |\n|---|\n| `b` |\n")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pytest_agog.reference.comms.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        visible=visible, utc=utc, iso=iso, clock=clock, number=number, size=size, hue=hue, tone=tone, initials=initials
    )
    environment.globals.update(asset=assets.FILES.url, root=ROOT, place_of=Place)
    return environment


def visible(text: str) -> str:
    """A name or id on one line: characters that show nothing, or turn the direction of text, as their code."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"⟨U+{ord(character):04X}⟩"
        if unicodedata.category(character) in _INVISIBLE and character not in _JOINERS
        else character
        for character in text
    )


def iso(time: datetime) -> str:
    """For machines: RFC 3339, UTC."""
    return _as_utc(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc(time: datetime) -> str:
    """For people, in full."""
    return _as_utc(time).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")


def clock(time: datetime) -> str:
    """What stands there until the page's script puts the local time."""
    return _as_utc(time).isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")


def _as_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:  # years 1 and 9999 have hours that UTC has not
        return time.replace(tzinfo=UTC)


def number(value: int) -> str:
    """With thousands separated."""
    return f"{value:,}"


def size(characters: int) -> str:
    """How long a text is."""
    if characters < 1_000:
        return f"{characters} characters"
    if characters < 1_000_000:
        return f"{characters / 1_000:.0f} k characters"
    return f"{characters / 1_000_000:.1f} M characters"


def initials(name: str) -> str:
    """One or two letters for an agent's mark."""
    words = [word for word in name.replace("_", "-").replace(".", "-").split("-") if word]
    letters = "".join(word[0] for word in words[:2]) if len(words) > 1 else name[:1]
    return visible(letters).upper()[:2] or "?"
