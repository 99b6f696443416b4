"""The step `backfill`."""

from __future__ import annotations

from pytest_agog.play.context import PlayContext
from pytest_agog.scenario.comms_steps import Backfill
from pytest_agog.scenario.scenario import Step


async def play_backfill(context: PlayContext, step: Step, arguments: Backfill) -> None:
    """Not there yet."""
    raise NotImplementedError
