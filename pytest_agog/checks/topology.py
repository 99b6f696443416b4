"""Claims about streams and consumers as the server reports them: `stream`, `consumer`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from pytest_agog.checks.base import Check, Evidence, Verdict, failed, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence.selecting import SubjectPattern
from pytest_agog.checks.evidence.telling import close_names, listed, short, shown
from pytest_agog.ledger.answers import ConsumerSeen, StreamSeen
from pytest_agog.ledger.facts import Barrier, Baseline
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import ConsumerProbe, StreamProbe
from pytest_agog.values import Bound, Duration, Strict, format_duration, format_size, parse_size, plural


def _limit(value: object) -> int:
    return -1 if value == -1 and not isinstance(value, bool) else parse_size(value)


SizeLimit = Annotated[
    int,
    BeforeValidator(_limit),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": -1}, {"type": "string"}], "description": "10MB, 5GiB; -1 is no limit"}
    ),
]
"""A size in bytes; -1 is no limit."""


class StreamArguments(Strict):
    """A stream, and what its definition and state must be. Only what is given is compared."""

    name: str = Field(min_length=1)
    """The stream's name."""
    subjects: tuple[SubjectPattern, ...] | None = None
    """Exactly these subjects, in any order."""
    retention: Literal["limits", "interest", "workqueue"] | None = None
    """When messages may go: at the limits, when all consumers have acked, or when one has."""
    max_age: Duration | None = None
    """How long messages stay; 0 is for ever."""
    max_msgs: int | None = Field(default=None, ge=-1)
    """How many messages stay; -1 is no limit."""
    max_bytes: SizeLimit | None = None
    """How many bytes stay; -1 is no limit."""
    max_msg_size: SizeLimit | None = None
    """The largest message; -1 is no limit."""
    storage: Literal["file", "memory"] | None = None
    """Where messages are kept."""
    replicas: int | None = Field(default=None, ge=1, le=5)
    """How many servers hold a copy."""
    duplicate_window: Duration | None = None
    """How long message ids are remembered."""
    messages: Count | None = None
    """How many messages it holds; those from before the play do not count."""


class ConsumerArguments(Strict):
    """A durable consumer, and what its definition and state must be. Only what is given is compared."""

    stream: str = Field(min_length=1)
    """The stream that it reads."""
    name: str = Field(min_length=1)
    """The consumer's name."""
    ack_policy: Literal["none", "all", "explicit"] | None = None
    """How deliveries are acknowledged."""
    filter: SubjectPattern | tuple[SubjectPattern, ...] | None = None
    """Exactly this subject filter; several as a list, in any order."""
    max_ack_pending: int | None = Field(default=None, ge=-1)
    """How many deliveries may wait for their ack; -1 is no limit."""
    pending: Count | None = None
    """Messages that are not delivered yet."""
    ack_pending: Count | None = None
    """Messages that are delivered and wait for their ack."""
    redelivered: Count | None = None
    """Messages that were delivered more than once and wait for their ack."""


@dataclass(frozen=True)
class _Compared:
    """One argument against what the server says."""

    name: str
    wanted: str
    seen: str
    holds: bool


def _same(name: str, wanted: Any, seen: Any, form: Any = shown) -> _Compared:
    if isinstance(wanted, float) and isinstance(seen, (int, float)):
        return _Compared(name, form(wanted), form(seen), abs(wanted - seen) < 1e-6)
    return _Compared(name, form(wanted), form(seen), wanted == seen and seen is not None)


def _same_set(name: str, wanted: Sequence[str], seen: Sequence[str]) -> _Compared:
    return _Compared(name, listed(sorted(wanted)), listed(sorted(seen)), set(wanted) == set(seen))


def _within(name: str, bound: Bound, seen: Any) -> _Compared:
    known = isinstance(seen, (int, float))
    return _Compared(name, str(bound), f"{seen:g}" if known else "unknown", known and bound.holds(seen))


def _age(seconds: Any) -> str:
    if not isinstance(seconds, (int, float)):
        return "nothing"
    return format_duration(seconds) if seconds else "for ever"


def _bytes(size: Any) -> str:
    if not isinstance(size, (int, float)):
        return "nothing"
    return "no limit" if size < 0 else format_size(int(size))


def _of(config: dict[str, Any], *names: str, default: Any = None) -> Any:
    return next((config[name] for name in names if config.get(name) is not None), default)


