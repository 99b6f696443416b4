"""What a person reads when a claim fails: the claim, where it stands, what was expected and observed, and why.

No traceback: a failed claim is a finding about the system under test, not about the harness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from rich.text import Text

from pytest_agog.report.screen import PLAIN, STYLES, Screen
from pytest_agog.report.text import one_line, pad, shorten, wrap
from pytest_agog.report.view import PLAY_ID, CheckView, EvidenceView
from pytest_agog.values import format_duration, format_size

MAX_EVIDENCE: Final = 6
"""Pieces of evidence on the terminal; report.json has them all."""
MAX_EXCERPT_LINES: Final = 12
MAX_LOG_LINES: Final = 40
"""Of a failed play: the end of a log says most."""
_LABEL: Final = 10


class TerminalWriter(Protocol):
    """What pytest's terminal writer offers."""

    hasmarkup: bool

    @property
    def fullwidth(self) -> int: ...

    def write(self, msg: str, *, flush: bool = False) -> None: ...


@dataclass(frozen=True)
class _Crash:
    """pytest prints its `message` behind the test id in the short summary, and in JUnit files."""

    message: str


@dataclass(frozen=True)
class Failure:
    """A failed item's representation: pytest calls `toterminal`; `str` is the same text for files.

    The text is made when it is shown, because only then its width and colours are known.
    """

    check: CheckView
    title: str = ""
    """The scenario's."""
    started_at: float | None = None
    reprcrash: _Crash = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reprcrash", _Crash(headline(self.check)))

    def text(self, screen: Screen = PLAIN) -> str:
        """The whole text for `screen`."""
        return screen.render(_lines(self, screen))

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the text in the width and colours of pytest's terminal."""
        encoding = getattr(getattr(tw, "_file", None), "encoding", None) or "utf-8"
        tw.write(self.text(Screen(max(min(tw.fullwidth, 120), 40), tw.hasmarkup, encoding)))

    def __str__(self) -> str:
        return self.text().rstrip("\n")


def headline(check: CheckView) -> str:
    """One line: what was observed instead of what was expected."""
    return f"{one_line(check.observed)} (expected {one_line(check.expected)})"


def _lines(failure: Failure, screen: Screen) -> Iterator[Text]:
    check = failure.check
    yield from _heading(failure, screen)
    yield Text(screen.block(str(check.place)), "cyan")
    if check.excerpt.lines:
        yield Text()
        for margin, text in check.excerpt.render(screen.width, screen.glyphs.gutter, screen.glyphs.ellipsis):
            style = "bold red" if set(text) <= {" ", "^"} else ""
            yield Text.assemble((margin, "dim"), (screen.fold(text), style))
    yield Text()
    yield from labelled("expected", check.expected, screen)
    yield from labelled("observed", check.observed, screen, "bold")
    if check.nearest:
        yield from labelled("nearest", check.nearest, screen)
    yield from _waited(check, screen)
    yield from _evidence(check, failure.started_at, screen)
    if check.rerun:
        # One piece, however long: it is there to be copied.
        yield Text.assemble((pad("again", _LABEL), "dim"), screen.block(check.rerun).replace("\n", " "))


def _heading(failure: Failure, screen: Screen) -> Iterator[Text]:
    check = failure.check
    style = STYLES[check.outcome]
    mark = screen.glyphs.mark(check.outcome)
    for number, line in enumerate(wrap(screen.line(check.claim), screen.width - 2)):
        yield Text.assemble((f"{mark} " if number == 0 else "  ", style), (line, style))
    if failure.title:
        for line in wrap(screen.line(f"{failure.title} · {check.id} · check {check.check}"), screen.width - 2):
            yield Text(f"  {line}", "dim")


def labelled(label: str, text: str, screen: Screen, style: str = "") -> Iterator[Text]:
    """`text` behind a label, its further lines under its first."""
    for number, line in enumerate(wrap(screen.block(text), screen.width - _LABEL)):
        yield Text.assemble((pad(label if number == 0 else "", _LABEL), "dim"), (line, style))


def _waited(check: CheckView, screen: Screen) -> Iterator[Text]:
    if check.id == PLAY_ID:
        yield from labelled("after", format_duration(check.waited), screen)
    elif check.within > 0:
        yield from labelled("waited", f"{format_duration(check.waited)} of {format_duration(check.within)}", screen)


# --- evidence -------------------------------------------------------------------------------------------------------
def _evidence(check: CheckView, started_at: float | None, screen: Screen) -> Iterator[Text]:
    if not check.evidence:
        return
    yield Text("evidence", "dim")
    lines = MAX_LOG_LINES if check.id == PLAY_ID else MAX_EXCERPT_LINES
    for piece in check.evidence[:MAX_EVIDENCE]:
        yield from _piece(piece, started_at, screen, lines)
    more = len(check.evidence) - MAX_EVIDENCE
    if more > 0:
        yield Text(screen.fold(f"  … and {more} more in report.json (--agog-report DIR)"), "dim")


def _piece(piece: EvidenceView, started_at: float | None, screen: Screen, lines: int) -> Iterator[Text]:
    margin = "  "
    for number, line in enumerate(wrap(screen.block(piece.text), screen.width - 4)):
        yield Text(margin + (f"{screen.glyphs.dot} " if number == 0 else "  ") + line)
    for line in wrap(screen.line(_where(piece, started_at)), screen.width - 4):
        yield Text(f"{margin}  {line}", "dim")
    yield from _quoted(piece.excerpt, screen, lines, last=piece.kind == "log")


def _where(piece: EvidenceView, started_at: float | None) -> str:
    """Kind, subject, time, stream and sequence, size: as much as is known and the text has not said."""
    details = piece.details
    parts = [piece.kind]
    subject = _text(details.get("subject"))
    if subject and subject not in piece.text:
        parts.append(subject)
    if piece.at is not None:
        parts.append(clock(piece.at))
        if started_at is not None and piece.at >= started_at:
            parts.append(f"+{format_duration(piece.at - started_at)}")
    sequence = f"#{details['sequence']}" if details.get("sequence") else ""
    place = f"{_text(details.get('stream'))} {sequence}".strip()
    if place and place not in piece.text:
        parts.append(place)
    if isinstance(size := details.get("size"), int) and not isinstance(size, bool):
        parts.append(format_size(size))
    return " · ".join(parts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def clock(at: float) -> str:
    """Seconds since the epoch as `12:34:56.789Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"


def _quoted(excerpt: str, screen: Screen, most: int, *, last: bool) -> Iterator[Text]:
    """An excerpt behind a gutter; of a log the end is shown, of everything else the beginning."""
    if not excerpt.strip("\n"):
        return
    lines = screen.block(excerpt).strip("\n").split("\n")
    left_out = len(lines) - most
    note = Text.assemble("    ", (screen.fold(f"{screen.glyphs.gutter} … {left_out} more lines"), "dim"))
    if left_out > 0 and last:
        yield note
    for line in lines[-most:] if last else lines[:most]:
        for piece in wrap(line, screen.width - 6)[:MAX_EXCERPT_LINES]:
            yield Text.assemble("    ", (f"{screen.glyphs.gutter} ", "dim"), shorten(piece, screen.width - 6))
    if left_out > 0 and not last:
        yield note
