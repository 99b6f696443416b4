"""Until this holds, or this long: claims are judged at the barrier, and again whenever the ledger grows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from pytest_agog import masking
from pytest_agog.checks.base import Check, Verdict
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import Probe
from pytest_agog.ledger.probing.prober import Prober
from pytest_agog.values import Strict

PROBE_INTERVAL: Final = 0.05
"""Seconds between two looks at what cannot tell by itself that it changed: rows, files, HTTP, consumer states."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Waiting:
    """How long a claim may take to become true, and how long it must then stay true, in seconds."""

    within: float = 0.0
    holds_for: float = 0.0


@dataclass(frozen=True)
class Asked:
    """A claim as it is judged: what is asked, with which arguments, and how long that may take."""

    check: Check[Any]
    arguments: Strict
    waiting: Waiting = Waiting()


@dataclass(frozen=True)
class Answer:
    """What was said of a claim, and how many seconds it was waited for."""

    verdict: Verdict
    waited: float = 0.0


async def judge_all(ledger: Ledger, prober: Prober, claims: Sequence[Asked]) -> list[Answer]:
    """The verdicts on all claims, in their order; see `judge`. A check that fails itself gives the verdict `error`.

    The first look is one for all: every probe is asked once, and then nothing grows between the first claim and the
    last. What is not settled by that is waited for, all at once.
    """
    started = time.monotonic()
    await prober.refresh(ledger, _probes(claims))
    answers: list[Answer | None] = [_at_once(ledger, asked, time.monotonic() - started) for asked in claims]

    async def settle(place: int) -> None:
        answers[place] = await _settled(ledger, prober, claims[place], started)

    await asyncio.gather(*(settle(place) for place, answer in enumerate(answers) if answer is None))
    return [answer for answer in answers if answer is not None]


def _probes(claims: Iterable[Asked]) -> list[Probe]:
    found: list[Probe] = []
    for asked in claims:
        try:
            found.extend(asked.check.probes(asked.arguments))
        except Exception:
            _LOG.debug("the probes of %s", asked.check.name, exc_info=True)  # judging it will say so
    return found


def _at_once(ledger: Ledger, asked: Asked, waited: float) -> Answer | None:
    """The answer to a claim for which nothing is to be waited; None when there is."""
    try:
        verdict = asked.check.judge(ledger, asked.arguments)
    except Exception as error:
        return Answer(_broken(asked.check, error), waited)
    if verdict.outcome == "skipped":  # what this machine lacks, it will lack in a while
        return Answer(verdict, waited)
    left = asked.waiting.holds_for if verdict.passed else asked.waiting.within
    return Answer(verdict, waited) if left <= 0 else None


async def _settled(ledger: Ledger, prober: Prober, asked: Asked, started: float) -> Answer:
    try:
        return await judge(ledger, prober, asked, started)
    except Exception as error:
        return Answer(_broken(asked.check, error), time.monotonic() - started)


def _broken(check: Check[Any], error: Exception) -> Verdict:
    _LOG.debug("the check %s", check.name, exc_info=error)
    text = " ".join(str(error).split())
    return Verdict("error", "a verdict", masking.mask(f"the check itself failed: {type(error).__name__}: {text}"))


async def judge(ledger: Ledger, prober: Prober, asked: Asked, started: float | None = None) -> Answer:
    """The verdict on one claim. `started` is the moment from which it waits (`time.monotonic`), now by default.

    Judged at once; again on every growth of the ledger until it holds or `within` is over. A claim that holds must go
    on holding for `holds_for`; when it breaks meanwhile, the search goes on as long as `within` allows. The last look
    is taken when the time is up, with probes asked afresh: no verdict is older than that.

    Raises:
        Exception: whatever the check raises.
    """
    started = time.monotonic() if started is None else started
    deadline = started + asked.waiting.within
    probes = tuple(asked.check.probes(asked.arguments))
    held_since: float | None = None
    async with _growth(ledger) as grown:
        while True:
            grown.clear()
            looking = time.monotonic()
            if probes:
                await prober.refresh(ledger, probes)
            verdict = asked.check.judge(ledger, asked.arguments)
            now = time.monotonic()
            if verdict.outcome == "skipped":
                return Answer(verdict, now - started)
            if verdict.passed:
                held_since = looking if held_since is None else held_since
                until = held_since + asked.waiting.holds_for
            else:
                held_since = None
                until = deadline
            # What was looked at before the time was up says nothing about the end of it.
            if (verdict.passed and asked.waiting.holds_for <= 0) or looking >= until:
                return Answer(verdict, now - started)
            # A verdict that took long to reach is not reached again at once: at most half the time goes into judging.
            await _next_look(grown, until=until, probing=bool(probes), rest=now - looking)


async def _next_look(grown: asyncio.Event, *, until: float, probing: bool, rest: float) -> None:
    """Return when the ledger grew, a probe is due, or the time is up."""
    left = until - time.monotonic()
    if left <= 0:
        return
    try:
        await asyncio.wait_for(grown.wait(), min(left, PROBE_INTERVAL) if probing else left)
        await asyncio.sleep(min(rest, max(until - time.monotonic(), 0)))
    except TimeoutError:
        return


@asynccontextmanager
async def _growth(ledger: Ledger) -> AsyncIterator[asyncio.Event]:
    grown = asyncio.Event()
    ignore = ledger.listen(grown.set)
    try:
        yield grown
    finally:
        ignore()
