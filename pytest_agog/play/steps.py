"""The step verbs, and what each one does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pytest_agog.ledger.facts import ComponentActed
from pytest_agog.play import agents
from pytest_agog.play.chain import play_chain
from pytest_agog.play.context import PlayContext, StepFailed, WaitedInVain
from pytest_agog.play.judging import Waiting, judge
from pytest_agog.play.publishing import play_publish
from pytest_agog.scenario.model import Kill, Restart, Run, Wait
from pytest_agog.scenario.scenario import Step
from pytest_agog.scenario.vocabulary import STEPS, StepWord

RECONNECT_WITHIN = 10.0
"""Seconds in which the harness must be connected again after a restart."""


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
    """
    name = run.as_ or run.command[0]
    environment = {**context.environment(), **run.env}
    context.progress(f"running {name}")
    finished = await agents.execute(context, name, run.command, environment, (run.stdin or "").encode(), run.timeout)
    if finished.timed_out:
        raise StepFailed(f"{name} ran longer than {run.timeout:g}s and was killed", agents.tail(finished))
    if finished.exit != run.expect_exit:
        raise StepFailed(
            f"{name} ended with exit status {finished.exit}, expected {run.expect_exit}", agents.tail(finished)
        )


async def play_wait(context: PlayContext, step: Step, wait: Wait) -> None:
    """Wait until a check holds.

    Raises:
        WaitedInVain: it did not in time.
    """
    name, given = next(iter(wait.until.items()))
    check = context.checks[name]
    try:
        arguments = check.arguments.model_validate(given or {})
    except ValidationError as error:
        raise StepFailed(f"wait.until.{name}: {error.errors()[0]['msg']}") from None
    context.progress(f"waiting for {name}")
    verdict, waited = await judge(context.ledger, context.prober, check, arguments, Waiting(within=wait.within))
    if not verdict.passed:
        raise WaitedInVain(name, waited, verdict)


async def play_kill(context: PlayContext, step: Step, kill: Kill) -> None:
    """Send a signal to a component."""
    await context.stage.kill(kill.component, kill.signal, kill.server)
    context.ledger.append(ComponentActed(_named(kill.component, kill.server), "killed", kill.signal))


async def play_restart(context: PlayContext, step: Step, restart: Restart) -> None:
    """Start a component again, and go on when the harness is connected to it.

    Raises:
        StepFailed: it cannot be reached.
    """
    await context.stage.restart(restart.component, restart.server)
    if restart.component == "nats":
        await _reconnected(context)
    context.ledger.append(ComponentActed(_named(restart.component, restart.server), "restarted"))


async def _reconnected(context: PlayContext) -> None:
    try:
        async with asyncio.timeout(RECONNECT_WITHIN):
            while True:
                try:
                    await context.client.flush(timeout=1)
                    await context.client.jetstream().account_info()
                except Exception:
                    await asyncio.sleep(0.01)
                else:
                    return
    except TimeoutError:
        raise StepFailed(
            f"the harness could not connect to NATS again within {RECONNECT_WITHIN:g}s", context.stage.nats.log_tail()
        ) from None


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
