"""The step verbs, and what each one does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from pytest_agog.errors import RecorderBehind
from pytest_agog.ledger.facts import ComponentActed
from pytest_agog.play import commands
from pytest_agog.play.chain import play_chain
from pytest_agog.play.context import PlayContext, StepFailed, WaitedInVain
from pytest_agog.play.judging import Asked, Waiting, judge
from pytest_agog.play.publishing import play_publish
from pytest_agog.scenario.model import Kill, Restart, Run, Wait
from pytest_agog.scenario.scenario import Step
from pytest_agog.scenario.vocabulary import STEPS, StepWord

RECONNECT_WITHIN = 10.0
"""Seconds in which the harness must be connected again after a restart."""
CAUGHT_UP_WITHIN = 1.0
"""Seconds that a kill waits for the recorder: what was stored before must not be missing from the record."""


@dataclass(frozen=True)
class PlayedStep:
    """A verb, and the coroutine that plays it: `play(context, step, arguments)`."""

    word: StepWord
    play: Callable[[PlayContext, Step, Any], Awaitable[None]]

    @property
    def verb(self) -> str:
        """The key of the step in YAML."""
        return self.word.verb


async def play_run(context: PlayContext, step: Step, run: Run) -> None:
    """Run a command and compare its exit status.

    Raises:
        StepFailed: another exit status, or it took too long.
        CommandNotFound: it cannot be started.
    """
    name = run.as_ or run.command[0]
    environment = {**context.environment(), **run.env}
    context.progress(f"running {name}")
    finished = await commands.execute(context, name, run.command, environment, (run.stdin or "").encode(), run.timeout)
    if finished.timed_out or finished.exit != run.expect_exit:
        expected = "" if finished.timed_out else f", expected exit status {run.expect_exit}"
        how = commands.how_it_ended(finished, run.timeout)
        raise StepFailed(f"{name}: {how}{expected}", commands.tail(finished))


async def play_wait(context: PlayContext, step: Step, wait: Wait) -> None:
    """Wait until a check holds.

    Raises:
        WaitedInVain: it did not in time.
        StepFailed: the check itself failed.
    """
    name, given = next(iter(wait.until.items()))
    check = context.checks[name]
    try:
        arguments = check.arguments.model_validate(given or {})
    except ValidationError as error:
        raise StepFailed(f"wait.until.{name}: {error.errors()[0]['msg']}") from None
    context.progress(f"waiting for {name}")
    try:
        answer = await judge(context.ledger, context.prober, Asked(check, arguments, Waiting(within=wait.within)))
    except Exception as error:
        raise StepFailed(f"the check {name} itself failed: {type(error).__name__}: {error}") from error
    if not answer.verdict.passed:
        raise WaitedInVain(name, answer.waited, answer.verdict)


async def play_kill(context: PlayContext, step: Step, kill: Kill) -> None:
    """Send a signal to a component.

    Raises:
        UsageError: it is not ours to kill.
    """
    if kill.component == "nats" and not context.nats_is_gone:
        with contextlib.suppress(RecorderBehind):
            await context.recorder.catch_up(CAUGHT_UP_WITHIN)
    await context.stage.kill(kill.component, kill.signal, kill.server)
    action: Literal["stopped", "killed"] = "stopped" if kill.signal == "STOP" else "killed"
    context.ledger.append(ComponentActed(_named(kill.component, kill.server), action, kill.signal))
    if kill.component == "nats":
        context.down |= _servers(context, kill.server)


async def play_restart(context: PlayContext, step: Step, restart: Restart) -> None:
    """Start a component again, and go on when the harness is connected to it and records again.

    Raises:
        StepFailed: it cannot be reached.
        ServiceDidNotStart: it did not come up.
        UsageError: it is not ours to restart.
    """
    await context.stage.restart(restart.component, restart.server)
    if restart.component == "nats":
        context.down -= _servers(context, restart.server)
        await _reconnected(context)
    context.ledger.append(ComponentActed(_named(restart.component, restart.server), "restarted"))


async def _reconnected(context: PlayContext) -> None:
    """The harness's connection stands; unless too few servers run, JetStream answers and the recorder has caught up."""
    try:
        async with asyncio.timeout(RECONNECT_WITHIN):
            while not await _answers(context):  # noqa: ASYNC110 - nobody notifies of JetStream
                await asyncio.sleep(0.01)
            if not context.nats_is_gone:
                await context.recorder.catch_up(RECONNECT_WITHIN)
    except (TimeoutError, RecorderBehind):
        raise StepFailed(
            f"the harness could not connect to NATS again within {RECONNECT_WITHIN:g}s", context.stage.nats.log_tail()
        ) from None


async def _answers(context: PlayContext) -> bool:
    try:
        await context.client.flush(timeout=1)
        if not context.nats_is_gone:
            await context.client.jetstream(timeout=1).account_info()
    except Exception:
        return False
    return True


def _servers(context: PlayContext, server: int | None) -> set[int]:
    return set(range(1, context.servers + 1)) if server is None else {server}


def _named(component: str, server: int | None) -> str:
    return component if server is None else f"{component}-{server}"


_PLAYS: dict[str, Callable[[PlayContext, Step, Any], Awaitable[None]]] = {
    "chain": play_chain,
    "publish": play_publish,
    "run": play_run,
    "wait": play_wait,
    "kill": play_kill,
    "restart": play_restart,
}
BUILTIN_STEPS: tuple[PlayedStep, ...] = tuple(PlayedStep(word, _PLAYS[word.verb]) for word in STEPS)
