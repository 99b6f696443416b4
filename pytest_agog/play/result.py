"""What a play leaves behind: the ledger, the verdicts, and how the play itself went."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_agog.checks.base import Outcome, Verdict
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.scenario.scenario import Claim, Scenario, Step
from pytest_agog.stage.servers.services import LeftUp


@dataclass(frozen=True)
class Environment:
    """What the play ran on."""

    python: str
    nats_server: str
    postgres: str | None
    backend: str
    target: str


@dataclass(frozen=True)
class Judgement:
    """A claim, what was said of it, and how many seconds it was waited for."""

    claim: Claim
    verdict: Verdict
    waited: float = 0.0


@dataclass(frozen=True)
class PlayFailure:
    """Why the play did not come to its end. `step` is None when the services did not start."""

    message: str
    step: Step | None = None
    detail: str = ""
    """More lines: the end of a log, an agent's output."""


@dataclass(frozen=True)
class PlayResult:
    """One scenario, played and judged."""

    scenario: Scenario
    ledger: Ledger
    outcome: Outcome
    """Of the play itself: `failed` when a step failed, `error` when services did not start."""
    started_at: float
    duration: float
    environment: Environment
    judgements: tuple[Judgement, ...] = ()
    failure: PlayFailure | None = None
    urls: dict[str, str] = field(default_factory=dict)
    """Services that were left up (`--agog-keep`), masked."""
    left_up: tuple[LeftUp, ...] = ()
    """The same as they are, with what ends them."""
