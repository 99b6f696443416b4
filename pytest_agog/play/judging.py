"""Until this holds, or this long: judge a claim again whenever the ledger grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pytest_agog.checks.base import Check, Verdict
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.prober import Prober
from pytest_agog.ledger.probes import Probe
from pytest_agog.values import Strict

PROBE_INTERVAL = 0.05
"""Seconds between two looks at what cannot tell by itself that it changed: rows, files, HTTP, consumer states."""


@dataclass(frozen=True)
class Waiting:
    """How long a claim may take to become true, and how long it must then stay true, in seconds."""

    within: float = 0.0
    holds_for: float = 0.0


async def judge(
    ledger: Ledger, prober: Prober, check: Check[Any], arguments: Strict, waiting: Waiting
) -> tuple[Verdict, float]:
    """The verdict on one claim, and how many seconds it was waited for.

    Judged at once; again on every growth of the ledger until it holds or `within` is over. A claim that holds must go
    on holding for `holds_for`; when it breaks meanwhile, the search goes on as long as `within` allows.
    """
    started = time.monotonic()
    deadline = started + waiting.within
    probes = tuple(check.probes(arguments))
    held_since: float | None = None
    async with _growth(ledger) as grown:
        while True:
            grown.clear()
            judging = time.monotonic()
            verdict = await _look(ledger, prober, check, arguments, probes)
            now = time.monotonic()
            if verdict.passed:
                held_since = judging if held_since is None else held_since
                if now - held_since >= waiting.holds_for:
                    return verdict, now - started
                until = held_since + waiting.holds_for
            else:
                held_since = None
                if now >= deadline:
                    return verdict, now - started
                until = deadline
            # A verdict that took long to reach is not reached again at once: at most half the time goes into judging.
            await _next_look(grown, until=until, probing=bool(probes), rest=now - judging)


async def _look(
    ledger: Ledger, prober: Prober, check: Check[Any], arguments: Strict, probes: Sequence[Probe]
) -> Verdict:
    if probes:
        await prober.refresh(ledger, probes)
    return check.judge(ledger, arguments)


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
