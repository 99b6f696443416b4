"""The steps `kill` and `restart`: servers go away in the midst of a play, and come back."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

from pytest_agog.errors import RecorderBehind
from pytest_agog.ledger.facts import ComponentActed
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.scenario.model import Kill, Restart
from pytest_agog.scenario.scenario import Step

RECONNECT_WITHIN = 10.0
"""Seconds in which the harness must be connected again after a restart."""
ELECTED_WITHIN = 30.0
"""The same for a cluster, whose streams elect their leaders meanwhile."""
CAUGHT_UP_WITHIN = 1.0
"""Seconds that a kill waits for the recorder: what was stored before must not be missing from the record."""


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
        _shaken(context)


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
        _shaken(context)
        await _reconnected(context)
    context.ledger.append(ComponentActed(_named(restart.component, restart.server), "restarted"))


async def _reconnected(context: PlayContext) -> None:
    """The harness's connection stands; unless too few servers run, JetStream answers and the recorder has caught up."""
    within = RECONNECT_WITHIN if context.servers == 1 else ELECTED_WITHIN
    try:
        async with asyncio.timeout(within):
            while not await _answers(context):  # noqa: ASYNC110 - nobody notifies of JetStream
                await asyncio.sleep(0.01)
            if not context.nats_is_gone:
                await context.recorder.catch_up(within)
    except (TimeoutError, RecorderBehind):
        raise StepFailed(
            f"the harness could not connect to NATS again within {within:g}s", context.stage.nats.log_tail()
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


def _shaken(context: PlayContext) -> None:
    """In a cluster whoever leads may be another one from now on."""
    if context.servers > 1:
        context.led = set()


def _named(component: str, server: int | None) -> str:
    return component if server is None else f"{component}-{server}"
