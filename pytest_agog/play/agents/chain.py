"""A chain: agents hand work on, one after the other, without an orchestrator."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_agog import masking
from pytest_agog.errors import AgogError, NoticeMissing
from pytest_agog.ledger.facts import AgentSpawned, Earlier, NoticeSeen
from pytest_agog.ledger.payloads import PayloadId
from pytest_agog.play.agents import agent as agents
from pytest_agog.play.agents.work import Input, Ran, Work, parse_notice
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.scenario.model import Chain, Turn
from pytest_agog.scenario.scenario import Step
from pytest_agog.wire import subjects

_UNREACHABLE = 3
"""Exit code of errors that say that a service is away."""


@dataclass(frozen=True)
class _HandedOn:
    """What a finished turn leaves for the turns after it."""

    entry: Input
    earlier: Earlier


async def play_chain(context: PlayContext, step: Step, chain: Chain) -> None:
    """Let every turn be taken, in order.

    A turn is done when its agent exits 0 and prints a completion notice for this feature, whatever its status: a chain
    has no orchestrator that would act on BLOCKED or FAILED, and claims judge the notices. A turn that is not done is
    tried again up to `retries` times; then the chain ends.

    Raises:
        StepFailed: a turn failed for good; the message names it and the reason.
    """
    done: list[_HandedOn] = []
    for number, turn in enumerate(chain.turns, start=1):
        context.progress(f"{chain.feature}: turn {number} of {len(chain.turns)}, {turn.agent} ({turn.task})")
        done.append(await _take_turn(context, step.number, chain, number, turn, done))


async def _take_turn(
    context: PlayContext, step: int, chain: Chain, number: int, turn: Turn, done: list[_HandedOn]
) -> _HandedOn:
    failure = Ran("", "it was never tried")
    for attempt in range(1, chain.retries + 2):
        if attempt > 1:
            context.progress(f"{chain.feature}: {turn.agent} ({turn.task}), try {attempt} of {chain.retries + 1}")
        work = Work(
            chain=step,
            agent=turn.agent,
            task=turn.task,
            feature=chain.feature,
            attempt=attempt,
            nats_url=context.nats_url,
            output_folder=str(context.stage.output_folder),
            fetches=turn.fetches,
            inputs=tuple(entry.entry for entry in done),
        )
        outcome = await _spawn(context, work, tuple(entry.earlier for entry in done))
        if isinstance(outcome, _HandedOn):
            return outcome
        failure = outcome
    tries = f" after {chain.retries + 1} tries" if chain.retries else ""
    raise StepFailed(
        f"turn {number} ({turn.agent} {turn.task}) failed{tries}: {failure.reason}", failure.detail or failure.output
    )


async def _spawn(context: PlayContext, work: Work, earlier: tuple[Earlier, ...]) -> _HandedOn | Ran:
    ledger = context.ledger
    # The address of an external server may hold a password.
    prompt = ledger.payloads.put(masking.mask(work.prompt().decode()).encode())
    ledger.append(AgentSpawned(work.chain, work.agent, work.task, work.feature, work.attempt, prompt, earlier))
    ran = await agents.run_agent(context, work)
    if ran.reason:
        ledger.append(NoticeSeen(work.agent, work.feature, work.attempt, None, masking.mask(ran.reason)))
        return ran
    try:
        parsed = parse_notice(work, ran)
    except NoticeMissing as error:
        ledger.append(NoticeSeen(work.agent, work.feature, work.attempt, None, masking.mask(str(error))))
        return Ran(ran.output, str(error), ran.detail)
    notice = ledger.payloads.put(parsed.text.encode("utf-8", "replace"))
    ledger.append(NoticeSeen(work.agent, work.feature, work.attempt, notice))
    url = parsed.notice.deliverable
    report = await _content(context, url)
    return _HandedOn(Input(work.agent, work.task, url), Earlier(work.agent, url, report, notice))


async def _content(context: PlayContext, url: str) -> PayloadId | None:
    """The report behind a notice's URL, or None when the URL leads nowhere: checks say so, the chain goes on."""
    if not url.startswith(subjects.URL_SCHEME):
        return None
    try:
        engine = await context.reader()
        return context.ledger.payloads.put((await engine.require(url)).encode())
    except AgogError as error:
        if error.exit_code == _UNREACHABLE:
            raise
        return None
