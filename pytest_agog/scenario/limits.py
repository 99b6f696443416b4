"""Conditions that nothing can meet, and paths that lead nowhere: what the types of `where` and *n* let through."""

from __future__ import annotations

import difflib
from typing import Final

from pydantic import BaseModel

from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.nodes import Located, Mapping, Node, locate
from pytest_agog.scenario.walking import leaves
from pytest_agog.scenario.words import shown
from pytest_agog.values import Bound, Pattern

_HEADERS: Final = "$headers"
_OPERATORS: Final = tuple(Pattern.model_fields)
_ALIKE: Final = 0.8
"""How alike a key and an operator must be (0 to 1) for the key to be a slip of the pen, not a part of the payload."""


def check_limits(part: BaseModel, node: Node, problems: Problems) -> None:
    """Every *n* and every condition in `part` can be met, and every dotted path leads somewhere."""
    for leaf in leaves(part):
        if not isinstance(leaf.value, (Bound, Pattern)):
            continue
        found = locate(node, leaf.path)
        if problems.is_spoilt(found.place):
            continue
        if isinstance(leaf.value, Pattern):
            _check_path(str(leaf.path[-1]), found, problems)
            _check_pattern(leaf.value, found, problems)
        _check_range(leaf.value, found, problems)


def _check_path(path: str, found: Located, problems: Problems) -> None:
    first, _, rest = path.partition(".")
    place = found.key or found.place
    if first != _HEADERS and first.startswith("$") and _alike(first.casefold(), _HEADERS):
        problems.add(place, f"{shown(path)} names no header", f"write {_HEADERS}.{rest or 'Name'}")
    elif first == _HEADERS and not rest:
        problems.add(place, f"{shown(path)} names no header", f"write {_HEADERS}.Name")
    elif not all(path.split(".")):
        problems.add(place, f"{shown(path)} is no dotted path", "keys and indexes joined by dots: metadata.agent")


def _check_pattern(pattern: Pattern, found: Located, problems: Problems) -> None:
    given = pattern.model_fields_set
    if isinstance(found.node, Mapping) and "equals" not in found.node.entries and given == {"equals"}:
        for key, entry in found.node.entries.items() if len(found.node.entries) == 1 else ():
            meant = next((operator for operator in _OPERATORS if _alike(key.casefold(), operator)), None)
            if meant is not None:
                problems.add(
                    entry.key,
                    f"unknown key {shown(key)}; did you mean {meant!r}?",
                    f"an object with this key is meant by {{equals: {{{key}: …}}}}",
                )
    if pattern.exists is False and len(given) > 1:
        problems.add(found.place, "what does not exist has no value", "leave out the other conditions")
    if pattern.one_of == []:
        problems.add(locate(found.node, ("one_of",)).place, "nothing is one of an empty list")


def _check_range(limits: Bound | Pattern, found: Located, problems: Problems) -> None:
    between = limits.between
    if isinstance(limits, Pattern) and between is not None and between[0] > between[1]:
        problems.add(locate(found.node, ("between",)).place, "between takes the smaller number first")
        return
    equals = limits.equals if isinstance(limits, Bound) else None
    low = [n for n in (limits.at_least, equals, between and between[0]) if n is not None]
    high = [n for n in (limits.at_most, equals, between and between[1]) if n is not None]
    if low and high and max(low) > min(high):
        problems.add(found.place, f"no number is at least {max(low):g} and at most {min(high):g}")


def _alike(word: str, known: str) -> bool:
    """Whether `word` is `known` but for a slip; hyphens, underscores and capitals do not count."""
    word, known = word.replace("-", "").replace("_", ""), known.replace("_", "")
    return difflib.SequenceMatcher(None, word, known).ratio() >= _ALIKE
