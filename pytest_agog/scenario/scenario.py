"""A scenario that was read and found sound: typed, substituted, every path resolved, every node's place known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_agog.scenario.model import Agent, Services, TokenClaims
from pytest_agog.scenario.reading.places import Position
from pytest_agog.values import Strict


@dataclass(frozen=True, slots=True)
class Step:
    """One step, its arguments validated by the verb's model."""

    number: int
    """From 1."""
    verb: str
    arguments: Strict
    position: Position


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry of the checklist, or one `tokens:` entry (then `id` begins with `tokens.`)."""

    id: str
    claim: str
    check: str
    arguments: Strict
    position: Position
    within: float = 0.0
    holds_for: float = 0.0
    kills: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The arguments as plain data, after substitution; what a bundle keeps so that they can be judged again."""


@dataclass(frozen=True)
class Scenario:
    """One run of a scenario file: with a matrix there are several, and `suffix` tells them apart."""

    name: str
    path: Path
    summary: str
    tags: tuple[str, ...]
    services: Services
    agents: Mapping[str, Agent]
    steps: tuple[Step, ...]
    claims: tuple[Claim, ...]
    """Proof entries in order, then token claims `tokens.spawn_savings`, `tokens.net_savings`, `tokens.notice`."""
    tokens: TokenClaims
    position: Position
    suffix: str = ""
    """`large` or `large-2` with a matrix, else empty."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """vars, matrix values, for `prints` files."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Every data file that the scenario names, as written, to where it is."""

    @property
    def folder(self) -> Path:
        """Where commands run and relative paths start."""
        return self.path.parent

    @property
    def title(self) -> str:
        """Name and matrix values, for people."""
        return f"{self.name}[{self.suffix}]" if self.suffix else self.name
