"""What a terminal can show: its width, colour, and whether it knows more than ASCII."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TextIO

from pytest_agog.checks.base import Outcome
from pytest_agog.report.text import clean, one_line

if TYPE_CHECKING:
    from rich.text import Text

MIN_WIDTH: Final = 40
MAX_WIDTH: Final = 160
"""Longer lines are hard to read, however wide the window is."""
_PROBE: Final = "✓✗\u2013│─…█░·→"
_TO_ASCII: Final = str.maketrans({
    "\u2013": "-", "—": "-", "…": "...", "·": "*", "→": "->", "\u00d7": "x", "≥": ">=", "≤": "<=",
    "\u2018": "'", "\u2019": "'",
    "“": '"', "”": '"', "│": "|", "─": "-", "\u00a0": " ", "✓": "+", "✗": "x", "█": "#", "░": ".", "▏": "|",
})  # fmt: skip
# A runner reads a line as a command when it begins with `::`, white space before it or not, or holds `##[`.
_COMMAND: Final = re.compile(r"^((?:\x1b\[[0-9;]*m|\s)*):((?:\x1b\[[0-9;]*m)*):|##\[")


@dataclass(frozen=True)
class Glyphs:
    """The signs that reports use."""

    passed: str = "✓"
    failed: str = "✗"
    skipped: str = "\u2013"
    error: str = "!"
    gutter: str = "│"
    rule: str = "─"
    full: str = "█"
    empty: str = "░"
    dot: str = "·"
    none: str = "\u2013"
    ellipsis: str = "…"

    def mark(self, outcome: Outcome) -> str:
        """The sign of an outcome."""
        return {"passed": self.passed, "failed": self.failed, "skipped": self.skipped, "error": self.error}[outcome]


ASCII: Final = Glyphs("+", "x", "-", "!", "|", "-", "#", ".", "*", "-", "...")
STYLES: Final[dict[Outcome, str]] = {"passed": "green", "failed": "bold red", "skipped": "yellow", "error": "bold red"}
"""How outcomes are coloured: the sixteen colours of the reader's own theme, so that light and dark both work."""


@dataclass(frozen=True)
class Screen:
    """Where text goes. The default is what a file or a log takes: 80 columns, no colour, Unicode."""

    width: int = 80
    """Cells."""
    color: bool = False
    encoding: str = "utf-8"

    @classmethod
    def of(cls, file: TextIO, *, color: bool | None = None, width: int | None = None) -> Screen:
        """What `file` can show.

        `color` and `width` override what would be guessed (pytest knows better: `--color`, its terminal writer).
        """
        if color is None:
            color = (
                not os.environ.get("NO_COLOR")
                and os.environ.get("TERM") != "dumb"
                and (bool(os.environ.get("FORCE_COLOR")) or is_terminal(file))
            )
        columns = width if width is not None else shutil.get_terminal_size((80, 24)).columns
        encoding = getattr(file, "encoding", None) or "utf-8"
        return cls(max(MIN_WIDTH, min(columns, MAX_WIDTH)), color, encoding)

    @property
    def unicode(self) -> bool:
        """Whether the signs beyond ASCII can be written."""
        try:
            _PROBE.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    @property
    def glyphs(self) -> Glyphs:
        """The signs that can be written here."""
        return Glyphs() if self.unicode else ASCII

    def fold(self, text: str) -> str:
        """`text` with what cannot be written here replaced: dashes and arrows by ASCII, the rest by escapes.

        Called before text is measured, because an escape is longer than what it stands for.
        """
        if self.unicode and self.encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
            return text
        try:
            return text.translate(_TO_ASCII).encode(self.encoding, "backslashreplace").decode(self.encoding)
        except LookupError:
            return text.translate(_TO_ASCII).encode("ascii", "backslashreplace").decode("ascii")

    def line(self, text: str) -> str:
        """Untrusted `text` on one line, as this screen can show it."""
        return self.fold(one_line(text))

    def block(self, text: str) -> str:
        """Untrusted `text`, line feeds kept, as this screen can show it."""
        return self.fold(clean(text))

    def render(self, lines: Iterable[Text]) -> str:
        """The lines as one string with a line feed after each; escape codes only when the screen has colour."""
        from rich.console import Console

        out = io.StringIO()
        console = Console(
            file=out,
            force_terminal=self.color,
            color_system="standard" if self.color else None,
            no_color=not self.color,
            width=max(self.width, 8),
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            _environ={},
        )
        for text in lines:
            console.print(text, soft_wrap=True)
        return "".join(_no_command(line.rstrip(" ")) + "\n" for line in out.getvalue().split("\n")[:-1])


PLAIN: Final = Screen()
"""What a file or a log takes."""


def _no_command(line: str) -> str:
    return _COMMAND.sub(lambda found: "##\\[" if found[0] == "##[" else f"{found[1]}:\\{found[2]}:", line)


def is_terminal(file: Any) -> bool:
    """Whether `file` is a terminal; a closed or odd file is none."""
    try:
        return bool(file.isatty())
    except (AttributeError, ValueError, OSError):
        return False
