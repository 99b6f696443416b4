"""The steps `run` and `wait`: a command, and the time until a check holds."""

from __future__ import annotations

from pydantic import ValidationError

from pytest_agog.play.agents import commands
from pytest_agog.play.context import PlayContext, StepFailed, WaitedInVain
from pytest_agog.play.judging import Asked, Waiting, judge
from pytest_agog.scenario.model import Run, Wait
from pytest_agog.scenario.scenario import Step


async def play_run(context: PlayContext, step: Step, run: Run) -> None:
    """Run a command and compare its exit status.

    Raises:
        StepFailed: another exit status, or it took too long.
        CommandNotFound: it cannot be started.
    """
    name = run.as_ or run.command[0]
    environment = {**context.environment(run.user), **run.env}
    context.progress(f"running {name}")
    finished = await commands.execute(context, name, run.command, environment, (run.stdin or "").encode(), run.timeout)
    if finished.timed_out or finished.exit != run.expect_exit:
        expected = "" if finished.timed_out else f", expected exit status {run.expect_exit}"
        how = commands.how_it_ended(finished, run.timeout)
        raise StepFailed(f"{name}: {how}{expected}", commands.tail(finished))


async def play_wait(context: PlayContext, step: Step, wait: Wait) -> None:
    """Wait until a check holds. One that this machine lacks something for is not waited for, as its claims are skipped.

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
    if not answer.verdict.passed and answer.verdict.outcome != "skipped":
        raise WaitedInVain(name, answer.waited, answer.verdict)
