"""One play as reports see it: plain, masked data that every report tells from, and that can cross a process border.

A `ScenarioView` holds no ledger, so a pytest-xdist worker can hand it to the controller: `to_json` and `from_json`.
Everything in it is masked; nothing in it is escaped, because only a renderer knows what its reader obeys.
"""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pytest_agog.checks.base import Evidence, Outcome, Verdict
from pytest_agog.ledger.payloads import Payloads
from pytest_agog.play.result import Environment, Judgement, PlayResult
from pytest_agog.report.closeness import close_call
from pytest_agog.report.excerpt import Excerpt, read_excerpt, show_path
from pytest_agog.report.text import masked, masked_text
from pytest_agog.report.timeline import Timeline, timeline
from pytest_agog.report.token_view import TokenView, token_view
from pytest_agog.scenario.reading.places import Position

PLAY_ID = "play"
PLAY_CLAIM = "The scenario plays to its end"
SCREENSHOT = "screenshot"
"""The detail of a piece of evidence that names the payload with a picture (PNG)."""
_LARGEST_PICTURE = 3_000_000
"""Bytes; a larger one stays in the bundle alone."""
_EXCERPT_LIMIT = 8_000
"""Characters of one piece of evidence; an excerpt is a few lines, whoever wrote it."""


@dataclass(frozen=True)
class Place:
    """A place in a scenario file, as a reader would type it."""

    file: str
    line: int
    column: int
    end_column: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class EvidenceView:
    """What made a verdict what it is."""

    kind: str
    at: float | None
    """Seconds since the epoch."""
    text: str
    excerpt: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    picture: str = ""
    """A PNG in base64; empty without one."""


@dataclass(frozen=True)
class CheckView:
    """One line of the checklist."""

    id: str
    claim: str
    check: str
    outcome: Outcome
    expected: str
    observed: str
    place: Place
    nearest: str = ""
    waited: float = 0.0
    """Seconds."""
    within: float = 0.0
    """Seconds that it might take."""
    close: str = ""
    """How close a pass came to failing; empty when it was not close."""
    evidence: tuple[EvidenceView, ...] = ()
    excerpt: Excerpt = field(default_factory=Excerpt)
    rerun: str = ""
    """The command that runs just this again; empty when nobody said it."""


@dataclass(frozen=True)
class ScenarioView:
    """One scenario, played and judged."""

    name: str
    """With its matrix values: `customer-search[large]`."""
    summary: str
    path: str
    outcome: Outcome
    """Of play and claims together."""
    started_at: float
    """Seconds since the epoch."""
    duration: float
    """Seconds."""
    environment: Environment
    play: CheckView
    """The play itself, told like a claim."""
    checks: tuple[CheckView, ...] = ()
    tokens: TokenView | None = None
    """None when nothing was handed over."""
    timeline: Timeline | None = None
    """None when it was not asked for."""
    urls: dict[str, str] = field(default_factory=dict)
    """Services that were left up."""

    @property
    def rows(self) -> tuple[CheckView, ...]:
        """The play, then the claims."""
        return (self.play, *self.checks)

    def counts(self) -> Counter[Outcome]:
        """How many claims had which outcome; a play that did not pass counts as one more."""
        told = self.checks if self.play.outcome == "passed" else self.rows
        return Counter(check.outcome for check in told)

    def to_json(self) -> dict[str, Any]:
        """Plain data (dicts, lists, text, numbers) that execnet, JSON and pickle take."""
        data: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ScenarioView:
        """What `to_json` wrote. pydantic.ValidationError when it is something else."""
        return _adapter().validate_python(data)


@cache
def _adapter() -> TypeAdapter[ScenarioView]:
    return TypeAdapter(ScenarioView)


Rerun = Callable[[PlayResult, str], str]
"""Says which command runs one item of a play again; the item is a claim's id, or `play`."""


def _nobody_said(_: PlayResult, __: str) -> str:
    return ""


