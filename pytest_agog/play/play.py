"""Play one scenario: set the stage, take the steps, wait at the barrier, judge the claims, strike the stage."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import platform
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agog import masking, tokens
from pytest_agog.checks.base import Outcome, Verdict
from pytest_agog.checks.registry import Checks, builtin_checks
from pytest_agog.errors import AgogError, BadInput, RecorderBehind
from pytest_agog.ledger.facts import Barrier, StepEnded, StepStarted, WireNamed
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probing.pages import Pages
from pytest_agog.ledger.probing.permissions import Permissions
from pytest_agog.ledger.probing.prober import Prober
from pytest_agog.ledger.probing.sites import Sites
from pytest_agog.ledger.recording.recorder import Recorder
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.play.judging import Asked, Waiting, judge_all
from pytest_agog.play.result import Environment, Judgement, PlayFailure, PlayResult
from pytest_agog.play.steps import PlayedStep
from pytest_agog.play.vocabulary import builtin_steps
from pytest_agog.play.warming import warm_up
from pytest_agog.scenario.model import Chain
from pytest_agog.scenario.scenario import Claim, Scenario, Step
from pytest_agog.stage.connect import HARNESS_INBOX, close_nats, connect_nats
from pytest_agog.stage.needs import needs_listener, needs_orchestrator
from pytest_agog.stage.stage import Stage, StageOptions
from pytest_agog.stage.target.targets import REFERENCE, Target
from pytest_agog.wire.naming import CONTRACT
from pytest_agog.wire.streams import AGENT_TYPES

if TYPE_CHECKING:
    from nats.aio.client import Client

BARRIER_WITHIN = 30.0
"""Seconds in which the recorder must have seen every stream's last message."""
GONE_WITHIN = 0.5
"""The same when the scenario itself took NATS away."""
OUTPUT_PREFIX = "$AGENT_OUTPUT_DIR/"
_LOG = logging.getLogger(__name__)


def _say_nothing(_: str) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class PlayOptions:
    """How to play: where the services come from, and what may be used."""

    stage: StageOptions
    target: Target = REFERENCE
    checks: Checks = field(default_factory=builtin_checks)
    steps: Mapping[str, PlayedStep] = field(default_factory=builtin_steps)
    select: Collection[str] | None = None
    """Ids of the claims to judge; all when None."""
    count_tokens: Callable[[str], int] = tokens.count
    progress: Callable[[str], None] = _say_nothing
    observe: Callable[[Ledger], None] | None = None
    """Is given the ledger before the first step."""


async def play(scenario: Scenario, options: PlayOptions) -> PlayResult:
    """Play `scenario` and judge its claims.

    A step that fails ends the steps; the claims are judged on what was seen until then. Only services that do not start
    or cannot be reached make the outcome `error`. Whatever happens, the stage is struck.
    """
    started_at, started = time.time(), time.monotonic()
    ledger = Ledger(options.count_tokens)
    if options.target.names.stream != CONTRACT.stream:
        ledger.append(WireNamed(options.target.names.stream))
    if options.observe is not None:
        options.observe(ledger)
    stage = Stage(scenario, options.stage, lambda stage: _prepare(stage, options.target), options.target)
    failure: PlayFailure | None = None
    judgements: tuple[Judgement, ...] = ()
    outcome: Outcome = "passed"
    options.progress("starting services")
    warm_up(with_tokens=options.count_tokens is tokens.count)
    try:
        async with stage:
            failure, judgements = await _Run(scenario, options, ledger, stage).to_the_end()
            outcome = "passed" if failure is None else "failed"
    except (AgogError, OSError) as error:
        _LOG.debug("the play of %s", scenario.title, exc_info=True)
        outcome = "error"
        failure = _no_services(error)
        judgements = tuple(Judgement(claim, _not_judged(failure.message)) for claim in _selected(scenario, options))
    return PlayResult(
        scenario=scenario,
        ledger=ledger,
        outcome=outcome,
        started_at=started_at,
        duration=time.monotonic() - started,
        environment=_environment(stage, options),
        judgements=judgements,
        failure=failure,
        urls=stage.urls if options.stage.keep and outcome != "error" else {},
        left_up=stage.left_up,
    )


