"""Claims about reports on the stream: `deliverable`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from pytest_agog.checks.base import Check, Evidence, Verdict, failed, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence import differing, ends, reports
from pytest_agog.checks.evidence.reports import Report
from pytest_agog.checks.evidence.telling import clock, close_names, excerpt, listed, short
from pytest_agog.errors import BadInput
from pytest_agog.ledger.answers import FileSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import FileProbe, Probe
from pytest_agog.values import DataFile, Strict, format_size, plural
from pytest_agog.wire import deliverables, subjects


class DeliverableArguments(Strict):
    """Which deliverable (agent, type and feature, or its URL), and what its report must be."""

    agent: str | None = None
    """Who wrote it."""
    type: str | None = None
    """The type in its subject: `research`, `critique`, `backend` …"""
    feature: str | None = None
    """What it is about."""
    url: str | None = None
    """Its URL, `nats://` + subject, instead of agent, type and feature."""
    equals: DataFile | None = None
    """The content of the last revision is this file, byte for byte."""
    contains: str | None = Field(default=None, min_length=1)
    """This text stands in the content of the last revision."""
    tokens: Count | None = None
    """Tokens of the content of the last revision."""
    revisions: Count | None = None
    """How many messages the stream holds for it."""
    digest: Literal[True] | None = None
    """The last revision has an `Agog-Digest` header, and its content has that digest."""

    @model_validator(mode="after")
    def _named_once(self) -> DeliverableArguments:
        parts = (self.agent, self.type, self.feature)
        if self.url is not None and any(part is not None for part in parts):
            raise ValueError("give either url, or agent, type and feature")
        if self.url is None and not all(part is not None for part in parts):
            raise ValueError("give agent, type and feature, or url")
        try:
            subject = self.subject
        except BadInput as error:
            raise ValueError(str(error)) from None
        if not subjects.is_valid(subject):
            raise ValueError(f"{self.url!r} is no deliverable URL; after nats:// stands one subject without wildcards")
        return self

    @property
    def subject(self) -> str:
        """Where the deliverable is stored."""
        if self.url is not None:
            return subjects.from_url(self.url)
        return subjects.deliverable(self.agent or "", self.type or "", self.feature or "")


def judge_deliverable(ledger: Ledger, arguments: DeliverableArguments) -> Verdict:
    """Judge the last revision: it is there, well formed, not empty, no notice, and as the arguments say."""
    subject = arguments.subject
    expected = _expected(arguments)
    revisions = reports.revisions(ledger, subject)
    if not revisions:
        return _missing(ledger, subject, expected)
    report = reports.read(ledger, revisions[-1])
    problems, evidence = _problems(ledger, arguments, report, len(revisions))
    if report.data is None:
        observed = "; ".join(problems)
    else:
        size = f"{len(report.data):,} bytes, {reports.tokens_of(ledger, report):,} tokens"
        observed = "; ".join(problems) if problems else f"{size}, {plural(len(revisions), 'revision')}"
    return verdict(not problems, expected=expected, observed=observed, evidence=[_told(report), *evidence])


def _expected(arguments: DeliverableArguments) -> str:
    parts = [f"a report on {arguments.subject}"]
    if arguments.equals is not None:
        parts.append(f"equal to {arguments.equals} byte for byte")
    if arguments.contains is not None:
        parts.append(f"that contains '{short(arguments.contains)}'")
    if arguments.tokens is not None:
        parts.append(f"with {arguments.tokens} tokens")
    if arguments.revisions is not None:
        parts.append(f"in {arguments.revisions} revisions")
    if arguments.digest:
        parts.append(f"with its digest in {deliverables.DIGEST_HEADER}")
    return ", ".join(parts)


def _problems(
    ledger: Ledger, arguments: DeliverableArguments, report: Report, revisions: int
) -> tuple[list[str], list[Evidence]]:
    problems: list[str] = []
    evidence: list[Evidence] = []
    if report.data is None:
        problems.append(report.reason)
    elif shape := reports.shape_problem(ledger, report.message):
        problems.append(f"the message is no deliverable of the contract: {shape}")
    if report.data is not None:
        if arguments.equals is not None:
            different = _compare(ledger, arguments.equals, report.data)
            problems += [text for text, _ in different]
            evidence += [item for _, item in different]
        else:
            problems += _no_report(report)
        if arguments.contains is not None and arguments.contains not in report.text:
            problems.append(f"'{short(arguments.contains)}' does not stand in its {len(report.data):,} bytes")
        if arguments.tokens is not None:
            count = reports.tokens_of(ledger, report)
            if not arguments.tokens.holds(count):
                problems.append(f"it has {count:,} tokens")
        if arguments.digest:
            problems += _digest_problems(report, report.data)
    if arguments.revisions is not None and not arguments.revisions.holds(revisions):
        problems.append(f"the stream holds {plural(revisions, 'revision')}")
        stored = reports.revisions(ledger, arguments.subject)[:8]
        evidence += [_revision(reports.read(ledger, message)) for message in stored]
    return problems, evidence


def _no_report(report: Report) -> list[str]:
    """[F06], [F07], [F15]: what stands where the report should be, and is none."""
    if not report.text.strip():
        return ["the content is empty"]
    if reports.is_notice(report):
        return ["the content is a completion notice, not a report"]
    if (stand_in := reports.stand_in(report)) is not None:
        return [f"the content is not the whole report: it has {stand_in} ('{short(report.text.strip()[-60:])}')"]
    return []


def _compare(ledger: Ledger, path: str, data: bytes) -> list[tuple[str, Evidence]]:
    seen = ledger.answer(FileProbe(path).key, FileSeen)
    if seen is None or not seen.exists or seen.payload is None:
        why = f" ({short(seen.reason)})" if seen is not None and seen.reason else ""
        text = f"{path} was not there to compare with{why}"
        return [(text, Evidence("file", None, text, details={"path": path}))]
    wanted = ledger.payloads[seen.payload]
    if wanted == data:
        return []
    text = f"the content differs from {path}: {differing.difference(data, wanted)}"
    told = Evidence("file", None, f"{path} and the content", differing.side_by_side(data, wanted), {"path": path})
    return [(text, told)]


def _digest_problems(report: Report, data: bytes) -> list[str]:
    folded = {key.casefold(): value for key, value in report.message.headers.items()}
    header = folded.get(deliverables.DIGEST_HEADER.casefold())
    actual = deliverables.digest(data)
    problems = []
    if header is None:
        problems.append(f"there is no {deliverables.DIGEST_HEADER} header")
    elif not deliverables.same_digest(header, actual):
        problems.append(f"{deliverables.DIGEST_HEADER} says {short(header)}, the content has {actual}")
    if report.reference is not None and not deliverables.same_digest(report.reference.digest, actual):
        problems.append(f"the reference says {short(report.reference.digest)}, the object has {actual}")
    return problems


def _told(report: Report) -> Evidence:
    message = report.message
    size = format_size(len(report.data)) if report.data is not None else report.reason
    how = " by reference" if report.reference is not None else ""
    return Evidence(
        "deliverable",
        message.at,
        f"{message.subject} · {message.stream} #{message.sequence} · {size}{how} · {clock(message.at)}",
        excerpt(report.text, lines=6),
        {
            "subject": message.subject,
            "stream": message.stream,
            "sequence": message.sequence,
            "size": len(report.data) if report.data is not None else None,
            "digest": deliverables.digest(report.data) if report.data is not None else None,
        },
    )


def _revision(report: Report) -> Evidence:
    told = _told(report)
    return Evidence("revision", told.at, told.text, excerpt(report.text, lines=2), told.details)


def _missing(ledger: Ledger, subject: str, expected: str) -> Verdict:
    known: Sequence[str] = sorted({report.message.subject for report in reports.all_reports(ledger)})
    close = close_names(subject, known)
    why = _gone(ledger, subject)
    if not why and any(message.stream is None for message in ledger.messages(subject)):
        why = "; a message passed, but no stream took it"
    return failed(
        expected=expected,
        observed=f"no deliverable is stored on {subject}{why}",
        nearest=f"stored are {listed(close or known, 5)}" if known else "no deliverable is stored at all",
    )


def _gone(ledger: Ledger, subject: str) -> str:
    """What became of the last report that a stream held and holds no longer."""
    held = ledger.stored(subject)
    if not held:
        return ""
    last = held[-1]
    end = ends.ends_of(ledger).get(last.stream or "")
    why = end.why(last.sequence or 0, last.index) if end is not None else None
    return f" any longer: {why.format(f'{last.stream} #{last.sequence}')}" if why else ""


def _probes(arguments: DeliverableArguments) -> Sequence[Probe]:
    return (FileProbe(arguments.equals),) if arguments.equals is not None else ()


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "deliverable",
        "A full report is on the stream, and it is as given.",
        DeliverableArguments,
        judge_deliverable,
        "- id: research-stored\n"
        "  claim: Cynthia's full report is on the stream, byte for byte\n"
        "  check: deliverable\n"
        "  with:\n"
        "    {agent: cynthia, type: research, feature: customer-search, equals: reports/research.md, digest: true}",
        probes=_probes,
        growth_can_break=lambda arguments: arguments.revisions is not None and arguments.revisions.has_upper_limit,
        kills=(
            "deliverables.core-publish",
            "deliverables.no-message-id",
            "deliverables.notice-instead-of-report",
            "deliverables.truncate",
        ),
    ),
)
