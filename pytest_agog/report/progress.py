"""One live line for long plays: rewritten in place on a terminal, and silent where lines would only pile up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from rich.cells import cell_len

from pytest_agog.report.screen import Screen, is_terminal
from pytest_agog.report.text import shorten
from pytest_agog.values import format_duration


@dataclass
class Progress:
    """Says what a play is doing.

    On a terminal `update` rewrites one line and `clear` wipes it; whoever prints something else calls `clear` first.
    Elsewhere (a log, a pipe) a plain line is written only when a play has gone on for `plain_every` seconds, so that a
    silent CI job is seen to live; None writes nothing at all.
    """

    file: TextIO
    screen: Screen
    plain_every: float | None = 30.0
    """Seconds between two plain lines."""
    clock: Callable[[], float] = time.monotonic
    live: bool = field(init=False)
    _started: float = field(init=False)
    _last: float = field(init=False)
    _shown: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.live = is_terminal(self.file) and os.environ.get("TERM") != "dumb"
        self._started = self.clock()
        self._last = self._started

    def update(self, text: str) -> None:
        """Show `text` as what happens now."""
        if self.live:
            self._rewrite(self.screen.line(text))
            return
        now = self.clock()
        if self.plain_every is not None and now - self._last >= self.plain_every:
            self._last = now
            self.file.write(f"{self.screen.line(text)} ({format_duration(round(now - self._started))})\n")
            self.file.flush()

    def clear(self) -> None:
        """Wipe the line, so that something else can be printed."""
        if self._shown:
            self.file.write("\r\x1b[K")
            self.file.flush()
            self._shown = False

    def _rewrite(self, text: str) -> None:
        # One cell stays free: a line that fills the last column may wrap, and then `\r` no longer reaches its start.
        line = shorten(text, self.screen.width - 1, self.screen.glyphs.ellipsis)
        assert cell_len(line) < self.screen.width
        self.file.write(f"\r{line}\x1b[K")
        self.file.flush()
        self._shown = True