def _no_services(error: AgogError | OSError) -> PlayFailure:
    log = str(error.details.get("log", "")) if isinstance(error, AgogError) else ""
    return PlayFailure(masking.mask(str(error)), detail=masking.mask(log))


def _selected(scenario: Scenario, options: PlayOptions) -> list[Claim]:
    return [claim for claim in scenario.claims if options.select is None or claim.id in options.select]


def _not_judged(reason: str) -> Verdict:
    return Verdict("error", "services that start", f"the play could not begin: {reason}")


def _environment(stage: Stage, options: PlayOptions) -> Environment:
    nats = getattr(stage, "nats", None)  # absent when the stage failed before it
    return Environment(
        python=platform.python_version(),
        nats_server=nats.version if nats is not None else "",
        postgres=stage.postgres_version,
        backend=options.stage.backend,
        target=options.target.name,
    )


async def _prepare(stage: Stage, target: Target) -> None:
    """Create the contract's streams, unless the scenario wants an empty server."""
    if stage.scenario.services.nats.streams == "wire":
        agents = further_agents(stage.scenario)
        await target.prepare_streams(stage.given_access(), stage.nats.replicas, agents or None)
    if needs_listener(stage.scenario) or needs_orchestrator(stage.scenario):
        from pytest_agog.play.agents import casting

        stage.agents = casting.tables(stage.scenario, stage.options.folder / "cast")


def further_agents(scenario: Scenario) -> dict[str, str]:
    """Agents of the scenario's chains beside the seven of the contract, with the task of their first turn."""
    found: dict[str, str] = {}
    for step in scenario.steps:
        if isinstance(step.arguments, Chain):
            for turn in step.arguments.turns:
                if turn.agent not in AGENT_TYPES:
                    found.setdefault(turn.agent, turn.task)
    return found


