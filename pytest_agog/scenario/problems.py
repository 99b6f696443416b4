"""What is wrong with a file: one `Problem` a place, collected, sorted, and shown with an excerpt."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn

from pytest_agog.errors import BadInput
from pytest_agog.masking import MASK, mask
from pytest_agog.scenario.reading.source import Place
from pytest_agog.scenario.words import visible

MAX_PROBLEMS: Final = 200
"""After so many problems the reading stops: nobody reads more, and each one costs time."""
_EXCERPT_WIDTH: Final = 100
_MASKED_WIDTH: Final = 2_000
"""How much of a long line on either side is looked at for secrets before it is cut to what is shown."""


def shown_path(path: Path) -> str:
    """`path` relative to the working directory when it lies below it, else absolute; never depends on pytest."""
    text = os.path.abspath(path)  # noqa: PTH100 - resolve() would show a path that the user did not write
    try:
        text = Path(text).relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        text = Path(text).as_posix()
    return visible(text)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (or, from lint, doubtful) at one place. Line and column count from 1."""

    file: Path
    line: int
    column: int
    message: str
    hint: str = ""
    """The remedy or the allowed values."""
    excerpt: str = ""
    """The line with a caret under the place; empty when there is no line."""

    def __str__(self) -> str:
        return f"{shown_path(self.file)}:{self.line}:{self.column}: {self.message}"

    @property
    def one_line(self) -> str:
        """`file:line:col: message (hint)`."""
        return f"{self} ({self.hint})" if self.hint else str(self)

    @property
    def as_warning(self) -> str:
        """The same, marked as what lint only doubts: `file:line:col: warning: message (hint)`."""
        return replace(self, message=f"warning: {self.message}").one_line

    @property
    def in_full(self) -> str:
        """The same with its excerpt, on several lines."""
        parts = [str(self)]
        if self.excerpt:
            parts.append(self.excerpt)
        if self.hint:
            parts.append(f"      {self.hint}")
        return "\n".join(parts)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "file": shown_path(self.file), "line": self.line, "column": self.column,
            "message": self.message, "hint": self.hint,
        }  # fmt: skip


class ScenarioErrors(BadInput):
    """The scenario is wrong in {count} places."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=_order))
        """Every problem, sorted by file, line and column."""
        super().__init__("; ".join(map(str, self.problems)))

    def __str__(self) -> str:
        return "\n".join(problem.in_full for problem in self.problems)


def _order(problem: Problem) -> tuple[str, int, int, str]:
    return str(problem.file), problem.line, problem.column, problem.message


def problem_at(place: Place, message: str, hint: str = "") -> Problem:
    """A problem at `place`, with the excerpt that belongs to it."""
    position = place.position
    excerpt = caret_excerpt(place.source.line(position.line), position.line, position.column, position.end_column)
    return Problem(position.file, position.line, position.column, visible(message), visible(hint), excerpt)


def caret_excerpt(line: str, number: int, column: int, end_column: int | None = None) -> str:
    """A line and a caret line under columns `column` to `end_column` (exclusive).

    At most 100 columns are shown; control characters are made visible and secrets masked.
    """
    if not line.strip():
        return ""
    start = min(column - 1, len(line))
    stop = min(max(end_column - 1 if end_column is not None else start + 1, start + 1), max(len(line), start + 1))
    left, right = max(0, start - _MASKED_WIDTH), start + _MASKED_WIDTH
    before, within, after = mask_around(line[left:start], line[start : min(stop, right)], line[stop:right])
    room = _EXCERPT_WIDTH - 2
    before, cut = (before[-room // 2 :], "…") if len(before) + len(within) > room else (before, "…" if left else "")
    within = within[: room - len(before)]
    rest = room - len(before) - len(within)
    after = after[:rest] + ("…" if len(after) > rest or right < len(line) else "")
    before = cut + before
    margin = f"{number:5d} | "
    text = f"{margin}{_drawn(before)}{_drawn(within)}{_drawn(after)}".rstrip()
    caret = " " * _cells(_drawn(before)) + "^" * max(1, _cells(_drawn(within)))
    return f"{text}\n{' ' * (len(margin) - 2)}| {caret}"


def mask_around(before: str, within: str, after: str) -> tuple[str, str, str]:
    """Three neighbouring pieces of a line, masked as the whole line would be."""
    line = before + within + after
    masked = mask(line)
    if masked == line:
        return before, within, after
    head = mask(before)
    if not masked.startswith(head):
        head = masked[: min(len(before), len(masked))]
    tail = after if after and masked.endswith(after) and len(head) + len(after) <= len(masked) else ""
    return head, masked[len(head) : len(masked) - len(tail)], tail


def _drawn(text: str) -> str:
    return visible(text.replace("\t", "→"))


def _cells(text: str) -> int:
    """Terminal cells: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )  # fmt: skip


class Problems:
    """Collects problems while a file is read, each place and message once."""

    def __init__(self) -> None:
        self._found: dict[tuple[Path, int, int, str], Problem] = {}
        self._spoilt: set[tuple[int, int]] = set()
        self._secrets: set[str] = set()

    def hide(self, secrets: Iterable[str]) -> None:
        """Let no message show these values, whole or cut to the length at which messages quote."""
        for secret in secrets:
            self._secrets.update({secret, visible(secret), visible(secret)[:60]})

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, place: Place, message: str, hint: str = "") -> None:
        """Note a problem.

        Raises:
            ScenarioErrors: there are so many that nobody would read on.
        """
        for secret in sorted(self._secrets, key=len, reverse=True):
            message = message.replace(secret, MASK)
        problem = problem_at(place, message, hint)
        self._found.setdefault((problem.file, problem.line, problem.column, problem.message), problem)
        if len(self._found) >= MAX_PROBLEMS:
            self.fatal(place, f"{MAX_PROBLEMS} problems were found; what comes after them was not looked at")

    def spoil(self, place: Place, message: str, hint: str = "") -> None:
        """Note a problem that leaves the value at `place` unusable, so that nothing else is said of it."""
        self._spoilt.add((id(place.source), place.start))
        self.add(place, message, hint)

    def is_spoilt(self, place: Place) -> bool:
        """Whether the value at `place` is known to be unusable."""
        return (id(place.source), place.start) in self._spoilt

    def mark_spoilt(self, place: Place) -> None:
        """Say nothing more of the value at `place`; its problem was noted elsewhere."""
        self._spoilt.add((id(place.source), place.start))

    def fatal(self, place: Place, message: str, hint: str = "") -> NoReturn:
        """Note a problem after which nothing else can be read.

        Raises:
            ScenarioErrors: always; with everything that was found.
        """
        problem = problem_at(place, message, hint)
        raise ScenarioErrors([*self._found.values(), problem])

    def raise_if_any(self) -> None:
        """Stop when something was found.

        Raises:
            ScenarioErrors: with everything that was found.
        """
        if self._found:
            raise ScenarioErrors(self._found.values())

    def __iter__(self) -> Any:
        return iter(sorted(self._found.values(), key=_order))
