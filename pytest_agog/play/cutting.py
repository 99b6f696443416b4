"""The step `cut`."""

from __future__ import annotations

from pytest_agog.play.context import PlayContext
from pytest_agog.scenario.comms_steps import Cut
from pytest_agog.scenario.scenario import Step


async def play_cut(context: PlayContext, step: Step, arguments: Cut) -> None:
    """Not there yet."""
    raise NotImplementedError
