"""Claims about what agents are started with: `no_inline_report`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.evidence import overlap, reports
from pytest_agog.checks.evidence.overlap import Shared
from pytest_agog.checks.evidence.reports import Report
from pytest_agog.checks.evidence.telling import MAX_EVIDENCE, clock, excerpt, percent, short
from pytest_agog.ledger.facts import AgentSpawned
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.payloads import PayloadId
from pytest_agog.values import Share, Strict, format_size, plural
from pytest_agog.wire import subjects

PROMPT_SUBJECTS: Final = (
    subjects.event("stage.started"),
    subjects.SPAWN_REQUEST,
    "requirements.>",
    "work.requirements.>",
)
"""Messages that start an agent, whoever publishes them."""
_AGENT_KEYS: Final = ("agentId", "assignedAgent", "agent")


class NoInlineReportArguments(Strict):
    """How much of a report a prompt may hold."""

    threshold: Annotated[Share, Field(ge=0)] = 0.05
    """The share of a report's text that may stand in a prompt. One sentence (120 letters) always may."""


@dataclass(frozen=True)
class Prompt:
    """What an agent was started with."""

    payload: PayloadId
    agent: str
    place: str
    at: float


@dataclass(frozen=True)
class _Finding:
    prompt: Prompt
    report: Report
    shared: Shared


@dataclass(frozen=True)
class _Compared:
    """Every prompt against every report: what is over the threshold, and the nearest below it."""

    prompts: int
    reports: int
    too_short: int
    over: tuple[_Finding, ...]
    nearest: _Finding | None


def prompts_of(ledger: Ledger) -> list[Prompt]:
    """Every prompt of the run, each payload once: stdin of agents, `stage.started`, spawn requests, requirements."""
    found: dict[PayloadId, Prompt] = {}
    for observation in ledger.of(AgentSpawned):
        spawn = observation.fact
        place = f"stdin of {spawn.agent} ({spawn.task}, attempt {spawn.attempt})"
        found.setdefault(spawn.prompt, Prompt(spawn.prompt, spawn.agent, place, observation.at))
    for pattern in PROMPT_SUBJECTS:
        for message in ledger.messages(pattern):
            place = f"{message.subject} · {message.stream} #{message.sequence}" if message.stream else message.subject
            if message.payload not in found:
                agent = _agent(ledger.payloads.json(message.payload))
                found[message.payload] = Prompt(message.payload, agent, place, message.at)
    return list(found.values())


def _agent(document: Any) -> str:
    if isinstance(document, dict):
        for key in _AGENT_KEYS:
            if isinstance(document.get(key), str):
                return str(document[key])
    return "an agent"


def judge_no_inline_report(ledger: Ledger, arguments: NoInlineReportArguments) -> Verdict:
    """Look for every report of the run in every prompt, pasted whole, cut, re-wrapped, escaped or stripped of Markdown.

    The method, and what it does not cover, is that of `checks.overlap`: runs of at least 40 letters and digits that
    both have, found by hashed shingles over text without case, white space, punctuation, escapes and markup. The share
    is that of the report's letters. Completion notices stored in place of a report are no reports; `deliverable`
    rejects them.
    """
    compared = ledger.derived(("inline", arguments.threshold), lambda: _compare(ledger, arguments.threshold))
    expected = f"no prompt holds more than {arguments.threshold * 100:g} % of a report"
    if not compared.prompts:
        return nothing_to_judge(expected, "no prompt was seen (no agent was started, nothing asked for one)")
    if not compared.reports:
        short_ones = (
            f"; {plural(compared.too_short, 'report')} too short to tell from a phrase" if compared.too_short else ""
        )
        return nothing_to_judge(expected, f"no report was stored that could stand in a prompt{short_ones}")
    size = f"{plural(compared.prompts, 'prompt')} against {plural(compared.reports, 'report')}"
    return verdict(
        not compared.over,
        expected=expected,
        observed=_observed(compared, size),
        evidence=[_told(ledger, finding) for finding in compared.over[:MAX_EVIDENCE]],
        nearest=_nearest(compared.nearest),
    )  # fmt: skip


def _compare(ledger: Ledger, threshold: float) -> _Compared:
    everything = _distinct(ledger)
    prompts = prompts_of(ledger)
    sought = overlap.Reports([report.text for report in everything])
    lengths = sought.sizes
    judged = sum(length >= overlap.SHORTEST_TEXT for length in lengths)
    fewest = min(
        (overlap.allowance(length, threshold) for length in lengths if length >= overlap.SHORTEST_TEXT), default=0
    )
    over: list[_Finding] = []
    nearest: _Finding | None = None
    for prompt in prompts if judged else ():
        if len(ledger.payloads[prompt.payload]) <= fewest:
            continue  # too small to hold more than is allowed of any report
        for shared in sought.in_text(ledger.payloads.text(prompt.payload)):
            finding = _Finding(prompt, everything[shared.report], shared)
            if shared.letters > overlap.allowance(shared.total, threshold):
                over.append(finding)
            elif nearest is None or shared.share > nearest.shared.share:
                nearest = finding
    over.sort(key=lambda finding: -finding.shared.share)
    return _Compared(len(prompts), judged, len(lengths) - judged, tuple(over), nearest)  # fmt: skip


def _distinct(ledger: Ledger) -> list[Report]:
    """Every report of the run, each content once."""
    found: dict[bytes, Report] = {}
    for report in reports.all_reports(ledger):
        if report.data is not None and report.data not in found and not reports.is_notice(report):
            found[report.data] = report
    return list(found.values())


def _observed(compared: _Compared, size: str) -> str:
    if not compared.over:
        return f"{size}: no report stands in a prompt"
    worst = compared.over[0]
    more = f", and {len(compared.over) - 1} more" if len(compared.over) > 1 else ""
    return f"{size}: {_phrase(worst)}{more}"


def _phrase(finding: _Finding) -> str:
    return (
        f"{percent(finding.shared.share)} of {short(finding.report.message.subject)} stands in the prompt of "
        f"{short(finding.prompt.agent)} ({short(finding.prompt.place)})"
    )


def _nearest(finding: _Finding | None) -> str:
    return "" if finding is None else f"below the threshold: {_phrase(finding)}"


def _told(ledger: Ledger, finding: _Finding) -> Evidence:
    prompt, report, shared = finding.prompt, finding.report, finding.shared
    size = format_size(len(ledger.payloads[prompt.payload]))
    return Evidence(
        "prompt",
        prompt.at,
        f"{_phrase(finding)} · prompt {size} · {shared.letters:,} of {shared.total:,} letters · {clock(prompt.at)}",
        excerpt(overlap.lines_of(report.text, shared.longest)),
        {
            "agent": prompt.agent,
            "prompt": prompt.place,
            "prompt_sha256": prompt.payload,
            "report": report.message.subject,
            "stream": report.message.stream,
            "sequence": report.message.sequence,
            "share": shared.share,
        },
    )


def _vacuous(arguments: NoInlineReportArguments) -> str | None:
    return "a prompt never holds more than all of a report" if arguments.threshold >= 1 else None


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "no_inline_report",
        "No prompt carries a report inline, whole or in part.",
        NoInlineReportArguments,
        judge_no_inline_report,
        "- id: no-report-in-any-prompt\n  claim: No spawn carries a report inline\n  check: no_inline_report",
        growth_can_break=lambda _: True,
        vacuous=_vacuous,
        kills=("deliverables.inline-reports",),
    ),
)