def view(
    result: PlayResult, *, base: Path | None = None, rerun: Rerun = _nobody_said, with_timeline: bool = False
) -> ScenarioView:
    """What reports tell of `result`. Paths are shown relative to `base` (the working directory when None).

    The timeline costs a walk over the ledger and is only made for reports that draw it.
    """
    base = base if base is not None else Path.cwd()
    checks = tuple(
        check_view(judgement, base=base, rerun=rerun(result, judgement.claim.id), payloads=result.ledger.payloads)
        for judgement in result.judgements
    )
    played = play_view(result, base=base, rerun=rerun(result, PLAY_ID))
    return ScenarioView(
        name=masked_text(result.scenario.title),
        summary=masked_text(result.scenario.summary),
        path=show_path(result.scenario.path, base),
        outcome=overall([played.outcome, *(check.outcome for check in checks)]),
        started_at=result.started_at,
        duration=result.duration,
        environment=result.environment,
        play=played,
        checks=checks,
        tokens=token_view(result.ledger),
        timeline=timeline(result) if with_timeline else None,
        urls={masked_text(name): masked_text(url) for name, url in result.urls.items()},
    )


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """One outcome for several: the worst; skipped only when nothing passed."""
    found = set(outcomes)
    for outcome in ("error", "failed", "passed", "skipped"):
        if outcome in found:
            return outcome
    return "passed"


def check_view(
    judgement: Judgement, *, base: Path | None = None, rerun: str = "", payloads: Payloads | None = None
) -> CheckView:
    """One judged claim; with `payloads` its evidence shows pictures."""
    claim, verdict = judgement.claim, judgement.verdict
    return CheckView(
        id=claim.id,
        claim=masked_text(claim.claim),
        check=claim.check,
        outcome=verdict.outcome,
        expected=masked_text(verdict.expected),
        observed=masked_text(verdict.observed),
        place=_place(claim.position, base),
        nearest=masked_text(verdict.nearest),
        waited=judgement.waited,
        within=claim.within,
        close=masked_text(close_call(judgement)),
        evidence=_evidence(verdict, payloads),
        excerpt=_excerpt(claim.position, verdict.outcome),
        rerun=rerun,
    )


def play_view(result: PlayResult, *, base: Path | None = None, rerun: str = "") -> CheckView:
    """The play itself, told like a claim: a failed step is what was observed."""
    failure = result.failure
    step = failure.step if failure is not None else None
    position = step.position if step is not None else result.scenario.position
    steps = len(result.scenario.steps)
    observed = "" if failure is None else failure.message
    return CheckView(
        id=PLAY_ID,
        claim=PLAY_CLAIM,
        check=step.verb if step is not None else PLAY_ID,
        outcome=result.outcome,
        expected=_expected_of_play(result.outcome, steps, None if step is None else (step.number, step.verb)),
        observed=masked_text(observed or _played(result.outcome, steps)),
        place=_place(position, base),
        waited=result.duration,
        evidence=_play_evidence(result),
        excerpt=_excerpt(position, result.outcome),
        rerun=rerun,
    )


def _expected_of_play(outcome: Outcome, steps: int, step: tuple[int, str] | None) -> str:
    if step is not None:
        return f"step {step[0]} of {steps} ({step[1]}) passes"
    return "services that start" if outcome == "error" else "every step passes, and the recorder sees what they did"


def _played(outcome: Outcome, steps: int) -> str:
    return f"{steps} {'step' if steps == 1 else 'steps'} played" if outcome == "passed" else outcome


def _play_evidence(result: PlayResult) -> tuple[EvidenceView, ...]:
    if result.failure is None or not result.failure.detail.strip():
        return ()
    at = min(result.started_at + result.duration, time.time())
    return (EvidenceView("log", at, "What it printed last", masked_text(result.failure.detail.rstrip())),)


def _evidence(verdict: Verdict, payloads: Payloads | None) -> tuple[EvidenceView, ...]:
    return tuple(_evidence_view(piece, payloads) for piece in verdict.evidence)


def _evidence_view(piece: Evidence, payloads: Payloads | None) -> EvidenceView:
    excerpt = masked_text(piece.excerpt)
    if len(excerpt) > _EXCERPT_LIMIT:
        excerpt = f"{excerpt[:_EXCERPT_LIMIT]}\n… ({len(excerpt) - _EXCERPT_LIMIT} more characters)"
    return EvidenceView(
        piece.kind, piece.at, masked_text(piece.text), excerpt, masked(piece.details), _picture(piece, payloads)
    )


def _picture(piece: Evidence, payloads: Payloads | None) -> str:
    name = piece.details.get(SCREENSHOT)
    if payloads is None or not isinstance(name, str) or name not in payloads:
        return ""
    data = payloads[name]
    return base64.b64encode(data).decode("ascii") if len(data) <= _LARGEST_PICTURE else ""


def _place(position: Position, base: Path | None) -> Place:
    file = show_path(position.file, base if base is not None else Path.cwd())
    return Place(file, position.line, position.column, position.end_column)


def _excerpt(position: Position, outcome: Outcome) -> Excerpt:
    return Excerpt() if outcome == "passed" else read_excerpt(position)
