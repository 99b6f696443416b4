"""What a run ends with on the terminal: the checklist, then the token table.

Scenarios that pass take one line each; what needs attention is unfolded and stands last, next to the prompt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from pytest_agog.report.screen import PLAIN, STYLES, Screen
from pytest_agog.report.text import pad, shorten, shorten_middle, wrap
from pytest_agog.report.token_table import token_table
from pytest_agog.report.totals import Totals
from pytest_agog.report.view import PLAY_ID, CheckView, ScenarioView
from pytest_agog.values import format_duration, plural

_INDENT: Final = 4
_DURATION: Final = 8
_WORTH_SAYING: Final = 0.05
"""Seconds: shorter waits of a claim are noise."""
_FINDING_LINES: Final = 4
"""The checklist says what was found in short; the failure above it in full."""


def summary(
    views: Sequence[ScenarioView], screen: Screen = PLAIN, *, verbose: bool = False, took: float | None = None
) -> str:
    """Checklist and token table, an empty line between them. `took`: seconds of the whole run, for the last line."""
    parts = [checklist(views, screen, verbose=verbose, took=took), token_table(views, screen, verbose=verbose)]
    return "\n".join(part for part in parts if part)


def checklist(
    views: Sequence[ScenarioView], screen: Screen = PLAIN, *, verbose: bool = False, took: float | None = None
) -> str:
    """Every scenario with its outcome; claims under those that failed, and with `verbose` under all."""
    return screen.render(_lines(views, screen, verbose=verbose, took=took)) if views else ""


def _lines(views: Sequence[ScenarioView], screen: Screen, *, verbose: bool, took: float | None) -> Iterator[Text]:
    ordered = sorted(views, key=lambda view: view.outcome in ("failed", "error"))
    names = [screen.line(view.name) for view in ordered]
    name_width = min(max(cell_len(name) for name in names), max(screen.width // 2, 20))
    number_width = max(len(str(len(view.checks))) for view in ordered)
    tallies = [_tally(view, number_width) for view in ordered]
    tally_width = max(cell_len(tally) for tally in tallies)
    for view, name, tally in zip(ordered, names, tallies, strict=True):
        style = STYLES[view.outcome]
        shown = shorten_middle(name, name_width, screen.glyphs.ellipsis)
        line = Text.assemble((f"{screen.glyphs.mark(view.outcome)} ", style))
        line.append(pad(shown, name_width), "bold" if _unfolded(view, verbose=verbose) else "")
        line.append("  ")
        line.append(pad(tally, tally_width), "dim" if view.outcome == "passed" else style)
        line.append(pad(format_duration(view.duration), _DURATION, right=True), "dim")
        close = sum(bool(check.close) for check in view.checks)
        if close:
            line.append(f"  {plural(close, 'close call')}", "yellow")
        yield line
        if _unfolded(view, verbose=verbose):
            yield from _claims(view, screen, verbose=verbose)
    yield Text()
    yield from _footer(views, took, screen)


def _unfolded(view: ScenarioView, *, verbose: bool) -> bool:
    return verbose or view.outcome in ("failed", "error")


def _tally(view: ScenarioView, width: int) -> str:
    """`12 claims`, `2 of 12 claims failed`, `play failed`."""
    counts = Counter(check.outcome for check in view.checks)
    every = len(view.checks)
    if view.play.outcome == "error":
        return "did not start"
    parts = ["play failed"] if view.play.outcome == "failed" else []
    for outcome, word in (("failed", "failed"), ("error", "in error"), ("skipped", "skipped")):
        if n := counts[outcome]:  # type: ignore[index]
            parts.append(f"{n} of {plural(every, 'claim')} {word}" if not parts else f"{n} {word}")
    return ", ".join(parts) or plural(every, "claim").rjust(width + len(" claims") - (every == 1))


# --- claims ---------------------------------------------------------------------------------------------------------
def _claims(view: ScenarioView, screen: Screen, *, verbose: bool) -> Iterator[Text]:
    """The claims of one scenario; the play is one of them when it says something."""
    if verbose:
        yield Text(f"{' ' * _INDENT}{shorten_middle(screen.line(view.path), screen.width - _INDENT)}", "dim")
    rows = [check for check in view.rows if verbose or check is not view.play or check.outcome != "passed"]
    if view.play.outcome == "error" and not verbose:
        rows = [view.play]
    ids = max(cell_len(row.id) for row in rows)
    id_width = min(ids, max(screen.width // 3, 12))
    room = screen.width - _INDENT - 2 - id_width - 2 - _DURATION
    claim_width = max(min(room, max(cell_len(screen.line(row.claim)) for row in rows)), 16)
    for row in rows:
        yield from _claim(row, screen, id_width, claim_width)
        if row.outcome != "error" or view.play.outcome != "error" or row.id == PLAY_ID:  # the play says why, once
            yield from _finding(row, screen, _INDENT + 2 + id_width + 2, verbose=verbose)
    if len(rows) == 1 and view.play.outcome == "error" and view.checks:
        verb = "was" if len(view.checks) == 1 else "were"
        yield Text(f"{' ' * (_INDENT + 2)}{plural(len(view.checks), 'claim')} {verb} not judged", "dim")


def _claim(row: CheckView, screen: Screen, id_width: int, claim_width: int) -> Iterator[Text]:
    """Mark, id, claim, and the time that was waited for it."""
    style = STYLES[row.outcome]
    text_style = style if row.outcome in ("failed", "error") else ""
    head = Text.assemble(" " * _INDENT, (f"{screen.glyphs.mark(row.outcome)} ", style))
    lines = wrap(screen.line(row.claim), claim_width)
    waited = format_duration(row.waited) if row.within and row.waited >= _WORTH_SAYING else ""
    if cell_len(row.id) > id_width:
        # The id is what one types to run this claim again: it is never cut, the claim moves below it.
        yield head.append(screen.line(row.id), text_style)
        head = Text(" " * (_INDENT + 2 + id_width))
    else:
        head.append(pad(screen.line(row.id), id_width), text_style)
    for number, line in enumerate(lines):
        text = head if number == 0 else Text(" " * (_INDENT + 2 + id_width))
        text.append("  " + (pad(line, claim_width) if number == 0 else line))
        if number == 0:
            text.append(pad(waited, _DURATION, right=True), "dim")
        yield text


def _finding(row: CheckView, screen: Screen, indent: int, *, verbose: bool) -> Iterator[Text]:
    """Under a claim: what was found when it did not hold, how close it was when it did."""
    if row.outcome == "passed":
        if row.close:
            yield from _note("close", row.close, screen, indent, "yellow")
        if verbose and row.nearest:
            yield from _note("nearest", row.nearest, screen, indent, "dim")
        return
    if row.outcome != "skipped":
        yield from _note("expected", row.expected, screen, indent)
    yield from _note("observed", row.observed, screen, indent)
    if row.nearest:
        yield from _note("nearest", row.nearest, screen, indent)
    yield Text(" " * indent + screen.line(str(row.place)), "cyan")


def _note(label: str, text: str, screen: Screen, indent: int, style: str = "") -> Iterator[Text]:
    label_width = 10
    room = screen.width - indent - label_width
    lines = wrap(screen.line(text), room)
    if len(lines) > _FINDING_LINES:
        rest = " ".join(lines[_FINDING_LINES - 1 :])
        lines = [*lines[: _FINDING_LINES - 1], shorten(rest, room, screen.glyphs.ellipsis)]
    for number, line in enumerate(lines):
        yield Text.assemble(" " * indent, (pad(label if number == 0 else "", label_width), "dim"), (line, style))


def _footer(views: Sequence[ScenarioView], took: float | None, screen: Screen) -> Iterator[Text]:
    """Counts over the whole run, on two lines where one does not hold them."""
    totals = Totals.of(views)
    time = Text("" if took is None else f" in {format_duration(took)}", "dim")
    counts = Text()
    for number, (part, outcome) in enumerate(totals.parts()):
        counts.append(", " if number else "")
        counts.append(part, "dim" if part.startswith("0 ") else STYLES[outcome])
    head = Text(totals.subject)
    if cell_len(f"{head.plain}: {counts.plain}{time.plain}") <= screen.width:
        yield Text.assemble(head, ": ", counts, time)
    else:
        yield head.append_text(time)
        yield counts