class _Run:
    """One play on a stage that stands."""

    def __init__(self, scenario: Scenario, options: PlayOptions, ledger: Ledger, stage: Stage) -> None:
        self._scenario = scenario
        self._options = options
        self._ledger = ledger
        self._stage = stage

    async def to_the_end(self) -> tuple[PlayFailure | None, tuple[Judgement, ...]]:
        """Steps, barrier, verdicts."""
        async with self._ready() as context:
            failure = await self._take_steps(context)
            if failure is None:
                await self._stage.links_healed()
            behind = await self._barrier(context)
            return failure or behind, await self._judge(context)

    @contextlib.asynccontextmanager
    async def _ready(self) -> AsyncIterator[PlayContext]:
        """The harness's connections, its recorder and its prober; all are let go of, whatever happens."""
        stage = self._stage
        external = self._options.stage.backend == "external"
        permissions = Permissions(stage.access)
        recorder = Recorder(
            self._ledger,
            self._connect,
            monitor_url=stage.nats.monitor_url,
            baseline=external,
            is_own=permissions.is_own,
        )
        client = await self._connect()
        sites = Sites(stage.http_url or stage.nats.monitor_url, stage.orchestrator_url, stage.http_token)
        pages = Pages(sites if stage.http_url is not None else None)
        prober = Prober(
            client,
            monitor_url=stage.nats.monitor_url,
            postgres_dsn=stage.postgres_dsn,
            http_base=sites,
            resolve=self._resolve,
            names=self._options.target.names,
            pages=pages,
            permissions=permissions,
        )
        context = PlayContext(
            scenario=self._scenario,
            ledger=self._ledger,
            stage=stage,
            client=client,
            recorder=recorder,
            prober=prober,
            pages=pages,
            target=self._options.target,
            checks=self._options.checks,
            progress=self._options.progress,
        )
        try:
            await recorder.start()
            yield context
        finally:
            readers = (reader.close() for reader in context.readers.values())
            engines = (engine.close() for engine in context.engines)
            ends = (recorder.stop(), prober.close(), pages.close(), *readers, *engines)
            for ended in await asyncio.gather(close_nats(client), *ends, return_exceptions=True):
                if isinstance(ended, Exception):
                    _LOG.debug("letting go of a connection", exc_info=ended)

    async def _connect(self) -> Client:
        """One of the harness's own connections."""
        access = self._stage.given_access()
        return await connect_nats(access.addresses, access=access, name="agog-harness", inbox=HARNESS_INBOX)

    def _resolve(self, written: str) -> Path:
        """Where a file is that a check names.

        Raises:
            BadInput: it would leave the scenario's folder and the agents' output folder.
        """
        known = self._scenario.files.get(written)
        if known is not None:
            return known
        base, name = self._scenario.folder, written
        if written.startswith(OUTPUT_PREFIX):
            base, name = self._stage.output_folder, written.removeprefix(OUTPUT_PREFIX)
        path = (base / name).resolve()
        if not path.is_relative_to(base.resolve()):
            whose = "$AGENT_OUTPUT_DIR" if base != self._scenario.folder else "the scenario's folder"
            raise BadInput(f"{written!r} leaves {whose}")
        return path

    async def _take_steps(self, context: PlayContext) -> PlayFailure | None:
        for step in self._scenario.steps:
            context.progress(f"step {step.number} of {len(self._scenario.steps)}: {step.verb}")
            self._ledger.append(StepStarted(step.number, step.verb, f"{step.verb} at line {step.position.line}"))
            failure = await self._take(context, step)
            if failure is not None:
                self._ledger.append(StepEnded(step.number, step.verb, "failed", failure.message))
                return failure
            self._ledger.append(StepEnded(step.number, step.verb, "passed"))
        return None

    async def _take(self, context: PlayContext, step: Step) -> PlayFailure | None:
        try:
            await self._options.steps[step.verb].play(context, step, step.arguments)
        except StepFailed as error:
            return PlayFailure(masking.mask(str(error)), step, masking.mask(error.detail))
        except AgogError as error:
            return PlayFailure(masking.mask(str(error)), step, masking.mask(str(error.details.get("log", ""))))
        except Exception as error:
            # A step of a plugin, or a fault of ours; the claims are judged all the same.
            _LOG.debug("step %d", step.number, exc_info=True)
            text = f"the step {step.verb} itself failed: {type(error).__name__}: {error}"
            return PlayFailure(masking.mask(" ".join(text.split())), step)
        return None

    async def _barrier(self, context: PlayContext) -> PlayFailure | None:
        """Wait until the recorder has seen every stream's last message."""
        self._options.progress("waiting for the recorder")
        try:
            sequences = await context.recorder.catch_up(GONE_WITHIN if context.nats_is_gone else BARRIER_WITHIN)
        except RecorderBehind as error:
            if context.nats_is_gone:
                return None  # the scenario took it away for good: the claims are judged on what was seen before
            return PlayFailure(masking.mask(str(error)), detail=masking.mask(self._stage.nats.log_tail()))
        self._ledger.append(Barrier(sequences))
        return None

    async def _judge(self, context: PlayContext) -> tuple[Judgement, ...]:
        claims = _selected(self._scenario, self._options)
        self._options.progress(f"judging {len(claims)} claims")
        asked = [
            Asked(self._options.checks[claim.check], claim.arguments, Waiting(claim.within, claim.holds_for))
            for claim in claims
        ]
        answers = await judge_all(self._ledger, context.prober, asked)
        return tuple(
            Judgement(claim, answer.verdict, answer.waited) for claim, answer in zip(claims, answers, strict=True)
        )
