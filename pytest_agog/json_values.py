"""JSON values compared and read as text, as JSON means them and not as Python does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def same_json(left: Any, right: Any) -> bool:
    """JSON equality: numbers by value, but true is not 1, and objects and lists element by element."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(same_json(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def as_text(value: Any) -> str:
    """The text of a JSON value for `matches`: strings as they are, everything else as compact JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except (ValueError, RecursionError):  # numbers of thousands of digits, objects deeper than any stack
        return ""


def contains(value: Any, part: Any) -> bool:
    """Whether `part` is text within text, an element of a list, or a key of an object."""
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    if isinstance(value, Mapping):
        return isinstance(part, str) and part in value
    if isinstance(value, list):
        return any(same_json(item, part) for item in value)
    return False
