"""Claims about completion notices: `notice`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import to_json

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence import reports
from pytest_agog.checks.evidence.telling import MAX_EVIDENCE, clock, excerpt, listed, short
from pytest_agog.errors import BadInput
from pytest_agog.ledger.facts import NoticeSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.values import Strict, plural
from pytest_agog.wire import notices, subjects
from pytest_agog.wire.notices import Notice

_ADDED_BY_THE_GATE: Final = ("attempt", "tokens", "gate")
"""What a result on `results.` carries besides the notice; it is not the agent's."""


def _status(value: str) -> str:
    if value.strip().upper() not in ("COMPLETE", "BLOCKED", "FAILED"):
        raise ValueError(f"{value!r} is no status; a notice is COMPLETE, BLOCKED or FAILED")
    return value.strip().upper()


class NoticeArguments(Strict):
    """Which notices (all without agent and requirement), and what each of them must be."""

    agent: str | None = Field(default=None, min_length=1)
    """Notices of this agent."""
    requirement: str | None = Field(default=None, min_length=1)
    """Notices for this requirement (in a chain: the feature)."""
    tokens: Count | None = None
    """Tokens of each single notice."""
    resolves: Literal[True] | None = None
    """Its URL leads to a stored report of the same agent that is not itself a notice."""
    status: Annotated[str, AfterValidator(_status)] | None = None
    """COMPLETE, BLOCKED or FAILED, in any case."""
    consistent: Literal[True] | None = None
    """It does not contradict itself (COMPLETE with blockers, APPROVED with blockers, REJECTED but ready, …)."""


@dataclass(frozen=True)
class SeenNotice:
    """A notice that an agent returned or that stands on `results.`, and where it was seen."""

    agent: str
    requirement: str
    text: str
    """The notice alone, as it came."""
    tokens: int
    at: float
    place: str
    notice: Notice | None
    reason: str = ""
    """Why `text` is no notice; agent and requirement are then those who owed it."""


@dataclass(frozen=True)
class Notices:
    """All notices of a run, and the agents that owed one and never returned it."""

    seen: tuple[SeenNotice, ...]
    missing: tuple[NoticeSeen, ...]


def notices_of(ledger: Ledger) -> Notices:
    """Every notice of the run: what agents returned, and results on `results.>` that are notices."""
    return ledger.derived("notices", lambda: _collect(ledger))


def _collect(ledger: Ledger) -> Notices:
    seen: list[SeenNotice] = []
    failed: dict[tuple[str, str], NoticeSeen] = {}
    for observation in ledger.of(NoticeSeen):
        fact = observation.fact
        if fact.payload is None:
            failed[fact.agent, fact.requirement] = fact
            continue
        text = ledger.payloads.text(fact.payload)
        notice, reason = _parse(ledger.payloads.json(fact.payload))
        place = f"returned by {fact.agent}, attempt {fact.attempt}"
        count = ledger.tokens(fact.payload)
        seen.append(SeenNotice(fact.agent, fact.requirement, text, count, observation.at, place, notice, reason))
    seen += _on_results(ledger)
    returned = {(item.agent, item.requirement) for item in seen}
    missing = tuple(fact for key, fact in failed.items() if key not in returned)
    return Notices(tuple(seen), missing)


def _on_results(ledger: Ledger) -> list[SeenNotice]:
    found = []
    for message in ledger.messages("results.>"):
        document = ledger.payloads.json(message.payload)
        notice, reason = _parse(document)
        if notice is None and not _claims_to_be_one(document):
            continue
        if any(key in document for key in _ADDED_BY_THE_GATE):
            own = {key: value for key, value in document.items() if key not in _ADDED_BY_THE_GATE}
            text = to_json(own).decode()
            count = ledger.count_tokens(text)
        else:
            text, count = ledger.payloads.text(message.payload), ledger.tokens(message.payload)
        place = f"{message.subject} · {message.stream} #{message.sequence}" if message.stream else message.subject
        agent, requirement = _named(message.subject) if notice is None else (notice.agent, notice.requirement)
        found.append(SeenNotice(agent, requirement, text, count, message.at, place, notice, reason))
    return found


def _claims_to_be_one(document: Any) -> bool:
    """Whether a result that is no notice of the contract was meant as one. [F18]"""
    return isinstance(document, dict) and "status" in document


def _named(subject: str) -> tuple[str, str]:
    """Agent and requirement of a result, by its subject."""
    parts = subject.split(".")
    return (parts[1], parts[2]) if len(parts) > 2 else (parts[-1], "")


def _parse(document: Any) -> tuple[Notice | None, str]:
    if not isinstance(document, dict):
        return None, "it is no JSON object"
    try:
        return notices.parse(document), ""
    except BadInput as error:
        return None, str(error)


