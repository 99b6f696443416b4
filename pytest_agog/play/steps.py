"""The step verbs, and what each one does; that is imported when a step is played, since reading needs none of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.scenario.vocabulary import STEPS, StepWord

if TYPE_CHECKING:
    from pytest_agog.play.context import PlayContext
    from pytest_agog.scenario.comms_steps import Backfill, Cut, Open
    from pytest_agog.scenario.model import Chain, Kill, Publish, Restart, Run, Wait
    from pytest_agog.scenario.orchestrator_steps import Advance, Submit
    from pytest_agog.scenario.scenario import Step


@dataclass(frozen=True)
class PlayedStep:
    """A verb, and the coroutine that plays it: `play(context, step, arguments)`."""

    word: StepWord
    play: Callable[[PlayContext, Step, Any], Awaitable[None]]

    @property
    def verb(self) -> str:
        """The key of the step in YAML."""
        return self.word.verb


async def _chain(context: PlayContext, step: Step, arguments: Chain) -> None:
    from pytest_agog.play.agents.chain import play_chain

    await play_chain(context, step, arguments)


async def _publish(context: PlayContext, step: Step, arguments: Publish) -> None:
    from pytest_agog.play.verbs.publishing import play_publish

    await play_publish(context, step, arguments)


async def _run(context: PlayContext, step: Step, arguments: Run) -> None:
    from pytest_agog.play.verbs.running import play_run

    await play_run(context, step, arguments)


async def _wait(context: PlayContext, step: Step, arguments: Wait) -> None:
    from pytest_agog.play.verbs.running import play_wait

    await play_wait(context, step, arguments)


async def _kill(context: PlayContext, step: Step, arguments: Kill) -> None:
    from pytest_agog.play.verbs.servers import play_kill

    await play_kill(context, step, arguments)


async def _restart(context: PlayContext, step: Step, arguments: Restart) -> None:
    from pytest_agog.play.verbs.servers import play_restart

    await play_restart(context, step, arguments)


async def _open(context: PlayContext, step: Step, arguments: Open) -> None:
    from pytest_agog.play.verbs.opening import play_open

    await play_open(context, step, arguments)


async def _backfill(context: PlayContext, step: Step, arguments: Backfill) -> None:
    from pytest_agog.play.verbs.backfilling import play_backfill

    await play_backfill(context, step, arguments)


async def _cut(context: PlayContext, step: Step, arguments: Cut) -> None:
    from pytest_agog.play.verbs.cutting import play_cut

    await play_cut(context, step, arguments)


async def _submit(context: PlayContext, step: Step, arguments: Submit) -> None:
    from pytest_agog.play.verbs.submitting import play_submit

    await play_submit(context, step, arguments)


async def _advance(context: PlayContext, step: Step, arguments: Advance) -> None:
    from pytest_agog.play.verbs.advancing import play_advance

    await play_advance(context, step, arguments)


_PLAYS: Final[dict[str, Callable[[PlayContext, Step, Any], Awaitable[None]]]] = {
    "chain": _chain,
    "publish": _publish,
    "run": _run,
    "wait": _wait,
    "kill": _kill,
    "restart": _restart,
    "open": _open,
    "backfill": _backfill,
    "cut": _cut,
    "submit": _submit,
    "advance": _advance,
}
BUILTIN_STEPS: tuple[PlayedStep, ...] = tuple(PlayedStep(word, _PLAYS[word.verb]) for word in STEPS)