def _judged(what: str, rows: Sequence[_Compared], evidence: Evidence) -> Verdict:
    wrong = [row for row in rows if not row.holds]
    wanted = "; ".join(f"{row.name} {row.wanted}" for row in rows)
    if wrong:
        observed = "; ".join(f"{row.name} is {row.seen}" for row in wrong)
    else:
        observed = "; ".join(f"{row.name} is {row.seen}" for row in rows) or "it exists"
    return verdict(
        not wrong,
        expected=f"{what} with {wanted}" if rows else f"{what} exists",
        observed=observed,
        evidence=[evidence],
        nearest=f"{len(rows) - len(wrong)} of {len(rows)} are as claimed" if wrong else "",
    )


# --- stream -----------------------------------------------------------------------------------------------------------
def judge_stream(ledger: Ledger, arguments: StreamArguments) -> Verdict:
    """Compare each given argument with the stream's definition and state; subjects as a set."""
    what = f"stream {arguments.name}"
    seen = ledger.answer(StreamProbe(arguments.name).key, StreamSeen)
    if seen is None or seen.reason:
        return nothing_to_judge(f"{what} exists", _not_looked_up(what, seen))
    if not seen.exists:
        return _missing(what, arguments.name, _known_streams(ledger))
    rows = _stream_rows(arguments, seen.config)
    held = seen.state.get("messages")
    note = ""
    if arguments.messages is not None:
        before = _from_before(ledger, seen)
        rows.append(_within("messages", arguments.messages, held - before if isinstance(held, int) else None))
        note = f", {before:,} of them from before the play" if before else ""
    text = f"stream {seen.stream}: {plural(held, 'message') if isinstance(held, int) else '? messages'}{note}"
    return _judged(what, rows, Evidence("stream", None, text, _table(seen.config, seen.state), {"stream": seen.stream}))


def _stream_rows(arguments: StreamArguments, config: dict[str, Any]) -> list[_Compared]:
    rows = []
    if arguments.subjects is not None:
        rows.append(_same_set("subjects", arguments.subjects, config.get("subjects") or ()))
    if arguments.retention is not None:
        rows.append(_same("retention", arguments.retention, _of(config, "retention")))
    if arguments.storage is not None:
        rows.append(_same("storage", arguments.storage, _of(config, "storage")))
    if arguments.replicas is not None:
        rows.append(_same("replicas", arguments.replicas, _of(config, "num_replicas", "replicas")))
    if arguments.max_msgs is not None:
        rows.append(_same("max_msgs", arguments.max_msgs, _of(config, "max_msgs", default=-1)))
    if arguments.max_age is not None:
        rows.append(_same("max_age", arguments.max_age, _of(config, "max_age", default=0), _age))
    if arguments.duplicate_window is not None:
        rows.append(
            _same("duplicate_window", arguments.duplicate_window, _of(config, "duplicate_window", default=0), _age)
        )
    if arguments.max_bytes is not None:
        rows.append(_same("max_bytes", arguments.max_bytes, _of(config, "max_bytes", default=-1), _bytes))
    if arguments.max_msg_size is not None:
        rows.append(_same("max_msg_size", arguments.max_msg_size, _of(config, "max_msg_size", default=-1), _bytes))
    return rows  # fmt: skip


def _from_before(ledger: Ledger, seen: StreamSeen) -> int:
    """How many of the stream's messages were there before the play, and were not published again by it. [X4]"""
    last = next((item.fact.last_sequence for item in ledger.of(Baseline) if item.fact.stream == seen.stream), 0)
    first, held = int(seen.state.get("first_seq", 0)), int(seen.state.get("messages", 0))
    if not last or not held:
        return 0
    again = sum(first <= (message.sequence or 0) <= last for message in ledger.in_stream(seen.stream))
    deleted = sum(first <= int(sequence) <= last for sequence in seen.state.get("deleted") or ())
    return max(0, min(last - first + 1 - deleted, held) - again)


def _known_streams(ledger: Ledger) -> list[str]:
    known = dict(ledger.stream_subjects())
    for barrier in ledger.of(Barrier)[-1:]:
        known |= dict.fromkeys(barrier.fact.sequences, ())
    return sorted(known)


def _not_looked_up(what: str, seen: StreamSeen | ConsumerSeen | None) -> str:
    return f"{what} was not looked up" + (f": {short(seen.reason)}" if seen is not None else "")


def _missing(what: str, name: str, known: Sequence[str]) -> Verdict:
    close = close_names(name, known)
    return failed(
        expected=f"{what} exists",
        observed=f"there is no {what}; there are: {listed(known, 20)}",
        nearest=f"did you mean {listed(close)}?" if close else "",
    )


