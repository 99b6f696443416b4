"""The step `open`."""

from __future__ import annotations

from pytest_agog.play.context import PlayContext
from pytest_agog.scenario.comms_steps import Open
from pytest_agog.scenario.scenario import Step


async def play_open(context: PlayContext, step: Step, arguments: Open) -> None:
    """Not there yet."""
    raise NotImplementedError
