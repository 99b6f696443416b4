"""`report.json`: what a run found, for machines. The models here generate its published JSON Schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from pytest_agog.checks.base import Outcome
from pytest_agog.play.result import Environment
from pytest_agog.report.atomic import write_atomically
from pytest_agog.report.text import masked
from pytest_agog.report.view import CheckView, EvidenceView, ScenarioView

SCHEMA_ID: Final = "https://pytest-agog.github.io/report.schema.json"
_RESERVED: Final = frozenset({"kind", "at", "text", "excerpt"})


class _Model(BaseModel):
    """Closed: a field that the schema does not know is a defect."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class EnvironmentReport(_Model):
    """What the run ran on."""

    python: str
    """Version of the interpreter that ran the harness."""
    nats_server: str
    """Version of nats-server; empty when none was reached."""
    postgres: str | None
    """Version of Postgres; null when no scenario needed it."""
    backend: str
    """embedded, container, external or cluster."""
    target: str
    """Name of the system under test."""


class TokensReport(_Model):
    """Tokens of the hand-overs, counted over the bytes that crossed the wire."""

    inline: int
    """What the spawns would have cost with the earlier reports in their prompts."""
    notices: int
    """What they cost with notices, prompts included."""
    fetched: int
    """Text that agents were handed on demand."""
    spawn_savings: float | None
    """1 - notices / inline, a fraction; null when nothing was handed over."""
    net_savings: float | None
    """1 - (notices + fetched) / inline, a fraction; null when nothing was handed over."""


class EvidenceReport(BaseModel):
    """Something that made the verdict what it is. Further fields depend on its kind: subject, stream, sequence …"""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    kind: str
    """message, stream, consumer, rows, file, http, process, notice, tokens, log …"""
    at: str | None = Field(json_schema_extra={"format": "date-time"})
    """When it was seen: RFC 3339, UTC; null when it has no time."""
    text: str
    """One line for people."""
    excerpt: str
    """A few lines of the thing itself; may be empty."""


class LocationReport(_Model):
    """A place in a scenario file; line and column count from 1."""

    file: str
    line: int = Field(ge=1)
    column: int = Field(ge=1)


class CheckReport(_Model):
    """One claim of the checklist. A play that did not come to its end stands here too, with the id `play`."""

    id: str
    claim: str
    check: str
    """The check that judged it; for a failed play its step's verb."""
    outcome: Outcome
    expected: str
    observed: str
    waited_s: float = Field(ge=0)
    """Seconds until the verdict stood."""
    evidence: list[EvidenceReport]
    location: LocationReport


class ScenarioReport(_Model):
    """One scenario, played and judged."""

    name: str
    """With its matrix values: customer-search[large]."""
    path: str
    outcome: Outcome
    """The worst of its play and its claims."""
    duration_s: float = Field(ge=0)
    tokens: TokensReport
    checks: list[CheckReport]


class SummaryReport(_Model):
    """Counts over the whole run; `checks` is the sum of the four after it."""

    scenarios: int = Field(ge=0)
    checks: int = Field(ge=0)
    passed: int = Field(ge=0)
    failed: int = Field(ge=0)
    skipped: int = Field(ge=0)
    errors: int = Field(ge=0)


class Report(_Model):
    """What a run of pytest-agog found."""

    agog: Literal[1]
    """Version of this format."""
    started_at: str = Field(json_schema_extra={"format": "date-time"})
    """RFC 3339, UTC."""
    duration_s: float = Field(ge=0)
    environment: EnvironmentReport
    scenarios: list[ScenarioReport]
    summary: SummaryReport


def report(views: Sequence[ScenarioView], *, started_at: float, duration: float, environment: Environment) -> Report:
    """The whole report; `started_at` in seconds since the epoch, `duration` in seconds."""
    counts: Counter[Outcome] = Counter()
    for view in views:
        counts.update(view.counts())
    return Report(
        agog=1,
        started_at=rfc3339(started_at),
        duration_s=_seconds(duration),
        environment=EnvironmentReport(
            python=environment.python,
            nats_server=environment.nats_server,
            postgres=environment.postgres,
            backend=environment.backend,
            target=environment.target,
        ),
        scenarios=[_scenario(view) for view in views],
        summary=SummaryReport(
            scenarios=len(views),
            checks=counts.total(),
            passed=counts["passed"],
            failed=counts["failed"],
            skipped=counts["skipped"],
            errors=counts["error"],
        ),
    )


def _scenario(view: ScenarioView) -> ScenarioReport:
    tokens = view.tokens
    told = view.checks if view.play.outcome == "passed" else view.rows
    return ScenarioReport(
        name=view.name,
        path=view.path,
        outcome=view.outcome,
        duration_s=_seconds(view.duration),
        tokens=TokensReport(
            inline=tokens.inline if tokens else 0,
            notices=tokens.notices if tokens else 0,
            fetched=tokens.fetched if tokens else 0,
            spawn_savings=tokens.spawn_savings if tokens else None,
            net_savings=tokens.net_savings if tokens else None,
        ),
        checks=[_check(check) for check in told],
    )


def _check(check: CheckView) -> CheckReport:
    return CheckReport(
        id=check.id,
        claim=check.claim,
        check=check.check,
        outcome=check.outcome,
        expected=check.expected,
        observed=check.observed,
        waited_s=_seconds(check.waited),
        evidence=[_evidence(piece) for piece in check.evidence],
        location=LocationReport(file=check.place.file, line=check.place.line, column=check.place.column),
    )


def _evidence(piece: EvidenceView) -> EvidenceReport:
    details = {f"detail_{key}" if key in _RESERVED else key: value for key, value in piece.details.items()}
    at = None if piece.at is None else rfc3339(piece.at)
    return EvidenceReport.model_validate(
        {**details, "kind": piece.kind, "at": at, "text": piece.text, "excerpt": piece.excerpt}
    )


def _seconds(value: float) -> float:
    """Seconds with millisecond precision; clocks that were set back never make them negative."""
    return round(max(value, 0.0), 3)


def rfc3339(at: float) -> str:
    """Seconds since the epoch as `2026-01-31T12:34:56.789Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_bytes(found: Report) -> bytes:
    """The report as UTF-8 JSON with a line feed at the end; masked once more, whatever its parts were made of."""
    data: Any = masked(found.model_dump(mode="json"))
    return to_json(data, indent=2, inf_nan_mode="null") + b"\n"


def write(folder: Path, found: Report) -> Path:
    """Write `report.json` into `folder`: readers see the old file or the new one, never half of one."""
    return write_atomically(folder / "report.json", to_bytes(found))


def schema() -> dict[str, Any]:
    """The JSON Schema of `report.json` (draft 2020-12)."""
    generated = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **generated}
