"""Finds complete JSON objects in messy text: agent output with prose, fences, logs, fragments and JSON inside strings.

One strict pass (RFC 8259) with an explicit stack, so that neither depth nor size can hurt. A broken object is given up
at its first fault, and what lies inside it is looked at again. At any character at most two attempts live (one that
takes it for text in a string, one that does not); that bounds the time to a small multiple of the length.
"""

from __future__ import annotations

import json
import re
import sys
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 100
"""Objects that nest deeper are passed over; what lies inside them is still found."""
MAX_QUOTING: Final = 4
"""How many times over JSON may stand inside a JSON string."""

# CPython before 3.11.5 lets a possessive repeat of a group take a last round that fails half-way (gh-106052). Plain
# repeats match the same here, and fail as fast, since what follows each never begins as its rounds do; they only take
# more memory.
_FAULTY: Final = sys.version_info < (3, 11, 5)
_P: Final = "" if _FAULTY else "+"
_ATOM: Final = "(?:" if _FAULTY else "(?>"

_WS: Final = rf"[ \t\r\n]*{_P}"
_RUN: Final = rf'[^"\\\x00-\x1f]*{_P}'
_TEXT: Final = rf'{_RUN}(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{{4}}){_RUN})*{_P}'
_STRING: Final = rf'"{_TEXT}"'
_NUMBER: Final = rf"-?(?:0|[1-9][0-9]*{_P})(?:\.[0-9]+{_P})?(?:[eE][+-]?[0-9]+{_P})?"
_SCALAR: Final = rf"{_ATOM}{_STRING}|{_NUMBER}|true|false|null)"
_START: Final = re.compile(rf"\{{{_WS}{_STRING}{_WS}:")
_MEMBER: Final = re.compile(rf"{_WS}({_STRING}){_WS}:{_WS}(?:{_SCALAR}{_WS}([,}}])|([\[{{]))")
# At most a thousand at a time: what plain repeats remember of each round adds up.
_ELEMENTS: Final = re.compile(rf"(?:{_WS}{_SCALAR}{_WS},){{0,999}}{_P}{_WS}(?:{_SCALAR}{_WS}([,\]])|([\[{{]))")
_CLOSE: Final = re.compile(rf"{_WS}([}}\]])")
_AFTER: Final = re.compile(rf"{_WS}([,}}\]])")
# An object inside a JSON string: a brace and an escaped quote, perhaps with escaped line ends between.
_QUOTED_START: Final = re.compile(rf'\{{(?: |\\+{_P}[nrt])*{_P}\\+{_P}"')
_QUOTED: Final = re.compile(_TEXT)

_OBJECT: Final = 1


@dataclass(frozen=True, slots=True)
class Found:
    """A complete JSON object in a text."""

    text: str
    """Exactly as it stands there (unescaped, when it stood inside a JSON string)."""


class Scan:
    """The complete JSON objects of `text` that have all of `keys` (at most seven, plain words) at their own level."""

    def __init__(self, text: str, keys: tuple[str, ...]) -> None:
        self._text = text
        self._keys = keys
        self._bits = {json.dumps(key): _OBJECT << number for number, key in enumerate(keys, 1)}
        self._complete = _OBJECT | sum(self._bits.values())
        self._visited = bytearray(len(text))
        self._starts = array("q")
        self._ends = array("q")
        self.broken: int | None = None
        """Where the last object begins that has one of the keys and is cut off or no JSON; None without any."""
        self._run()

    def last_first(self, quoting: int = 0) -> Iterator[Found]:
        """The objects, that which ends last first (so an object comes before those inside it)."""
        quoted = self._quoted() if quoting < MAX_QUOTING else []
        for index in range(len(self._ends) - 1, -1, -1):
            while quoted and quoted[-1].end() > self._ends[index]:
                yield from self._inside(quoted.pop(), quoting)
            yield Found(self._text[self._starts[index] : self._ends[index]])
        while quoted:
            yield from self._inside(quoted.pop(), quoting)

    def _quoted(self) -> list[re.Match[str]]:
        """The stretches of JSON string that seem to hold an object, in order."""
        found: list[re.Match[str]] = []
        position = 0
        while start := _QUOTED_START.search(self._text, position):
            stretch = _QUOTED.match(self._text, start.start())
            position = start.end() if stretch is None else max(stretch.end(), start.start() + 1)
            if stretch is not None and all(key in stretch[0] for key in self._keys):
                found.append(stretch)
        return found

    def _inside(self, stretch: re.Match[str], quoting: int) -> Iterator[Found]:
        return Scan(json.loads(f'"{stretch[0]}"'), self._keys).last_first(quoting + 1)

    def _run(self) -> None:
        position = 0
        while match := _START.search(self._text, position):
            start = match.start()
            # An attempt that went through this brace has recorded the object, or has seen it broken.
            position = start + 1 if self._visited[start] else self._attempt(start)

    def _attempt(self, root: int) -> int:
        """Read the object at `root`; returns where to look on: behind it, or inside it when it is broken."""
        text = self._text
        levels = bytearray([_OBJECT])  # what is open: its kind and the wanted keys that it has shown
        opened: deque[int] = deque([root], maxlen=MAX_DEPTH)  # where; outer ones fall off when it gets too deep
        position, sign = root + 1, "{"  # `sign` stands right before `position`
        while True:
            if sign in "{[" and (match := _CLOSE.match(text, position)):
                position, sign = match.end(), match[1]
            if sign in "}]":
                if not self._close(position, sign, levels, opened):
                    break
                if not levels:
                    return position
                match = _AFTER.match(text, position)
            elif levels[-1] & _OBJECT:
                match = _MEMBER.match(text, position)
                if match:
                    levels[-1] |= self._bits.get(match[1], 0)
            else:
                match = _ELEMENTS.match(text, position)
            if not match:
                break
            position, sign = match.end(), match[match.lastindex or 0]
            if sign in "{[":
                levels.append(_OBJECT if sign == "{" else 0)
                opened.append(position - 1)
                self._visited[position - 1] = 1
        if max(levels[-MAX_DEPTH:], default=0) > _OBJECT:
            self.broken = root
        return root + 1

    def _close(self, end: int, sign: str, levels: bytearray, opened: deque[int]) -> bool:
        """Close what is open; False when `sign` does not fit it."""
        level = levels.pop()
        if (sign == "}") != bool(level & _OBJECT):
            return False
        start = opened.pop() if opened else None
        if start is not None and level == self._complete:
            self._starts.append(start)
            self._ends.append(end)
        return True