def _table(*parts: dict[str, Any]) -> str:
    """Definition and state as short lines; what is nested or empty is left out."""
    pairs = [f"{key}={shown(value, 60)}" for part in parts for key, value in part.items() if _worth_telling(value)]
    return "\n".join(", ".join(pairs[start : start + 5]) for start in range(0, min(len(pairs), 50), 5))


def _worth_telling(value: object) -> bool:
    return value not in (None, "", [], (), {}) and not isinstance(value, dict)


# --- consumer ---------------------------------------------------------------------------------------------------------
def judge_consumer(ledger: Ledger, arguments: ConsumerArguments) -> Verdict:
    """Compare each given argument with the consumer's definition and state."""
    what = f"consumer {arguments.name} of stream {arguments.stream}"
    seen = ledger.answer(ConsumerProbe(arguments.stream, arguments.name).key, ConsumerSeen)
    if seen is None or seen.reason:
        return nothing_to_judge(f"{what} exists", _not_looked_up(what, seen))
    if not seen.exists:
        facts = ledger.of(ConsumerSeen)
        known = sorted({f"{item.fact.stream}/{item.fact.consumer}" for item in facts if item.fact.exists})
        return _missing(what, f"{arguments.stream}/{arguments.name}", known)
    rows = []
    if arguments.ack_policy is not None:
        rows.append(_same("ack_policy", arguments.ack_policy, _of(seen.config, "ack_policy")))
    if arguments.filter is not None:
        wanted = (arguments.filter,) if isinstance(arguments.filter, str) else arguments.filter
        rows.append(_same_set("filter", wanted, _filters(seen.config)))
    if arguments.max_ack_pending is not None:
        rows.append(_same("max_ack_pending", arguments.max_ack_pending, _of(seen.config, "max_ack_pending")))
    for name, bound in (("pending", arguments.pending), ("ack_pending", arguments.ack_pending)):
        if bound is not None:
            rows.append(_within(name, bound, seen.state.get(f"num_{name}")))
    if arguments.redelivered is not None:
        rows.append(_within("redelivered", arguments.redelivered, seen.state.get("num_redelivered")))
    counts = ", ".join(f"{name} {seen.state[name]}" for name in _COUNTS if name in seen.state)
    details = {"stream": seen.stream, "consumer": seen.consumer}
    return _judged(
        what, rows, Evidence("consumer", None, f"{what}: {counts}", _table(seen.config, seen.state), details)
    )


_COUNTS = ("num_pending", "num_ack_pending", "num_redelivered")


def _filters(config: dict[str, Any]) -> Sequence[str]:
    single = config.get("filter_subject")
    return [single] if single else config.get("filter_subjects") or ()


def _consumer_can_break(arguments: ConsumerArguments) -> bool:
    """After the play `pending` only falls, so an upper limit on it is safe; what is in delivery may rise until then."""
    drained = arguments.pending is not None and arguments.pending.holds(0) and not arguments.pending.holds(1)
    pending_falls = arguments.pending is not None and not arguments.pending.holds(0)
    in_delivery = arguments.ack_pending is not None and not drained
    return pending_falls or in_delivery or (arguments.redelivered is not None and arguments.redelivered.has_upper_limit)


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "stream",
        "A stream exists, and its definition and state are as given.",
        StreamArguments,
        judge_stream,
        "- id: research-stream\n"
        "  claim: Research is kept for seven days, 10 MB a message\n"
        "  check: stream\n"
        "  with:\n"
        "    {name: agog_features_research, subjects: [agog.deliverables.cynthia.>], max_age: 7d, max_msg_size: 10MB}",
        probes=lambda arguments: (StreamProbe(arguments.name),),
        growth_can_break=lambda arguments: arguments.messages is not None and arguments.messages.has_upper_limit,
        kills=("deliverables.stream-missing", "deliverables.stream-wrong-subjects"),
    ),
    Check(
        "consumer",
        "A durable consumer exists, and its definition and state are as given.",
        ConsumerArguments,
        judge_consumer,
        "- id: roy-listens\n"
        "  claim: Backend work goes to roy alone, with explicit acks\n"
        "  check: consumer\n"
        "  with:\n"
        "    {stream: REQUIREMENTS, name: roy-backend, filter: requirements.backend.>, ack_policy: explicit}",
        probes=lambda arguments: (ConsumerProbe(arguments.stream, arguments.name),),
        growth_can_break=_consumer_can_break,
        kills=("orchestrator.ack-before-work",),
    ),
)
