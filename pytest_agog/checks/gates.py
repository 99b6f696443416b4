"""Claims about what the build gate said: `gate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence.orchestrated import Built, Judged, builds_of, judged_of
from pytest_agog.checks.evidence.telling import MAX_EVIDENCE, excerpt, listed, of_message, short
from pytest_agog.checks.requirements import RequirementId
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.values import Strict, plural


class GateArguments(Strict):
    """A requirement, and what the gate said of the work on it."""

    requirement: RequirementId
    """The requirement."""
    verdict: Literal["accepted", "rejected", "escalated"]
    """`accepted`: the last attempt at every stage that was judged. `rejected`, `escalated`: some attempt."""
    output_contains: Annotated[str, StringConstraints(min_length=1)] | None = None
    """What one of the commands printed then (or what was missing)."""
    attempts: Count | None = None
    """How many attempts the gate judged, all verdicts together."""


def judge_gate(ledger: Ledger, arguments: GateArguments) -> Verdict:
    """What gated results on `results.` say, as far as build events do not contradict them."""
    expected = _expected(arguments)
    judged, builds = judged_of(ledger, arguments.requirement), builds_of(ledger, arguments.requirement)
    if not judged:
        events = [of_message(ledger, built.message) for built in builds[:3]]
        near = f"{plural(len(builds), 'build event')} of it, but a verdict stands in a result" if builds else _ungated(
            ledger, arguments.requirement
        )  # fmt: skip
        return nothing_to_judge(
            expected, f"no result of {arguments.requirement} carries a gate", evidence=events, nearest=near
        )
    problems: list[str] = []
    chosen = _chosen(judged, arguments)
    if not chosen or (arguments.verdict == "accepted" and len(chosen) < len(_last(judged))):
        problems.append(f"the gate said: {listed(map(_named, judged), 6)}")
    printed = [output for one in chosen for output in _outputs(one, builds)]
    wanted = arguments.output_contains
    if wanted is not None and chosen and not any(wanted in output for output in printed):
        problems.append(f"nothing that was printed then contains {short(wanted)!r}")
    attempts = {(one.stage or one.agent, one.attempt) for one in judged}
    if arguments.attempts is not None and not arguments.attempts.holds(len(attempts)):
        problems.append(f"{plural(len(attempts), 'attempt')} judged")
    problems += [wrong for one in judged for wrong in _contradictions(one, builds)]
    told = f"{plural(len(attempts), 'attempt')} judged: {listed(map(_named, judged), 6)}"
    return verdict(
        not problems,
        expected=expected,
        observed="; ".join(problems) or told,
        evidence=[_told(ledger, one) for one in [*chosen, *(one for one in judged if one not in chosen)]][
            :MAX_EVIDENCE
        ],
        nearest=told if problems else "",
    )


def _expected(arguments: GateArguments) -> str:
    what = "the work on" if arguments.verdict == "accepted" else "an attempt at"
    parts = [f"the gate has {arguments.verdict} {what} {arguments.requirement}"]
    if arguments.output_contains is not None:
        parts.append(f"with output that contains {short(arguments.output_contains)!r}")
    parts += [f"in {arguments.attempts} attempts"] if arguments.attempts is not None else []
    return ", ".join(parts)


def _ungated(ledger: Ledger, requirement: str) -> str:
    bare = len(ledger.messages(f"results.*.{requirement}"))
    return f"{plural(bare, 'result')} of it without a gate" if bare else ""


def _last(judged: Sequence[Judged]) -> list[Judged]:
    """The last judgement of each stage."""
    return list({one.stage or one.agent: one for one in judged}.values())


def _chosen(judged: Sequence[Judged], arguments: GateArguments) -> list[Judged]:
    pool = _last(judged) if arguments.verdict == "accepted" else judged
    return [one for one in pool if one.verdict == arguments.verdict]


def _named(one: Judged) -> str:
    return f"{short(one.verdict or 'no verdict')} ({short(one.stage or one.agent)}, attempt {one.attempt or '?'})"


def _outputs(one: Judged, builds: Sequence[Built]) -> list[str]:
    return [one.output, *(built.output for built in builds if built.is_about(one))]


def _contradictions(one: Judged, builds: Sequence[Built]) -> list[str]:
    """What does not go with an accepted attempt, or with a refused one."""
    if one.verdict not in ("accepted", "rejected", "escalated"):
        return [f"{_named(one)}: {short(one.verdict or 'nothing')!r} is no verdict"]
    accepted = one.verdict == "accepted"
    problems = []
    broken = [command for command in one.commands if command.get("exit") != 0]
    if accepted and broken:
        name = broken[0].get("command")
        words = " ".join(map(str, name)) if isinstance(name, list) else str(name)
        problems.append(f"{_named(one)} although {short(words)} ended with {short(str(broken[0].get('exit')))}")
    if any(built.passed != accepted for built in builds if built.is_about(one)):
        problems.append(f"{_named(one)} although the event says that the build {'failed' if accepted else 'passed'}")
    return problems


def _told(ledger: Ledger, one: Judged) -> Evidence:
    message = of_message(ledger, one.message, _named(one))
    return Evidence("gate", message.at, message.text, excerpt(one.output) or message.excerpt, message.details)


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "gate",
        "The build gate has accepted, rejected or escalated the work on a requirement, on the output given.",
        GateArguments,
        judge_gate,
        "- id: rejected-first\n"
        "  claim: The broken build is rejected with the compiler's own words, and the second attempt passes\n"
        "  check: gate\n"
        '  with: {requirement: REQ-042, verdict: rejected, output_contains: "error TS2304", attempts: 2}',
        growth_can_break=lambda _: True,
        kills=("orchestrator.skip-gate", "orchestrator.ignore-rejection"),
    ),
)
