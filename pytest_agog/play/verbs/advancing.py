"""The step `advance`: time passes on the orchestrator's virtual clock. [O17]"""

from __future__ import annotations

import asyncio
import json
from typing import Final

import nats.errors

from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.scenario.orchestrator_steps import Advance
from pytest_agog.scenario.scenario import Step
from pytest_agog.values import format_duration

SUBJECT: Final = "agog.control.orchestrator.advance"
WITHIN: Final = 60.0
"""Seconds for the effects of a day of turns."""
_LEADER_WITHIN: Final = 10.0
"""Seconds until one of the orchestrators leads, after a kill too."""
_AGAIN: Final = 0.05


async def play_advance(context: PlayContext, step: Step, advance: Advance) -> None:
    """Ask for it, and go on when everything that was due is published.

    Raises:
        StepFailed: nobody answers, or the answer is an error.
    """
    request = json.dumps({"by": advance.by}).encode()
    deadline = asyncio.get_running_loop().time() + _LEADER_WITHIN
    while True:
        try:
            answer = await context.client.request(SUBJECT, request, timeout=WITHIN)
            break
        except nats.errors.NoRespondersError:
            if asyncio.get_running_loop().time() > deadline:
                raise StepFailed(
                    f"no orchestrator answers on {SUBJECT}; `advance` needs one that runs", context.stage.crew_log()
                ) from None
            await asyncio.sleep(_AGAIN)  # none leads yet, and nobody tells when one does
        except (nats.errors.Error, TimeoutError):
            raise StepFailed(
                f"the orchestrator did not finish {format_duration(advance.by)} within {WITHIN:g} s",
                context.stage.crew_log(),
            ) from None
    told = json.loads(answer.data)
    if "error" in told:
        raise StepFailed(f"the clock was not advanced: {told['error']}")
