"""Table `[budget]` of `agog.toml`. [O7]"""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field, field_validator, model_validator

from pytest_agog.values import Share, Strict

SHARES: Final = {
    "roy": 300_000,
    "jen": 300_000,
    "database": 100_000,
    "documentation": 50_000,
    "review": 150_000,
    "release": 50_000,
    "orchestrator": 50_000,
}
"""Tokens a day and agent."""


class BudgetConfig(Strict):
    """How many tokens may be spent, and when the system begins to save."""

    daily: int = Field(default=1_000_000, ge=1)
    """Tokens of all agents a day (UTC)."""
    shares: dict[str, int] = Field(default_factory=lambda: dict(SHARES))
    """Tokens a day of single agents; those that are named replace the defaults, all others keep theirs. An agent
    without a share is bound by the day's budget alone."""
    task_limit: int = Field(default=150_000, ge=1)
    """Tokens that one requirement may be estimated at or cost; above, a human decides."""
    conserve_at: Share = 0.8
    """Share of the day's budget at which conservation mode begins. [O9]"""
    spike: float = Field(default=3.0, gt=1)
    """An hour that costs more than this many times the mean of the day so far is a cost spike."""
    night: tuple[int, int] = (22, 6)
    """Hours between which conservation mode holds; the same hour twice means never."""
    conserving_instances: int = Field(default=2, ge=1)
    """Requirements that are worked at side by side in conservation mode; critical ones start beside them."""
    simple_model: str = Field(default="haiku", min_length=1, max_length=100)
    """The cheaper model that simple tasks get in conservation mode."""
    queue: int = Field(default=5, ge=1)
    """Another instance of an agent is started when more requirements than this wait for it. [O8]"""

    @model_validator(mode="before")
    @classmethod
    def _others_keep_theirs(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("shares"), dict):
            return {**value, "shares": {**SHARES, **value["shares"]}}
        return value

    @field_validator("shares")
    @classmethod
    def _not_negative(cls, shares: dict[str, int]) -> dict[str, int]:
        wrong = sorted(agent for agent, tokens in shares.items() if tokens < 0)
        if wrong:
            raise ValueError(f"the share of {wrong[0]} is below 0; give tokens a day")
        return shares

    @field_validator("night")
    @classmethod
    def _hours(cls, night: tuple[int, int]) -> tuple[int, int]:
        if not all(0 <= hour < 24 for hour in night):
            raise ValueError("hours are 0 to 23")
        return night

    def share(self, agent: str | None) -> int:
        """Tokens a day that an agent may cost; the whole day's without a share of its own."""
        return min(self.shares.get(agent or "", self.daily), self.daily)
