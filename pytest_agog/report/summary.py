"""`summary.md`: a run on one page of Markdown, for a pull request or a CI job's summary."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from pytest_agog.checks.base import Outcome
from pytest_agog.report.atomic import write_atomically
from pytest_agog.report.markdown import code, escape, fence
from pytest_agog.report.text import masked_text
from pytest_agog.report.token_view import TokenView, percent, total
from pytest_agog.report.totals import Totals
from pytest_agog.report.view import CheckView, ScenarioView
from pytest_agog.values import format_duration

STEP_SUMMARY_LIMIT: Final = 1024 * 1024
"""Bytes that GitHub takes from one step; a larger file is dropped whole."""
_SIGNS: Final[dict[Outcome, str]] = {"passed": "✅", "failed": "❌", "skipped": "\u2796", "error": "❗"}
_EVIDENCE: Final = 3


def summary(
    views: Sequence[ScenarioView], *, duration: float, additions: Sequence[str] = (), short: bool = False
) -> str:
    """The run as Markdown; `short` leaves excerpts out, for places with a limit.

    `additions` are paragraphs of Markdown that plugins wrote; they stand at the end as they are, masked.
    """
    parts = [*_lines(views, duration, short=short), *(f"{masked_text(text).strip()}\n" for text in additions)]
    return "\n".join(parts) + "\n"


def write(folder: Path, views: Sequence[ScenarioView], *, duration: float, additions: Sequence[str] = ()) -> Path:
    """Write `summary.md` into `folder`."""
    text = summary(views, duration=duration, additions=additions)
    return write_atomically(folder / "summary.md", text.encode("utf-8", "replace"))


def append_step_summary(
    views: Sequence[ScenarioView],
    *,
    duration: float,
    additions: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Path | None:
    """Append the summary to the file that `$GITHUB_STEP_SUMMARY` names; returns it, or None when there is none.

    What would not fit GitHub's limit is left out piece by piece: first excerpts, then everything but the counts.
    OSError when the file cannot be written.
    """
    name = environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return None
    path = Path(name)
    room = STEP_SUMMARY_LIMIT - (path.stat().st_size if path.exists() else 0)
    candidates: tuple[Callable[[], str], ...] = (
        lambda: summary(views, duration=duration, additions=additions),
        lambda: summary(views, duration=duration, short=True),
        lambda: f"## pytest-agog\n\n{_verdict(views, duration)}\n",
    )
    for candidate in candidates:
        data = candidate().encode("utf-8", "replace")
        if len(data) <= room:
            with path.open("ab") as file:
                file.write(data)
            return path
    return None


def _lines(views: Sequence[ScenarioView], duration: float, *, short: bool) -> Iterator[str]:
    yield "## pytest-agog"
    yield ""
    yield _verdict(views, duration)
    yield ""
    if views:
        yield from _checklist(views)
    yield from _tokens(views)
    for view in views:
        found = [check for check in view.rows if check.outcome in ("failed", "error")]
        if found:
            yield f"### {_SIGNS[view.outcome]} {escape(view.name)}"
            yield ""
            for check in found[:1] if view.play.outcome == "error" else found:
                yield from _failure(check, short=short)


def _verdict(views: Sequence[ScenarioView], duration: float) -> str:
    totals = Totals.of(views)
    said = ", ".join(f"**{part}**" for part, _ in totals.parts())
    return f"{totals.subject}: {said} in {format_duration(duration)}."


def _checklist(views: Sequence[ScenarioView]) -> Iterator[str]:
    yield "| | Scenario | Claims | Time |"
    yield "|---|---|---|---:|"
    for view in views:
        passed = sum(check.outcome == "passed" for check in view.checks)
        close = sum(bool(check.close) for check in view.checks)
        claims = f"{passed} of {len(view.checks)}" + (f", {close} close" if close else "")
        claims = "play failed" if view.play.outcome == "failed" and not view.checks else claims
        claims = "did not start" if view.play.outcome == "error" else claims
        yield f"| {_SIGNS[view.outcome]} | {escape(view.name)} | {claims} | {format_duration(view.duration)} |"
    yield ""


def _tokens(views: Sequence[ScenarioView]) -> Iterator[str]:
    shown = [(view.name, view.tokens) for view in views if view.tokens is not None]
    if not shown:
        return
    yield "| Tokens | Inline | Notices | Fetched | Spawn savings | Net savings |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, tokens in shown:
        yield _token_row(escape(name), tokens)
    if len(shown) > 1:
        yield _token_row("**Total**", total([tokens for _, tokens in shown]))
    yield ""


def _token_row(name: str, tokens: TokenView) -> str:
    return (
        f"| {name} | {tokens.inline:,} | {tokens.notices:,} | {tokens.fetched:,} | {percent(tokens.spawn_savings)} "
        f"| {percent(tokens.net_savings)} |"
    )


def _failure(check: CheckView, *, short: bool) -> Iterator[str]:
    yield f"#### {escape(check.claim)}"
    yield ""
    yield f"{code(check.id)} at {code(str(check.place))}"
    yield ""
    yield f"- expected: {escape(check.expected)}"
    yield f"- observed: {escape(check.observed)}"
    if check.nearest:
        yield f"- nearest: {escape(check.nearest)}"
    if check.rerun:
        yield f"- run again: {code(check.rerun)}"
    yield ""
    if short:
        return
    for piece in check.evidence[:_EVIDENCE]:
        yield f"<details><summary>{escape(piece.text)}</summary>"
        yield ""
        yield fence(piece.excerpt or "(no excerpt)")
        yield ""
        yield "</details>"
        yield ""
