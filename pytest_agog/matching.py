"""Regular expressions on text that nobody has vetted: no expression takes longer than a few seconds.

Python's own `re` is quick, but an expression such as `^(a+)+$` takes it ages on the wrong text, and nothing can stop
it. So it searches where that cannot happen; elsewhere the package `regex` does, which takes a time limit.
"""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from typing import Any, Final

from pytest_agog.errors import MatchTooSlow

TIME_LIMIT: Final = 2.0
"""Seconds that one search may take."""
_CHEAP: Final = 10_000_000
"""Steps that `re` may take at worst, by a rough estimate: a fraction of a second."""
_REPEATS: Final = re.compile(r"(?<!\\)(?:[*+]|\{\d*,?\d*\})")
_REPEATED_GROUP: Final = re.compile(r"\)(?:[*+]|\{\d*,?\d*\})")


def is_found(pattern: str, text: str) -> bool:
    """Whether the regular expression `pattern` fits anywhere in `text`.

    Raises:
        MatchTooSlow: that would take longer than `TIME_LIMIT`.
    """
    compiled, repeats = _compiled(pattern)
    if repeats is not None and (len(text) + 1) ** (repeats + 1) <= _CHEAP:
        return compiled.search(text) is not None
    limited = _with_limit(pattern)
    if limited is None:
        return compiled.search(text) is not None
    try:
        return limited.search(text, timeout=TIME_LIMIT) is not None
    except TimeoutError:
        raise MatchTooSlow(pattern=pattern[:100], seconds=f"{TIME_LIMIT:g}", size=f"{len(text):,}") from None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[re.Pattern[str], int | None]:
    """The expression, and how many repeats it has; None when a group is repeated, which can take exponential time."""
    repeats = None if _REPEATED_GROUP.search(pattern) else len(_REPEATS.findall(pattern))
    return re.compile(pattern), repeats


@lru_cache(maxsize=256)
def _with_limit(pattern: str) -> Any:
    """The expression for `regex`; None where that is not installed, or reads the expression in another way."""
    try:
        regex: Any = importlib.import_module("regex")
        return regex.compile(pattern, regex.VERSION0)
    except Exception:  # `regex.error` derives from nothing closer
        return None