def judge_notice(ledger: Ledger, arguments: NoticeArguments) -> Verdict:
    """Every selected notice is as given. An agent that owed a notice and returned none fails the claim too."""
    everything = notices_of(ledger)
    found = [item for item in everything.seen if _selected(arguments, item)]
    missing = [fact for fact in everything.missing if _owed(arguments, fact)]
    expected = _expected(arguments)
    absent = [
        f"{fact.agent} returned no notice for {short(fact.requirement)}: {short(fact.reason)}" for fact in missing
    ]
    if not found:
        names = sorted({f"{item.agent} for {item.requirement}" for item in everything.seen})
        return nothing_to_judge(
            expected,
            "; ".join(["no such notice was seen", *absent[:3]]),
            nearest=f"notices are there of {listed(names)}" if names else "",
        )
    problems = [(item, _problems(ledger, arguments, item)) for item in found]
    guilty = [item for item, wrongs in problems if wrongs]
    wrong = [f"{item.agent}: {problem}" for item, wrongs in problems for problem in wrongs] + absent
    largest = max(found, key=lambda item: item.tokens)
    evidence = [_told(item) for item in (guilty or [largest])[:MAX_EVIDENCE]]
    fine = f"{plural(len(found), 'notice')} as claimed, the largest has {largest.tokens} tokens ({largest.agent})"
    return verdict(
        not wrong,
        expected=expected,
        observed="; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "") if wrong else fine,
        evidence=evidence,
        nearest=_how_close(arguments, len(found), len(guilty), largest),
    )


def _selected(arguments: NoticeArguments, item: SeenNotice) -> bool:
    if arguments.agent is not None and item.agent.casefold() != arguments.agent.casefold():
        return False
    if arguments.requirement is None or item.requirement == arguments.requirement:
        return True
    return item.notice is not None and item.notice.is_for(arguments.requirement)


def _owed(arguments: NoticeArguments, fact: NoticeSeen) -> bool:
    return (arguments.agent is None or fact.agent.casefold() == arguments.agent.casefold()) and (
        arguments.requirement in (None, fact.requirement)
    )


def _expected(arguments: NoticeArguments) -> str:
    whose = f" of {arguments.agent}" if arguments.agent else ""
    what = f" for {arguments.requirement}" if arguments.requirement else ""
    parts = []
    if arguments.tokens is not None:
        parts.append(f"has {arguments.tokens} tokens")
    if arguments.resolves:
        parts.append("has a URL that leads to a stored report")
    if arguments.status is not None:
        parts.append(f"says {arguments.status}")
    if arguments.consistent:
        parts.append("does not contradict itself")
    return f"every notice{whose}{what} " + (", ".join(parts) or "is a completion notice of the contract")


def _problems(ledger: Ledger, arguments: NoticeArguments, item: SeenNotice) -> list[str]:
    problems = []
    if arguments.tokens is not None and not arguments.tokens.holds(item.tokens):
        problems.append(f"its notice has {item.tokens} tokens")
    if item.notice is None:
        return [*problems, f"what it returned is no notice: {item.reason}"]
    if arguments.resolves and (reason := unresolved(ledger, item.notice)):
        problems.append(reason)
    if arguments.status is not None and item.notice.status != arguments.status:
        problems.append(f"its notice says {item.notice.status}")
    if arguments.consistent:
        problems += [f"its notice contradicts itself: {short(text)}" for text in notices.inconsistencies(item.notice)]
    return problems


def unresolved(ledger: Ledger, notice: Notice) -> str | None:
    """Why the notice's URL leads to no report, or None when it does. [F05], [F06], [F07]"""
    url = notice.deliverable
    try:
        subject = subjects.from_url(url)
    except BadInput:
        return f"its URL {short(url)} does not begin with {subjects.URL_SCHEME}"
    if not subjects.is_valid(subject):
        return f"its URL {short(url)} names no subject"
    report = reports.latest(ledger, subject)
    if report is None:
        return f"its URL {short(url)} leads to nothing: no stream holds a message there"
    if report.data is None:
        return f"its URL {short(url)} leads to no report: {report.reason}"
    if reports.is_notice(report):
        return f"its URL {short(url)} leads to a completion notice, not to a report"
    if not report.text.strip():
        return f"its URL {short(url)} leads to an empty report"
    authors = reports.authors(ledger, report)
    if authors and notice.agent.casefold() not in authors:
        return f"its URL {short(url)} leads to a report of {listed(sorted(authors))}"
    return None


def _told(item: SeenNotice) -> Evidence:
    return Evidence(
        "notice",
        item.at,
        f"{short(item.place)} · {item.tokens} tokens · {clock(item.at)}",
        excerpt(item.text),
        {"agent": item.agent, "requirement": item.requirement, "tokens": item.tokens},
    )


def _how_close(arguments: NoticeArguments, total: int, guilty: int, largest: SeenNotice) -> str:
    if guilty:
        return f"{total - guilty} of {total} notices are as claimed"
    if arguments.tokens is not None and arguments.tokens.has_upper_limit:
        return f"the largest notice has {largest.tokens} tokens ({largest.agent})"
    return ""


def _can_break(arguments: NoticeArguments) -> bool:
    return arguments.tokens is not None and arguments.tokens.has_upper_limit


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "notice",
        "Completion notices are small, lead to their report, say what is given and do not contradict themselves.",
        NoticeArguments,
        judge_notice,
        "- id: notices\n"
        "  claim: Every notice is small, honest and leads to its report\n"
        "  check: notice\n"
        "  with: {tokens: {at_most: 200}, resolves: true, consistent: true}",
        growth_can_break=_can_break,
        kills=(
            "deliverables.notice-wrong-url",
            "deliverables.notice-instead-of-report",
            "deliverables.notice-oversized",
            "deliverables.notice-contradicts",
        ),
    ),
)
