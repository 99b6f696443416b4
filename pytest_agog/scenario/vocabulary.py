"""The words that a scenario may use: checks and step verbs. Assembled from the built-in ones and those of plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_agog.scenario import comms_steps, model, orchestrator_steps
from pytest_agog.values import Strict


class CheckWord(Protocol):
    """What the reader of scenarios needs to know of a check (`checks.base.Check` fits)."""

    @property
    def name(self) -> str: ...
    @property
    def claims(self) -> str: ...
    @property
    def arguments(self) -> type[Strict]: ...
    @property
    def example(self) -> str: ...
    @property
    def kills(self) -> Sequence[str]: ...
    @property
    def growth_can_break(self) -> Callable[[Any], bool]: ...
    @property
    def holds_of_nothing(self) -> Callable[[Any], bool]: ...
    @property
    def vacuous(self) -> Callable[[Any], str | None]: ...


@dataclass(frozen=True)
class StepWord:
    """A step verb and its arguments; `example` is the step in YAML."""

    verb: str
    arguments: type[Strict]
    example: str


STEPS: tuple[StepWord, ...] = (
    StepWord("chain", model.Chain, "- chain: {feature: search, turns: [{agent: cynthia, task: research}]}"),
    StepWord(
        "publish", model.Publish, "- publish: {subject: argo.workflow.general.status, json: {status: ok}, times: 3}"
    ),
    StepWord("run", model.Run, "- run: {command: [agog, doctor], expect_exit: 0}"),
    StepWord("wait", model.Wait, "- wait: {until: {message: {subject: results.roy.REQ-042}}, within: 10s}"),
    StepWord("kill", model.Kill, "- kill: {component: nats, signal: KILL}"),
    StepWord("restart", model.Restart, "- restart: {component: nats}"),
    StepWord("open", comms_steps.Open, "- open: {sse: {runId: run-1}, as: live}"),
    StepWord("backfill", comms_steps.Backfill, "- backfill: {dir: runs/1, run_id: run-1}"),
    StepWord(
        "submit",
        orchestrator_steps.Submit,
        "- submit: {requirement: {id: REQ-042, title: API endpoint for stock transactions, priority: HIGH}}",
    ),
    StepWord("advance", orchestrator_steps.Advance, "- advance: {by: 30m}"),
    StepWord("cut", comms_steps.Cut, "- cut: {link: comms-postgres, for: 2s}"),
)


@dataclass(frozen=True)
class Vocabulary:
    """Checks and steps by name, and the agents that need no declaration."""

    checks: Mapping[str, CheckWord]
    steps: Mapping[str, StepWord]
    agents: frozenset[str]
    faults: frozenset[str] = frozenset()
