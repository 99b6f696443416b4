"""What a check is, what a verdict is, and what counts as evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import Probe
from pytest_agog.masking import mask
from pytest_agog.values import Strict

A = TypeVar("A", bound=Strict)
Outcome = Literal["passed", "failed", "skipped", "error"]


@dataclass(frozen=True)
class Evidence:
    """Something in the ledger that made the verdict what it is."""

    kind: str
    """`message`, `stream`, `consumer`, `rows`, `file`, `http`, `process`, `notice`, `tokens`, …"""
    at: float | None
    """When it was seen, in seconds since the epoch."""
    text: str
    """One line for people."""
    excerpt: str = ""
    """A few lines of the thing itself."""
    details: dict[str, Any] = field(default_factory=dict)
    """The same for machines: subject, stream, sequence, size, digest, …"""


@dataclass(frozen=True)
class Verdict:
    """What a check says of a ledger."""

    outcome: Outcome
    expected: str
    observed: str
    evidence: tuple[Evidence, ...] = ()
    nearest: str = ""
    """The nearest miss, or how close a pass came to failing."""
    missing: str = ""
    """Of a skip: the part of the machine that is not there (`browser`, `docker`, `prometheus`)."""

    @property
    def passed(self) -> bool:
        """Whether the claim holds."""
        return self.outcome == "passed"


def verdict(
    holds: bool,  # noqa: FBT001 - the one thing that a verdict is about
    *,
    expected: str,
    observed: str,
    evidence: Sequence[Evidence] = (),
    nearest: str = "",
) -> Verdict:
    """A verdict that passes exactly when `holds`. Its lines for people are masked here; excerpts already are."""
    return Verdict(
        "passed" if holds else "failed",
        mask(expected),
        mask(observed),
        tuple(replace(item, text=mask(item.text)) for item in evidence),
        mask(nearest),
    )


def failed(*, expected: str, observed: str, evidence: Sequence[Evidence] = (), nearest: str = "") -> Verdict:
    """A verdict that fails."""
    return verdict(False, expected=expected, observed=observed, evidence=evidence, nearest=nearest)  # noqa: FBT003


def nothing_to_judge(expected: str, why: str, *, evidence: Sequence[Evidence] = (), nearest: str = "") -> Verdict:
    """The verdict on a claim about something that the run never showed: it fails, and says why."""
    return failed(expected=expected, observed=f"nothing to judge: {why}", evidence=evidence, nearest=nearest)


def _no_probes(_: Any) -> Sequence[Probe]:
    return ()


def _never(_: Any) -> bool:
    return False


def _nothing(_: Any) -> str | None:
    return None


@dataclass(frozen=True)
class Check(Generic[A]):
    """A kind of claim: its arguments, and the function that judges it."""

    name: str
    claims: str
    """What it claims, in one sentence, for `agog explain` and the reference page."""
    arguments: type[A]
    judge: Callable[[Ledger, A], Verdict]
    example: str
    """A proof entry in YAML."""
    probes: Callable[[A], Sequence[Probe]] = _no_probes
    """What has to be looked up before it can judge."""
    growth_can_break: Callable[[A], bool] = _never
    """Whether a true verdict can become false as the ledger grows (an upper bound, `once`, `never`): such a claim is
    judged only after `holds_for`."""
    holds_of_nothing: Callable[[A], bool] = _never
    """Whether it is true as long as nothing happened, so that waiting can only break it (`never`, a count that may be
    zero). Not of what may also become less, such as rows."""
    vacuous: Callable[[A], str | None] = _nothing
    """Why these arguments can never fail, for lint; None when they can."""
    kills: tuple[str, ...] = ()
    """Faults that this check is known to reject."""
