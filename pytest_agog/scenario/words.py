"""Words for people: the nearest known word, and values as they may be shown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final

from pytest_agog.masking import mask

_LONGEST_WORD: Final = 60


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, or None."""
    if len(word) > _LONGEST_WORD:
        return None
    options = [option for option in known if len(option) <= _LONGEST_WORD]
    folded = {option.casefold().replace("-", "_"): option for option in reversed(options)}
    if exact := folded.get(word.casefold().replace("-", "_")):
        return exact
    near = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` or nothing, to be put after a message."""
    near = nearest(word, known)
    return f"; did you mean {near!r}?" if near is not None else ""


def listed(words: Iterable[str], limit: int = 40) -> str:
    """Words in a row: `a, b, c`; cut after `limit`."""
    every = list(words)
    return ", ".join(every[:limit]) + (f" and {len(every) - limit} more" if len(every) > limit else "")


def visible(text: str) -> str:
    """`text` with everything that a terminal would act on, or not show, written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shown(value: Any, limit: int = 60) -> str:
    """A value from a file as a message quotes it: short, masked, on one line."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, str):
        text = visible(mask(value[: 4 * limit]))
        return f"'{text[:limit]}…'" if len(text) > limit else f"'{text}'"
    text = str(value) if not isinstance(value, int) or value.bit_length() < 1000 else "a very large number"
    return text[:limit]
