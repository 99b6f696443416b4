"""What a plain scalar means: the core schema of YAML 1.2.2, chapter 10.3.

So `no`, `on`, `yes`, `22:00` and `2026-01-31` are text, and `true`, `null`, `12`, `0x1F` and `1.5` are not.
"""

from __future__ import annotations

import math
import re
from typing import Final

Scalar_ = str | int | float | bool | None

_WORDS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NUMBER_BEGINS: Final = frozenset("0123456789+-.")
_MAX_DIGITS: Final = 400


def resolve(text: str) -> Scalar_:
    """The value of a plain (unquoted) scalar.

    Raises:
        ValueError: it is a number that JSON cannot carry, or that is far too long.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_BEGINS:
        return text
    if _INTEGER.fullmatch(text):
        return int(_bounded(text))
    if _OCTAL.fullmatch(text):
        return int(_bounded(text), 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(_bounded(text), 16)
    if _FLOAT.fullmatch(text):
        number = float(_bounded(text))
        if math.isinf(number):
            raise ValueError("the number is too large")
        return number
    if _NO_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is no number that JSON can carry; put it in quotes if it is text")
    return text


def _bounded(text: str) -> str:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} characters; put it in quotes if it is text")
    return text
