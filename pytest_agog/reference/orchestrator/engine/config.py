"""Table `[orchestrator]` of `agog.toml`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from pytest_agog.values import Duration, Strict


class RetryConfig(Strict):
    """What happens after a transient failure. [O14]"""

    most: int = Field(default=3, ge=0, le=100)
    """How often a stage is tried again before a human is asked."""
    backoff: Duration = 1.0
    """Before the first retry; twice as long before each further one."""
    longest: Duration = 300.0
    """The longest back-off."""


class BreakerConfig(Strict):
    """When an agent is given a rest. [O14]"""

    window: int = Field(default=10, ge=2, le=1000)
    """Outcomes that are looked at."""
    above: float = Field(default=0.5, gt=0, lt=1)
    """It opens when more than this share of a window's length failed."""
    rest: Duration = 300.0
    """After this long one attempt is let through."""


class OrchestratorConfig(Strict):
    """How the orchestrator goes about it."""

    mode: Literal["continuous", "turns"] = "continuous"
    """`turns`: agents at :00, :05 … :25 of each half hour, the orchestrator at :00 and :30. [O17]"""
    roadmap: str | None = None
    """The roadmap file; the command's `--roadmap` comes first."""
    start_at: datetime | None = None
    """Where the orchestrator's clock stands when the state is new; the real time without it."""
    retry: RetryConfig = RetryConfig()
    """Retries."""
    breaker: BreakerConfig = BreakerConfig()
    """Circuit breaker, one for each agent."""
    rejections: int = Field(default=3, ge=1, le=100)
    """At this many rejections of a requirement's work a human is asked. [O12]"""
    stuck_after: Duration = 7200.0
    """Without a sign of life for this long an agent counts as stuck, is killed and started anew. [O15]"""
    stage_timeout: Duration = 7200.0
    """What an agent may take for a stage; the listener kills it then."""
    max_instances: int = Field(default=3, ge=1, le=100)
    """Most instances of one agent side by side. [O8]"""
    review: bool = True
    """Whether completed work is reviewed. [O13]"""
    ack_wait: Duration | None = None
    """Of the orchestrator's consumers; the contract's 30 s without it."""
    task_limit: int | None = Field(default=None, ge=1)
    """Tokens that one requirement may cost before a human is asked; without it, the budget's own limit."""
