"""Run one agent once: a scripted one, or a real command. Both return their standard output and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_agog.errors import CommandNotFound
from pytest_agog.play.agents import commands
from pytest_agog.play.agents.handed import reads_of
from pytest_agog.play.agents.scripted import run_script
from pytest_agog.play.agents.scripted_agent import mood_of
from pytest_agog.play.agents.work import Ran, Work
from pytest_agog.play.context import PlayContext
from pytest_agog.scenario.model import Agent


async def run_agent(context: PlayContext, work: Work) -> Ran:
    """Run the agent of `work` once, as the scenario declares it."""
    agent = context.scenario.agents.get(work.agent) or Agent()
    context.spawns[work.agent] = context.spawns.get(work.agent, 0) + 1
    # A command that is declared to go wrong is not even started.
    if agent.run is None or mood_of(dict(agent), context.spawns[work.agent]) is not None:
        return await run_script(context, work, agent)
    return await _run_command(context, work, agent.run, agent.timeout)


async def _run_command(context: PlayContext, work: Work, command: Sequence[str], timeout: float) -> Ran:  # noqa: ASYNC109
    # The address in the prompt is without credentials, which belong into the environment alone.
    environment = {**work.environment(), **context.environment()}
    try:
        async with reads_of(context, work.chain, work.agent):
            finished = await commands.execute(context, work.agent, command, environment, work.prompt(), timeout)
    except CommandNotFound as error:
        return Ran("", str(error))
    output, detail = finished.stdout.decode("utf-8", "replace"), commands.tail(finished)
    if finished.timed_out or finished.exit != 0:
        return Ran(output, commands.how_it_ended(finished, timeout), detail)
    return Ran(output, detail=detail)
