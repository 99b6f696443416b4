"""Claims about loss: `no_loss`, with the durability grade that says against what it was tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.evidence import accounting
from pytest_agog.checks.evidence.accounting import Accounting, Lost
from pytest_agog.checks.evidence.selecting import SubjectPattern
from pytest_agog.checks.evidence.telling import clock, excerpt, listed, of_messages, short
from pytest_agog.ledger.answers import ConsumerSeen, StreamSeen
from pytest_agog.ledger.facts import Barrier, ComponentActed, ServerSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.values import Strict, format_duration, plural

Grade = Literal["process-crash", "power-loss", "replica-loss"]
POWER_LOSS: Final = "power loss"
"""What the detail of a ComponentActed says when the data directory was cut back to what was fsynced."""


class NoLossArguments(Strict):
    """Which publishes, and against what the claim must have been tested."""

    subjects: tuple[SubjectPattern, ...] | None = Field(default=None, min_length=1)
    """Only publishes on these subjects (NATS wildcards); all without it."""
    grade: Grade | None = None
    """What the run must have survived. Without it: whatever was played, and the verdict says what that was."""


@dataclass(frozen=True)
class Durability:
    """Against what a run was tested, and what keeps its result from meaning more."""

    crashes: int
    """Times that nats-server was killed after something was acknowledged."""
    power_losses: int
    replica_losses: int
    """Times that some, but not all, servers of a cluster were killed."""
    hazards: tuple[str, ...]
    """What could lose acknowledged messages in a power loss."""
    unreplicated: tuple[str, ...]
    """Streams of a cluster with fewer than three copies."""

    def __str__(self) -> str:
        shown = [
            f"{name} ({count}x)"
            for name, count in (
                ("process crash", self.crashes),
                (POWER_LOSS, self.power_losses),
                ("replica loss", self.replica_losses),
            )
            if count
        ]
        return f"tested against {', '.join(shown)}" if shown else "no crash was played"


def judge_no_loss(ledger: Ledger, arguments: NoLossArguments) -> Verdict:
    """Nothing that was acknowledged is lost, and nothing is stored twice; see `checks.accounting`.

    What nobody attempted is reported and does not fail the claim: agents publish with clients of their own.
    """
    where = f" on {listed(arguments.subjects)}" if arguments.subjects else ""
    expected = f"no acknowledged message{where} is lost, none is stored twice"
    if arguments.grade is not None:
        expected += f", shown for {arguments.grade.replace('-', ' ')}"
    told = accounting.account_for(ledger, arguments.subjects)
    tested = ledger.derived(("durability", arguments.subjects), lambda: durability(ledger, told))
    if not told.acked:
        return nothing_to_judge(expected, _nothing(told), evidence=[_summary(told, tested)])
    problems = _problems(told)
    if _unseen_since(ledger):
        problems.append("nats-server was killed and not started again, so nobody saw what it kept")
    if arguments.grade is not None and (reason := short_of(arguments.grade, tested)):
        problems.append(f"grade {arguments.grade} is not shown: {reason}")
    fine = f"{len(told.acked):,} acknowledged, {told.observed:,} in the streams, 0 lost"
    observed = "; ".join(problems) or fine
    if str(tested) not in observed:
        observed += f"; {tested}"
    return verdict(
        not problems,
        expected=expected,
        observed=observed,
        evidence=[
            _summary(told, tested),
            *(_told_loss(ledger, loss) for loss in told.lost[:5]),
            *of_messages(ledger, told.duplicated, limit=3),
            *_states(ledger, told),
        ],
        nearest=_nearest(told),
    )


def _nothing(told: Accounting) -> str:
    if not told.attempted:
        return "nothing was published"
    return f"{told.attempted:,} published, none with an acknowledgement"


def _problems(told: Accounting) -> list[str]:
    problems = []
    if told.lost:
        parts = [f"{sum(loss.part == part for loss in told.lost):,} {part}" for part in ("prefix", "middle", "suffix")]
        problems.append(
            f"{len(told.lost):,} of {len(told.acked):,} acknowledged lost ({', '.join(parts)}): {told.lost[0].why}"
        )
    if told.duplicated:
        problems.append(f"{plural(len(told.duplicated), 'message')} stored twice")
    return problems  # fmt: skip


def _unseen_since(ledger: Ledger) -> bool:
    """Whether all of NATS was taken away and the streams were never seen again."""
    acts = [item for item in ledger.of(ComponentActed) if item.fact.component == "nats"]
    if not acts or acts[-1].fact.action != "killed":
        return False
    barriers = ledger.of(Barrier)
    return not barriers or barriers[-1].index < acts[-1].index


def _nearest(told: Accounting) -> str:
    if told.unknown:
        silent = plural(len(told.unknown), "publish", "publishes")
        return f"{silent} without acknowledgement, {told.unknown_observed} of them stored"
    return ""


# --- grade ------------------------------------------------------------------------------------------------------------
def durability(ledger: Ledger, told: Accounting) -> Durability:
    """What the run tested, and the hazards of its configuration."""
    first_ack = min((attempt.acked_at for attempt in told.acked), default=None)
    servers = max((item.fact.servers for item in ledger.of(ServerSeen)), default=1)
    crashes = power = replica = 0
    down: set[str] = set()
    for item in ledger.of(ComponentActed):
        fact = item.fact
        if fact.component.partition("-")[0] != "nats":
            continue
        if fact.action in ("started", "restarted"):
            down = set() if fact.component == "nats" else down - {fact.component}
        elif fact.action == "killed" and first_ack is not None and item.index > first_ack:
            down.add(fact.component)
            if POWER_LOSS in fact.detail:
                power += 1
            elif fact.detail in ("", "KILL"):
                crashes += 1
                replica += servers > 1 and "nats" not in down and len(down) < servers
    seen = {item.fact.stream: item.fact for item in ledger.of(StreamSeen) if item.fact.exists}
    concerned = [seen[name] for name in told.streams if name in seen]
    single = tuple(
        f"{stream.stream} has {copies} of 3 copies"
        for stream in concerned
        if (copies := stream.config.get("num_replicas") or stream.config.get("replicas") or 1) < 3
    )
    return Durability(crashes, power, replica, tuple(_hazards(ledger, told, concerned)), single)


def _hazards(ledger: Ledger, told: Accounting, concerned: list[StreamSeen]) -> list[str]:
    servers = {item.fact.url: item.fact for item in ledger.of(ServerSeen)}
    found = []
    if not servers:
        found.append("the server's configuration was not seen")
    elif not all(server.sync_always for server in servers.values()):
        found.append("nats-server acknowledges before it syncs to disk (sync_interval is not always)")
    unseen = sorted(set(told.streams) - {stream.stream for stream in concerned})
    found += [f"the configuration of stream {name} was not seen" for name in unseen]
    for stream in concerned:
        config = stream.config
        if config.get("storage") == "memory":
            found.append(f"{stream.stream} is kept in memory")
        if config.get("persist_mode") == "async":
            found.append(f"{stream.stream} has persist_mode async")
        if config.get("no_ack"):
            found.append(f"{stream.stream} has no_ack")
        if config.get("discard") in (None, "old"):
            found += _reachable_limits(ledger, told, stream)
    return found


def _reachable_limits(ledger: Ledger, told: Accounting, stream: StreamSeen) -> list[str]:
    """Limits at which discard-old drops what this run acknowledged."""
    own = [attempt for attempt in told.acked if attempt.ack is not None and attempt.ack.stream == stream.stream]
    published = sum(len(ledger.payloads[attempt.fact.payload]) for attempt in own)
    per_subject: dict[str, int] = {}
    for attempt in own:
        per_subject[attempt.fact.subject] = per_subject.get(attempt.fact.subject, 0) + 1
    span = ledger[len(ledger) - 1].at - ledger[own[0].index].at if own else 0.0
    config, state = stream.config, stream.state
    reached = []
    if 0 < config.get("max_msgs", -1) <= max(len(own), state.get("messages", 0)):
        reached.append(f"max_msgs {config['max_msgs']}")
    if 0 < config.get("max_bytes", -1) <= max(published, state.get("bytes", 0)):
        reached.append(f"max_bytes {config['max_bytes']}")
    if 0 < config.get("max_msgs_per_subject", -1) < max(per_subject.values(), default=0):
        reached.append(f"max_msgs_per_subject {config['max_msgs_per_subject']}")
    if 0 < (config.get("max_age") or 0) <= span:
        reached.append(f"max_age {format_duration(config['max_age'])}")
    return [f"{stream.stream} discards old messages at {limit}, which the run could reach" for limit in reached]


def short_of(grade: Grade, tested: Durability) -> str | None:
    """Why the run does not show `grade`, or None when it does."""
    if grade == "process-crash":
        return None if tested.crashes or tested.power_losses else "nats-server was not killed after a publish"
    if grade == "replica-loss":
        if not tested.replica_losses:
            return "no single server of a cluster was killed after a publish"
        return listed(tested.unreplicated) if tested.unreplicated else None
    reasons = list(tested.hazards)
    if not tested.power_losses:
        played = "only a process crash was played" if tested.crashes else "no crash was played"
        reasons.insert(
            0, f"{played}, no power loss was simulated, and a killed process leaves its writes to the kernel"
        )
    return "; ".join(reasons) or None


# --- evidence ---------------------------------------------------------------------------------------------------------
def _summary(told: Accounting, tested: Durability) -> Evidence:
    counts = {
        "attempted": told.attempted,
        "acked": len(told.acked),
        "observed": told.observed,
        "committed": told.committed,
        "lost": len(told.lost),
        "duplicated": len(told.duplicated),
        "unexpected": len(told.unexpected),
        "unknown": len(told.unknown),
        "core": told.core,
    }
    lines = [f"{tested}; suppressed as duplicates: {told.suppressed}"]
    lines += [f"cannot show power loss: {hazard}" for hazard in tested.hazards[:6]]
    if told.unexpected:
        examples = listed(dict.fromkeys(message.subject for message in told.unexpected), 3)
        lines.append(f"unexpected (published by a client that the harness does not watch): {examples}")
    text = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return Evidence("loss", None, text, excerpt("\n".join(lines)), dict(counts))


def _told_loss(ledger: Ledger, loss: Lost) -> Evidence:
    fact, ack = loss.attempt.fact, loss.attempt.ack
    assert ack is not None
    at = ledger[loss.attempt.index].at
    details = {"subject": fact.subject, "stream": ack.stream, "sequence": ack.sequence, "sha256": fact.payload}
    text = f"lost ({loss.part}): {short(fact.subject)} · {loss.why} · published by {short(fact.by)} · {clock(at)}"
    body = excerpt(ledger.payloads[fact.payload][:20_000].decode("utf-8", "replace"), lines=3)
    return Evidence("message", at, text, body, details)


def _states(ledger: Ledger, told: Accounting) -> list[Evidence]:
    """What streams and consumers say of themselves, to reconcile the account with."""
    latest = {item.fact.stream: item.fact for item in ledger.of(StreamSeen) if item.fact.stream in told.streams}
    lines = [
        f"{name}: messages {seen.state.get('messages', '?')}, first {seen.state.get('first_seq', '?')}, "
        f"last {seen.state.get('last_seq', '?')}"
        for name, seen in latest.items()
    ]
    consumers = {(item.fact.stream, item.fact.consumer): item.fact for item in ledger.of(ConsumerSeen)}
    for (stream, name), consumer in consumers.items():
        if stream in told.streams and consumer.exists:
            floor = (consumer.state.get("ack_floor") or {}).get("stream_seq", "?")
            lines.append(
                f"{stream}/{name}: ack floor {floor}, pending {consumer.state.get('num_pending', '?')}, "
                f"redelivered {consumer.state.get('num_redelivered', '?')}"
            )
    return [Evidence("stream", None, "what the server says", excerpt("\n".join(lines)))] if lines else []


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "no_loss",
        "Nothing that JetStream acknowledged is missing at the end, and nothing is stored twice.",
        NoLossArguments,
        judge_no_loss,
        "- id: nothing-lost\n"
        "  claim: Every acknowledged deliverable survives a killed server\n"
        "  check: no_loss\n"
        "  with: {subjects: [agog.deliverables.>], grade: process-crash}",
        growth_can_break=lambda _: True,
        kills=("nats.lose-unsynced", "deliverables.no-message-id"),
    ),
)
