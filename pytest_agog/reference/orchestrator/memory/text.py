"""Text of any origin, made fit for Postgres, for an index and for a person: no secrets, no NUL, bounded."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from pytest_agog.masking import mask

LONGEST: Final = 32_000
"""Characters of a memory; an index of words takes no more than a megabyte."""
LONGEST_QUERY: Final = 2_000
"""Characters of a question."""
LONGEST_NAME: Final = 200
"""Characters of agents, kinds, sources and tags."""
MOST_TAGS: Final = 50
MOST_WORDS: Final = 64
"""Words of a question that are sought."""
_DEEPEST: Final = 20
_CUT: Final = " […]"
_WITHIN: Final = re.compile(r"(?<=\w)[-/._:#@\\]+(?=\w)")
_WORD: Final = re.compile(r"(?<!\w)(-?)(\w+)")


def clean(text: str, longest: int = LONGEST) -> str:
    """`text` without NUL and lone surrogates, secrets masked, cut where it is too long."""
    # Far more than is kept is not looked at; what is near the cut is, so that no half secret stays.
    plain = text[: 2 * longest].replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    masked = mask(plain)
    if len(masked) <= longest and len(text) <= 2 * longest:
        return masked
    return masked[: longest - len(_CUT)] + _CUT


def name(text: str) -> str:
    """A name or a key: short ones as they are, long ones by their beginning and a hash of the whole."""
    cleaned = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    masked = mask(cleaned)
    if len(masked) <= LONGEST_NAME:
        return masked
    digest = hashlib.sha256(cleaned.encode()).hexdigest()[:32]
    return f"{masked[: LONGEST_NAME - len(digest) - 1]}~{digest}"


def query(text: str) -> str:
    """A question as it may go to `websearch_to_tsquery`, which takes anything else."""
    return text[:LONGEST_QUERY].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def apart(question: str) -> str:
    """A question with the parts of its paths and ids each for itself, as the index holds them."""
    return _WITHIN.sub(" ", question)


def any_of(question: str) -> str:
    """The words of a question, for `websearch_to_tsquery`, joined by `or`; those with a minus are not among them."""
    found: dict[str, None] = {}
    for minus, word in _WORD.findall(apart(question)):
        if not minus and word.casefold() != "or":
            found.setdefault(word.casefold(), None)
    return " or ".join(list(found)[:MOST_WORDS])


def data(value: Any, depth: int = 0) -> Any:
    """A JSON value as jsonb takes it: texts cleaned, no NaN, neither endless nor bottomless."""
    if isinstance(value, str):
        return clean(value, LONGEST_QUERY)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {name(str(key)): data(one, depth + 1) for key, one in list(value.items())[:LONGEST_NAME]}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [data(one, depth + 1) for one in list(value)[:LONGEST_NAME]]
    return clean(str(value), LONGEST_QUERY)
