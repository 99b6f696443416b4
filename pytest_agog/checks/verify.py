"""Judge saved claims again on a saved ledger, and compare with the verdicts saved beside it: `agog verify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from pytest_agog.checks.base import Verdict
from pytest_agog.checks.registry import Checks, builtin_checks
from pytest_agog.ledger.ledger import Ledger

COMPARED: Final = ("outcome", "expected", "observed")
MASKED: Final = "masked"
"""What a difference is about when the bundle does not hold the bytes on which the verdict was reached."""


@dataclass(frozen=True)
class Difference:
    """A saved verdict that the ledger does not bear out."""

    claim: str
    """The claim's id."""
    what: str
    """`outcome`, `expected`, `observed`; `claim` when it cannot be judged again; `masked` when that is so because the
    claim is about text that held a secret, which is no fault."""
    saved: str
    judged: str

    def __str__(self) -> str:
        if self.what == MASKED:
            return f"{self.claim}: {self.judged}"
        return f"{self.claim}: {self.what} was saved as {self.saved!r}, the ledger says {self.judged!r}"


def verify(
    ledger: Ledger,
    claims: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, Any]],
    checks: Checks | None = None,
) -> list[Difference]:
    """Judge `claims` (id, check, with) again and compare with `verdicts` (id, outcome, expected, observed).

    A claim without a verdict, a verdict without a claim, and ids that stand twice are differences too. Verdicts that
    say `skipped` or `error` come from no judgement, so there is nothing to compare.
    """
    known = builtin_checks() if checks is None else checks
    saved: dict[str, Mapping[str, Any]] = {}
    found: list[Difference] = []
    for verdict in verdicts:
        name = str(verdict.get("id", ""))
        if name in saved:
            found.append(Difference(name, "claim", "two verdicts", "one"))
        saved[name] = verdict
    judged: set[str] = set()
    for claim in claims:
        name = str(claim.get("id", ""))
        if name in judged:
            found.append(Difference(name, "claim", "two claims", "one"))
        judged.add(name)
        if name not in saved:
            found.append(Difference(name, "claim", "no verdict", "a claim"))
        elif saved[name].get("outcome") not in ("skipped", "error"):
            found += _compare(ledger, name, claim, saved[name], known)
    found += [Difference(name, "claim", "a verdict", "no claim") for name in saved if name not in judged]
    return found


def _compare(
    ledger: Ledger, name: str, claim: Mapping[str, Any], saved: Mapping[str, Any], checks: Checks
) -> list[Difference]:
    outcome = _judge(ledger, claim, checks)
    if isinstance(outcome, str):
        return [Difference(name, "claim", str(saved.get("outcome", "")), outcome)]
    found = [
        Difference(name, key, str(saved.get(key, "")), str(getattr(outcome, key)))
        for key in COMPARED
        if saved.get(key) != getattr(outcome, key)
    ]
    if found and ledger.payloads.any_masked and _reads_masked(ledger, claim, checks):
        said = "not judged again: it is about text that held a secret, of which only a masked form was saved"
        return [Difference(name, MASKED, str(saved.get("outcome", "")), said)]
    return found


def _reads_masked(ledger: Ledger, claim: Mapping[str, Any], checks: Checks) -> bool:
    """Whether the verdict on a claim rests on payloads that were masked when they were saved."""
    ledger.forget_derived()
    ledger.payloads.met_masked = False
    _judge(ledger, claim, checks)
    return ledger.payloads.met_masked


def _judge(ledger: Ledger, claim: Mapping[str, Any], checks: Checks) -> Verdict | str:
    """The verdict on a saved claim, or why there can be none."""
    word = str(claim.get("check", ""))
    if word not in checks:
        return f"there is no check {word!r}; install the plugin that brings it"
    try:
        arguments = checks[word].arguments.model_validate(claim.get("with") or {})
    except ValidationError as error:
        first = error.errors()[0]
        return f"its arguments cannot be read: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    try:
        return checks[word].judge(ledger, arguments)
    except Exception as error:  # a ledger that was tampered with can hold what no recorder writes
        return f"the check itself failed: {type(error).__name__}: {error}"
