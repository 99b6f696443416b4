"""Claims about agents being started: `spawn`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, StringConstraints

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence import reports
from pytest_agog.checks.evidence.orchestrated import Spawn, of_spawn, spawns_of, unreadable
from pytest_agog.checks.evidence.telling import MAX_EVIDENCE, clock, close_names, listed, of_message, short
from pytest_agog.checks.messages import AT_LEAST_ONE
from pytest_agog.errors import InvalidToken
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.values import Bound, Strict, plural
from pytest_agog.wire import subjects

Text = Annotated[str, StringConstraints(min_length=1)]


def _token(value: str) -> str:
    try:
        return subjects.token(value)
    except InvalidToken as error:
        raise ValueError(str(error)) from None


class SpawnArguments(Strict):
    """Which spawns (all without requirement and agent), and what is claimed of them."""

    requirement: Text | None = None
    """Spawns for this requirement (in a chain: the feature)."""
    agent: Text | None = None
    """Spawns of this agent."""
    count: Count | None = None
    """How many there are; at least one without it."""
    once: Literal[True] | None = None
    """No attempt at a stage is started twice."""
    after: tuple[Annotated[str, AfterValidator(_token)], ...] = ()
    """Agents whose deliverables for the same requirement are on the stream before each of these spawns."""
    tokens: Count | None = None
    """Tokens of what each single agent is told."""

    @property
    def bound(self) -> Bound:
        """How many there must be."""
        return AT_LEAST_ONE if self.count is None else self.count


def judge_spawn(ledger: Ledger, arguments: SpawnArguments) -> Verdict:
    """As many spawns as given, none twice, each after what it needs, each as small as given."""
    everything = spawns_of(ledger)
    found = [spawn for spawn in everything if _selected(arguments, spawn)]
    expected = _expected(arguments)
    if not found and not arguments.bound.holds(0):
        return nothing_to_judge(
            expected, f"no such spawn was seen, of {plural(len(everything), 'spawn')}",
            evidence=[of_message(ledger, message, "no JSON object") for message in unreadable(ledger)[:2]],
            nearest=_instead(ledger, arguments, everything),
        )  # fmt: skip
    problems: list[str] = []
    evidence: list[Evidence] = []
    told = plural(len(found), "spawn") + (f": {listed(map(str, found), 4)}" if found else "")
    if not arguments.bound.holds(len(found)):
        problems.append(told)
        evidence += [of_spawn(ledger, spawn) for spawn in found[:MAX_EVIDENCE]]
    if arguments.once:
        wrong, shown = _repeated(ledger, found)
        problems += wrong
        evidence += shown
    wrong, shown = _too_early(ledger, found, arguments.after)
    problems += wrong
    evidence += shown
    wrong, shown = _sizes(ledger, found, arguments.tokens)
    problems += wrong
    evidence += shown
    return verdict(
        not problems,
        expected=expected,
        observed="; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "") or told,
        evidence=(evidence or [of_spawn(ledger, spawn) for spawn in found[:3]])[:MAX_EVIDENCE],
        nearest="" if arguments.bound.holds(len(found)) else _others(ledger, arguments, everything),
    )


def _selected(arguments: SpawnArguments, spawn: Spawn) -> bool:
    if arguments.agent is not None and (spawn.agent or "").casefold() != arguments.agent.casefold():
        return False
    return arguments.requirement in (None, spawn.requirement)


def _expected(arguments: SpawnArguments) -> str:
    whose = f" of {short(arguments.agent)}" if arguments.agent else ""
    what = f" for {short(arguments.requirement)}" if arguments.requirement else ""
    parts = [f"{arguments.bound} spawns{whose}{what}"]
    parts += ["no attempt started twice"] if arguments.once else []
    parts += [f"each after the deliverables of {listed(arguments.after)}"] if arguments.after else []
    parts += [f"each told {arguments.tokens} tokens"] if arguments.tokens is not None else []
    return ", ".join(parts)


def _instead(ledger: Ledger, arguments: SpawnArguments, everything: Sequence[Spawn]) -> str:
    """What there is where nothing fits."""
    if arguments.requirement is not None:
        known = {spawn.requirement or "" for spawn in everything} - {"", arguments.requirement}
        if near := close_names(arguments.requirement, known):
            return f"did you mean {listed(near)}?"
    return _others(ledger, arguments, everything)


def _others(ledger: Ledger, arguments: SpawnArguments, everything: Sequence[Spawn]) -> str:
    """What does not count."""
    if odd := len(unreadable(ledger)):
        return f"{plural(odd, 'message')} on stage.started {'is' if odd == 1 else 'are'} no JSON object"
    others = [spawn for spawn in everything if not _selected(arguments, spawn)]
    return f"spawned were also {listed(map(str, others), 4)}" if others else ""


# --- once -------------------------------------------------------------------------------------------------------------
def _repeated(ledger: Ledger, found: Sequence[Spawn]) -> tuple[list[str], list[Evidence]]:
    """Attempts that were started more than once, and spawns of which nobody can tell."""
    nameless = [spawn for spawn in found if None in spawn.key]
    counted = Counter(spawn.key for spawn in found if None not in spawn.key)
    again = [key for key, times in counted.items() if times > 1]
    problems = [
        f"attempt {attempt} at {short(stage or '')} of {short(requirement or '')} was started {counted[key]} times"
        for key in again
        for requirement, stage, attempt in (key,)
    ]
    if nameless:
        problems.append(
            f"{plural(len(nameless), 'spawn')} without requirement, stage or attempt, so nobody can tell whether it is "
            "a repetition"
        )
    shown = [spawn for spawn in found if spawn.key in again[:2]][:4] + nameless[:2]
    return problems, [of_spawn(ledger, spawn) for spawn in shown]


# --- after ------------------------------------------------------------------------------------------------------------
def _too_early(ledger: Ledger, found: Sequence[Spawn], after: Sequence[str]) -> tuple[list[str], list[Evidence]]:
    """Spawns before which a deliverable was missing."""
    problems: list[str] = []
    evidence: list[Evidence] = []
    for spawn in found if after else ():
        for agent in after:
            reason, shown = _missing(ledger, spawn, agent)
            if reason:
                problems.append(f"{spawn} was started {reason}")
                evidence += [of_spawn(ledger, spawn), *shown]
    return problems, evidence


def _missing(ledger: Ledger, spawn: Spawn, agent: str) -> tuple[str, list[Evidence]]:
    """Why a deliverable of `agent` was not there yet; empty when it was."""
    try:
        pattern = f"{subjects.DELIVERABLES}.{agent}.*.{subjects.token(spawn.requirement or '')}"
    except InvalidToken:
        return f"for no requirement, so nothing of {agent} can belong to it", []
    stored = ledger.messages(pattern)
    before = [message for message in stored if (message.at, message.index) < (spawn.at, spawn.index)]
    read = [reports.read(ledger, message) for message in before]
    if any(report.text.strip() and not reports.is_notice(report) for report in read):
        return "", []
    if before:
        why = read[-1].reason or ("it is a completion notice" if reports.is_notice(read[-1]) else "it is empty")
        return f"before there was a report of {agent}: {short(why)}", [of_message(ledger, before[-1], "no report")]
    if stored:
        late = stored[0]
        gap = max(late.at - spawn.at, 0.0)
        return f"{gap:.3f} s before the deliverable of {agent}, which came at {clock(late.at)}", [
            of_message(ledger, late, "came later")
        ]
    return f"without a deliverable of {agent}: no stream holds one", []


# --- tokens -----------------------------------------------------------------------------------------------------------
def _sizes(ledger: Ledger, found: Sequence[Spawn], bound: Bound | None) -> tuple[list[str], list[Evidence]]:
    if bound is None:
        return [], []
    counted = [(ledger.tokens(spawn.prompt), spawn) for spawn in found]
    wrong = [(tokens, spawn) for tokens, spawn in counted if not bound.holds(tokens)]
    return [f"{spawn} is told {tokens:,} tokens" for tokens, spawn in wrong], [
        of_spawn(ledger, spawn, f"{tokens:,} tokens") for tokens, spawn in wrong[:3]
    ]


def _can_break(arguments: SpawnArguments) -> bool:
    return bool(
        arguments.bound.has_upper_limit or arguments.once or arguments.after or arguments.tokens is not None
    )  # fmt: skip


def _vacuous(arguments: SpawnArguments) -> str | None:
    """A limit that holds for anything is told of by lint itself, unless something else is asked."""
    if arguments.count is None or not arguments.count.cannot_fail:
        return None
    asks = arguments.once or arguments.after or arguments.tokens is not None
    return None if asks else f"count: {arguments.count} holds for any number of spawns"


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "spawn",
        "Agents are started as often as given, no attempt twice, after the deliverables that they need, in few tokens.",
        SpawnArguments,
        judge_spawn,
        "- id: roy-once\n"
        "  claim: Roy is started once, when research and critique are on the stream\n"
        "  check: spawn\n"
        "  with: {requirement: REQ-042, agent: roy, count: 1, once: true, after: [cynthia, sylvia]}",
        growth_can_break=_can_break,
        holds_of_nothing=lambda arguments: arguments.bound.holds(0),
        vacuous=_vacuous,
        kills=("orchestrator.double-spawn", "orchestrator.start-all-at-once"),
    ),
)
