"""Claims about what became of a requirement: `requirement`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any, Final, get_args

from pydantic import AfterValidator, StringConstraints

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence.orchestrated import Revision, known_requirements, revisions_of, text
from pytest_agog.checks.evidence.telling import close_names, listed, of_message, short, shown
from pytest_agog.errors import BadInput
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.values import Pattern, Strict, plural
from pytest_agog.wire import orchestration

STATES: Final = get_args(orchestration.State)


def requirement_id(value: str) -> str:
    """`value`, if it is a requirement's id.

    Raises:
        ValueError: it is none.
    """
    try:
        return orchestration.requirement_id(value)
    except BadInput as error:
        raise ValueError(str(error)) from None


RequirementId = Annotated[str, AfterValidator(requirement_id)]


def _states(pattern: Pattern) -> Pattern:
    if not pattern.model_fields_set <= {"equals", "one_of"}:
        raise ValueError("expected a state, or {one_of: [COMPLETE, ESCALATED]}")
    given = pattern.one_of if pattern.one_of is not None else [pattern.equals]
    for state in given:
        if state not in STATES:
            raise ValueError(f"{state!r} is no state; there are {', '.join(STATES)}")
    return pattern


class RequirementArguments(Strict):
    """A requirement, and what its state says."""

    id: RequirementId
    """Its id."""
    state: Annotated[Pattern, AfterValidator(_states)]
    """Its state now: PENDING, READY, ASSIGNED, IN_PROGRESS, GATING, REJECTED, BLOCKED, ESCALATED, COMPLETE or FAILED;
    or `{one_of: […]}`."""
    attempts: Count | None = None
    """How many attempts at its stages there were, all together."""
    agent: Annotated[str, StringConstraints(min_length=1)] | None = None
    """The agent to which it is assigned."""


def judge_requirement(ledger: Ledger, arguments: RequirementArguments) -> Verdict:
    """The value under the requirement's key in the bucket `agog_state`, as it stands now."""
    expected = _expected(arguments)
    revisions = revisions_of(ledger, arguments.id)
    if not revisions:
        known = known_requirements(ledger)
        near = close_names(arguments.id, known)
        there = f"did you mean {listed(near)}?" if near else f"states are there of {listed(known)}" if known else ""
        return nothing_to_judge(expected, f"{arguments.id} has no state in {_BUCKET}", nearest=there)
    last = revisions[-1]
    evidence = [_told(ledger, last, len(revisions))]
    if last.value is None:
        return nothing_to_judge(
            expected, f"{arguments.id} has no state: {last.reason}", evidence=evidence, nearest=_path(revisions)
        )
    problems, told = _compare(last.value, arguments)
    return verdict(
        not problems,
        expected=expected,
        observed="; ".join(problems or told),
        evidence=evidence,
        nearest=_path(revisions) if problems else "",
    )


_BUCKET: Final = "the bucket agog_state"


def _expected(arguments: RequirementArguments) -> str:
    parts = [f"{arguments.id} {arguments.state}"]
    parts += [f"after {arguments.attempts} attempts"] if arguments.attempts is not None else []
    parts += [f"assigned to {short(arguments.agent)}"] if arguments.agent is not None else []
    return ", ".join(parts)


def _compare(value: dict[str, Any], arguments: RequirementArguments) -> tuple[list[str], list[str]]:
    """What is wrong, and everything in words."""
    state, named = value.get("state"), value.get("id")
    problems = []
    if named != arguments.id:
        problems.append(f"the value under its key is that of {shown(named)}")
    told = [f"{arguments.id} is {shown(state) if not isinstance(state, str) else short(state)}"]
    if not arguments.state.holds(state):
        problems.append(told[0])
    if arguments.attempts is not None:
        count = _attempts(value.get("attempts"))
        told.append("its state counts no attempts" if count is None else plural(count, "attempt"))
        if count is None or not arguments.attempts.holds(count):
            problems.append(told[-1])
    if arguments.agent is not None:
        agent = text(value, "agent")
        told.append(f"assigned to {short(agent) if agent else 'nobody'}")
        if agent is None or agent.casefold() != arguments.agent.casefold():
            problems.append(told[-1])
    return problems, told


def _attempts(value: Any) -> int | None:
    """All together: the contract allows a number, or numbers by stage."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, dict) and all(isinstance(n, int) and not isinstance(n, bool) for n in value.values()):
        return sum(value.values())
    return None


def _path(revisions: Sequence[Revision]) -> str:
    """The states that were seen, in order."""
    states = [state for state, _ in groupby(revision.state or "no state" for revision in revisions)]
    cut = states[-10:]
    return f"its states: {'… ' if len(states) > 10 else ''}{', then '.join(map(short, cut))}"


def _told(ledger: Ledger, last: Revision, revisions: int) -> Evidence:
    message = of_message(ledger, last.message, f"the last of {plural(revisions, 'revision')} seen")
    return Evidence("state", message.at, message.text, message.excerpt, message.details)


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "requirement",
        "A requirement has come to a state, after as many attempts and with the agent given.",
        RequirementArguments,
        judge_requirement,
        "- id: done\n"
        "  claim: The requirement is complete, at the first attempt\n"
        "  check: requirement\n"
        "  with: {id: REQ-042, state: COMPLETE, attempts: 1, agent: roy}\n"
        "  within: 10s",
        growth_can_break=lambda _: True,
        kills=("orchestrator.lose-state", "orchestrator.skip-gate"),
    ),
)
