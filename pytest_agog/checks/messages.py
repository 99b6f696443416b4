"""Claims about single messages and their order: `message`, `never`, `order`."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field

from pytest_agog.checks.base import Check, Evidence, Verdict, failed, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence.selecting import SubjectPattern, nearest_miss, select
from pytest_agog.checks.evidence.telling import clock, described, of_message, of_messages, short
from pytest_agog.ledger.facts import WatchInterrupted
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.values import Bound, Strict, Where, format_duration, plural

AT_LEAST_ONE = Bound(at_least=1)


class MessageArguments(Strict):
    """Which messages, and how many."""

    subject: SubjectPattern
    """Their subject, with NATS wildcards."""
    where: Where | None = None
    """What must stand in them: dotted paths of the JSON payload, or `$headers.Name`."""
    count: Count = AT_LEAST_ONE
    """How many there are."""


class NeverArguments(Strict):
    """Which messages must not be there."""

    subject: SubjectPattern
    """Their subject, with NATS wildcards."""
    where: Where | None = None
    """What stands in them: dotted paths of the JSON payload, or `$headers.Name`."""


class Moment(Strict):
    """The first message that fits."""

    subject: SubjectPattern
    """Its subject, with NATS wildcards."""
    where: Where | None = None
    """What stands in it: dotted paths of the JSON payload, or `$headers.Name`."""

    def __str__(self) -> str:
        return _which(self.subject, self.where)


class OrderArguments(Strict):
    """Which messages come after each other."""

    sequence: Annotated[tuple[Moment, ...], Field(min_length=1)]
    """The first message that fits each entry comes after the first message that fits the entry before."""


def _which(subject: str, where: Where | None) -> str:
    return f"{short(subject)} where {described(where)}" if where else short(subject)


def _says_nothing(where: Where | None) -> str | None:
    return (
        None if where is None or where else "where: {} fits every message; say what must stand there, or leave it out"
    )


# --- message ----------------------------------------------------------------------------------------------------------
def judge_message(ledger: Ledger, arguments: MessageArguments) -> Verdict:
    """Count the messages that fit."""
    found = select(ledger, arguments.subject, arguments.where)
    holds = arguments.count.holds(len(found))
    near = ""
    evidence: list[Evidence] = []
    if not holds and (not found or arguments.count.holds(len(found) + 1)):
        near, evidence = nearest_miss(ledger, arguments.subject, arguments.where)
    return verdict(
        holds,
        expected=f"{arguments.count} of {_which(arguments.subject, arguments.where)}",
        observed=_seen(ledger, arguments.subject, found),
        evidence=[*of_messages(ledger, found), *evidence],
        nearest=near,
    )


def _seen(ledger: Ledger, subject: str, found: Any) -> str:
    if found:
        first, last = found[0], found[-1]
        when = f"at {clock(first.at)}" if first is last else f"from {clock(first.at)} to {clock(last.at)}"
        return f"{plural(len(found), 'message')} {when}"
    others = len(select(ledger, subject))
    return f"no such message; {plural(others, 'message')} on the subject" if others else "no message on the subject"


def _message_vacuous(arguments: MessageArguments) -> str | None:
    if arguments.count.cannot_fail:
        return f"count: {arguments.count} holds for any number of messages"
    return _says_nothing(arguments.where)


# --- never ------------------------------------------------------------------------------------------------------------
def judge_never(ledger: Ledger, arguments: NeverArguments) -> Verdict:
    """No message fits."""
    found = select(ledger, arguments.subject, arguments.where)
    near = ""
    evidence: list[Evidence] = []
    if not found and arguments.where:
        near, evidence = nearest_miss(ledger, arguments.subject, arguments.where)
    away = ledger.of(WatchInterrupted)
    if away and not found and not near:
        near = f"core messages may be missing: the harness did not listen for {away[-1].fact.seconds:.2f} s"
    return verdict(
        not found,
        expected=f"never {_which(arguments.subject, arguments.where)}",
        observed=_seen(ledger, arguments.subject, found),
        evidence=[*of_messages(ledger, found, limit=5), *(evidence if near and not found else [])],
        nearest=near,
    )


# --- order ------------------------------------------------------------------------------------------------------------
def judge_order(ledger: Ledger, arguments: OrderArguments) -> Verdict:
    """The first match of each entry comes after the first match of the entry before.

    Positions are those on the wire: arrival at the harness's core subscription, else the server's time.
    """
    firsts = [next(iter(select(ledger, moment.subject, moment.where)), None) for moment in arguments.sequence]
    expected = "in this order: " + ", then ".join(map(str, arguments.sequence))
    evidence = [
        of_message(ledger, message, f"first match of entry {number}")
        for number, message in enumerate(firsts, start=1)
        if message is not None
    ][:10]
    missing = [number for number, message in enumerate(firsts) if message is None]
    if missing:
        return _incomplete(ledger, arguments, missing, expected, evidence)
    inversions = [
        _inversion(number, before, after)
        for number, (before, after) in enumerate(pairwise(firsts), start=1)
        if before is not None and after is not None and _place(after) <= _place(before)
    ]
    present = [message for message in firsts if message is not None]
    return verdict(
        not inversions,
        expected=expected,
        observed="; ".join(inversions) or "each after the one before: " + ", ".join(clock(m.at) for m in present),
        evidence=evidence,
        nearest="" if inversions else _closest(present),
    )


def _place(message: Message) -> tuple[float, int]:
    return message.at, message.index


def _incomplete(
    ledger: Ledger, arguments: OrderArguments, missing: list[int], expected: str, evidence: list[Evidence]
) -> Verdict:
    absent = arguments.sequence[missing[0]]
    near, more = nearest_miss(ledger, absent.subject, absent.where)
    entries = "; ".join(f"entry {number + 1}: no message {arguments.sequence[number]}" for number in missing[:5])
    return failed(expected=expected, observed=entries, evidence=[*evidence, *more], nearest=near)


def _inversion(number: int, before: Message, after: Message) -> str:
    if before.index == after.index:
        return f"entries {number} and {number + 1} are one message, {short(after.subject)}"
    gap = format_duration(before.at - after.at)
    return f"entry {number + 1} ({short(after.subject)}) came {gap} before entry {number} ({short(before.subject)})"


def _closest(messages: list[Message]) -> str:
    gaps = [(after.at - before.at, number) for number, (before, after) in enumerate(pairwise(messages), 1)]
    if not gaps:
        return ""
    gap, number = min(gaps)
    return f"closest were entries {number} and {number + 1}, {format_duration(gap)} apart"  # fmt: skip


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "message",
        "There are messages on a subject, as many as given, with the given content.",
        MessageArguments,
        judge_message,
        "- id: roy-done\n"
        "  claim: Roy reports the work as complete, once\n"
        "  check: message\n"
        "  with: {subject: results.roy.REQ-042, where: {status: COMPLETE}, count: 1}",
        growth_can_break=lambda arguments: arguments.count.has_upper_limit,
        holds_of_nothing=lambda arguments: arguments.count.holds(0),
        vacuous=_message_vacuous,
        kills=("deliverables.core-publish", "orchestrator.silent-exit"),
    ),
    Check(
        "never",
        "No message on a subject has the given content.",
        NeverArguments,
        judge_never,
        "- id: no-escalation\n"
        "  claim: Nothing is escalated\n"
        "  check: never\n"
        "  with: {subject: agog.strategic.escalations.>}",
        growth_can_break=lambda _: True,
        holds_of_nothing=lambda _: True,
        vacuous=lambda arguments: _says_nothing(arguments.where),
        kills=("orchestrator.ignore-rejection",),
    ),
    Check(
        "order",
        "The first messages of several kinds come in the given order.",
        OrderArguments,
        judge_order,
        "- id: critique-first\n"
        "  claim: Roy starts only after Sylvia's critique is on the stream\n"
        "  check: order\n"
        "  with:\n"
        "    sequence:\n"
        "      - {subject: agog.deliverables.sylvia.critique.customer-search}\n"
        "      - {subject: agog.deliverables.roy.backend.customer-search}",
        vacuous=lambda arguments: next(
            (why for moment in arguments.sequence if (why := _says_nothing(moment.where))), None
        ),
        kills=("orchestrator.start-all-at-once",),
    ),
)
