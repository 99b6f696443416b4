"""The step `backfill`: `agog backfill` as a process of its own, as a workflow's last step would run it."""

from __future__ import annotations

from typing import Final

from pytest_agog.ledger.access import COMMS
from pytest_agog.play.agents import commands
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.scenario.comms_steps import Backfill
from pytest_agog.scenario.scenario import Step

NAME: Final = "backfill"
"""The process's name in the ledger."""
TIMEOUT: Final = 120.0
_OPTIONS: Final = ("run_id", "workflow_uid", "workflow_name", "workflow_namespace", "agent_id")
_NOT_MEANT: Final = (
    "RUN_ID", "WORKFLOW_UID", "WORKFLOW_NAME", "WORKFLOW_NAMESPACE", "WORKFLOW_STEP", "WORKFLOW_STAGE", "AGENT_ID",
)  # fmt: skip
"""What the harness's own environment may say of the run in which the harness itself is a step."""


async def play_backfill(context: PlayContext, step: Step, arguments: Backfill) -> None:
    """Backfill a run and compare the exit status.

    Raises:
        StepFailed: another exit status, or it took too long.
    """
    # `--option=value`: a value may begin with a dash.
    command = ["agog", "backfill", f"--dir={context.file(arguments.dir)}", "--json"]
    for option in _OPTIONS:
        value = getattr(arguments, option)
        if value is not None:
            command.append(f"--{option.replace('_', '-')}={value}")
    # Empty ones count as absent.
    environment = {**dict.fromkeys(_NOT_MEANT, ""), **context.environment(COMMS)}
    context.progress(f"backfilling {arguments.run_id or arguments.workflow_uid or arguments.dir}")
    finished = await commands.execute(context, NAME, command, environment, b"", TIMEOUT)
    if finished.timed_out or finished.exit != arguments.expect_exit:
        expected = "" if finished.timed_out else f", expected exit status {arguments.expect_exit}"
        how = commands.how_it_ended(finished, TIMEOUT)
        raise StepFailed(f"{NAME}: {how}{expected}", commands.tail(finished))
