"""The claim `lag`: how far a consumer is behind its stream, messages in delivery included."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import StringConstraints

from pytest_agog.checks.base import Check, Evidence, Verdict, failed, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence.telling import short
from pytest_agog.ledger.answers import ConsumerSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import ConsumerProbe
from pytest_agog.values import Strict

Text = Annotated[str, StringConstraints(min_length=1)]


class LagArguments(Strict):
    """A consumer, and how many messages it has not done with."""

    stream: Text
    """The stream."""
    consumer: Text
    """Its durable consumer."""
    pending_and_unacked: Count
    """Messages that were not delivered yet, and those that were delivered and not acknowledged."""


def judge_lag(ledger: Ledger, arguments: LagArguments) -> Verdict:
    """Pending and unacknowledged messages together: either alone is zero in some outage. [J25]"""
    what = f"consumer {short(arguments.consumer)} of stream {short(arguments.stream)}"
    expected = f"{what} has {arguments.pending_and_unacked} messages pending or unacknowledged"
    seen = ledger.answer(ConsumerProbe(arguments.stream, arguments.consumer).key, ConsumerSeen)
    if seen is None or seen.reason:
        why = f": {short(seen.reason)}" if seen is not None else ""
        return nothing_to_judge(expected, f"{what} was not looked up{why}")
    if not seen.exists:
        return failed(expected=expected, observed=f"there is no {what}")
    pending, unacked = int(seen.state.get("num_pending", 0)), int(seen.state.get("num_ack_pending", 0))
    observed = f"{pending + unacked:,}: {pending:,} pending and {unacked:,} unacknowledged"
    details = {"stream": seen.stream, "consumer": seen.consumer, "pending": pending, "ack_pending": unacked}
    evidence = [Evidence("consumer", None, f"{what}: {observed}", details=details)]
    holds = arguments.pending_and_unacked.holds(pending + unacked)
    return verdict(
        holds, expected=expected, observed=observed, evidence=evidence, nearest="" if holds else _when(seen, unacked)
    )


def _when(seen: ConsumerSeen, unacked: int) -> str:
    """What waits for nothing but time: a worker that is gone will not acknowledge what it was handed."""
    wait = seen.config.get("ack_wait")
    if not unacked or not isinstance(wait, (int, float)) or not wait:
        return ""
    return f"what was handed to a worker that is gone comes again {wait:g} s after that (ack_wait)"


def _can_break(arguments: LagArguments) -> bool:
    """After the play lag only falls, so an upper limit is safe and a lower one is not."""
    bound = arguments.pending_and_unacked
    return not bound.holds(0)


def _vacuous(arguments: LagArguments) -> str | None:
    bound = arguments.pending_and_unacked
    return f"pending_and_unacked: {bound} holds for any lag" if bound.cannot_fail else None


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "lag",
        "A consumer is so many messages behind, pending and unacknowledged ones together.",
        LagArguments,
        judge_lag,
        "- id: caught-up\n"
        "  claim: Ingest has done with every message\n"
        "  check: lag\n"
        "  with: {stream: agent-comms, consumer: jangar-agent-comms, pending_and_unacked: 0}\n"
        "  within: 5s",
        probes=lambda arguments: (ConsumerProbe(arguments.stream, arguments.consumer),),
        growth_can_break=_can_break,
        vacuous=_vacuous,
        kills=("comms.consumer-not-recreated",),
    ),
)
