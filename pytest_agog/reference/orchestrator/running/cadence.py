"""When the leader passes over the requirements: whenever something changed, at turns, and when a timer is due. [O17]"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pytest_agog.errors import AgogError, BadInput
from pytest_agog.reference.orchestrator.engine import working
from pytest_agog.reference.orchestrator.running import turns
from pytest_agog.reference.orchestrator.running.desk import Desk
from pytest_agog.reference.orchestrator.running.passing import Pass
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire.times import format_time, parse_time

LOG: Final = logging.getLogger(__name__)
_CLOCK, _TURN = "clock", "turn"
_LOOKS: Final = 0.5
"""Seconds of real time between two looks at what does not tell of itself: files, and instances that died."""
_PATIENCE: Final = 2.0
"""Seconds of real time that agents have between two moments of a clock that is advanced."""
_APART: Final = 0.02
"""Seconds between two passes: what happens in a burst is looked at together. The next stage of work that has begun
waits for no pass."""
_GATHERS: Final = 0.03
"""Seconds without a further requirement after which those that came are decided about."""
_GATHERINGS: Final = 10
_LONGEST: Final = timedelta(days=31)
Around = Callable[[datetime], Awaitable[None]]
"""What else belongs to a pass: reading the roadmap before it, writing it after it."""


Attempt = tuple[str, str | None, int, int]
"""Requirement, stage, attempt, and attempt of the review."""


def _at_work(records: Iterable[Record]) -> set[Attempt]:
    return {
        (one.id, one.stage, one.attempt, one.review_attempts)
        for one in records if one.running or one.review == "running"
    }  # fmt: skip


class Cadence:
    """Drives the passes of one instance while it leads."""

    def __init__(self, desk: Desk, passes: Pass, before: Around, after: Around) -> None:
        self._desk = desk
        self._passes = passes
        self._before = before
        self._after = after
        self._turn: datetime | None = None
        self._taken = 0
        self._offset_known = False
        self._alone = asyncio.Lock()
        desk.books.watch(_CLOCK, self._told_offset)
        desk.books.watch(_TURN, self._told_turn)

    @property
    def by_turns(self) -> bool:
        """Whether the mode is turn-based."""
        return self._desk.config.mode == "turns"

    @property
    def next_turn(self) -> datetime | None:
        """When the next turn is; None in continuous mode."""
        return turns.next_turn(self._desk.clock.now()).at if self.by_turns else None

    # --- the loop ---------------------------------------------------------------------------------------------------
    async def lead(self) -> None:
        """Pass while this instance leads; returns when it does not any more."""
        desk = self._desk
        if not self._offset_known and desk.config.start_at is not None:
            start = parse_time(desk.config.start_at)
            desk.clock.offset = start - datetime.now(UTC)
            self._offset_known = True
            await self._keep_offset()
        if self.by_turns and self._turn is None:
            self._turn = desk.clock.now()
        while desk.leading.leads:
            async with self._alone:
                await self._gather()
                await self._catch_up(desk.clock.now())
                desk.books.changed.clear()
                await self._pass(desk.clock.now())
            await self._wait()

    async def _gather(self) -> None:
        """Requirements seldom come alone: those that come together are decided about together."""
        seen = -1
        for _ in range(_GATHERINGS):
            new = sum(record.lane is None and record.state == "PENDING" for record in self._desk.books.records.values())
            if new in (0, seen):
                return
            seen = new
            await asyncio.sleep(_GATHERS)

    async def _wait(self) -> None:
        """Until something changed or is due, and not for long: files and dead instances tell nobody."""
        await asyncio.sleep(_APART)
        pause = _LOOKS
        for moment in self._due():
            pause = min(pause, self._desk.clock.until(moment))
        waits = [
            asyncio.ensure_future(self._desk.books.changed.wait()),
            asyncio.ensure_future(self._desk.leading.changed.wait()),
        ]
        try:
            await asyncio.wait(waits, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _pass(self, now: datetime, *, turn: bool = False) -> None:
        try:
            if not self.by_turns or turn:
                await self._before(now)
            await self._passes.run(now, routes=not self.by_turns or turn)
            await self._after(now)
        except AgogError as error:
            LOG.warning("the pass was not finished: %s", error)

    # --- turns ------------------------------------------------------------------------------------------------------
    async def _catch_up(self, now: datetime) -> None:
        """The turns up to `now`; of those that nobody took while no instance ran, the last half hour's."""
        if not self.by_turns:
            return
        since = max(self._turn or now, now - turns.CYCLE)
        for turn in turns.turns(since, now):
            await self._take(turn)

    async def _take(self, turn: turns.Turn) -> None:
        """Each agent whose turn it is finds what is ready for it, and works through that until its next turn."""
        desk = self._desk
        if turns.ORCHESTRATOR in turn.agents:
            await self._pass(turn.at, turn=True)
        for agent in turn.agents:
            desk.turn[agent] = frozenset(self._found(agent))
        await self._pass(turn.at)
        self._turn = turn.at
        self._taken += 1
        await self._write(_TURN, {"at": format_time(turn.at)})

    def _found(self, agent: str) -> list[str]:
        found = []
        for record in self._desk.books.records.values():
            if agent == "review" and record.state == "COMPLETE" and record.review == "pending":
                found.append(record.id)
            elif record.state in ("READY", "REJECTED") and not record.stopped:
                upcoming = working.upcoming(record)
                if agent == turns.ORCHESTRATOR or (upcoming is not None and upcoming[1] == agent):
                    found.append(record.id)
        return found

    # --- the virtual clock --------------------------------------------------------------------------------------------
    async def advance(self, by: float) -> dict[str, Any]:
        """Let `by` seconds pass at once: each turn and each timer at its own moment, in order.

        Returns what is told to who asked: the time it is then, and how many turns were taken. When it returns, every
        message of what was due is on its stream.

        Raises:
            BadInput: no time that can pass.
        """
        if not 0 < by <= _LONGEST.total_seconds():
            raise BadInput(f"the clock can be advanced by up to {_LONGEST.days} days, not by {by:g} s")
        desk = self._desk
        async with self._alone:
            target, before = desk.clock.now() + timedelta(seconds=by), self._taken
            overtaken: set[Attempt] = set()
            await self._let_work(overtaken)
            while (moment := self._next(desk.clock.now())) is not None and moment <= target:
                desk.clock.advance_to(moment)
                await self._catch_up(desk.clock.now())
                await self._pass(desk.clock.now())
                await self._let_work(overtaken)
            desk.clock.advance_to(target)
            await self._catch_up(desk.clock.now())
            await self._pass(desk.clock.now())
            await self._keep_offset()
        return {"now": format_time(desk.clock.now()), "turns": self._taken - before}

    async def _let_work(self, overtaken: set[Attempt]) -> None:
        """Agents work in real time: let those that are at work end, and what follows from that begin.

        One that is not done after a while is overtaken, and not waited for again: it may hang.
        """
        books, loop = self._desk.books, asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        while working := _at_work(books.records.values()) - overtaken:
            if loop.time() >= deadline:
                overtaken |= working
                return
            books.changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, deadline - loop.time())):
                    await books.changed.wait()
            await self._pass(self._desk.clock.now())

    def _due(self) -> list[datetime]:
        """The moments at which something is to happen without anybody doing anything."""
        desk = self._desk
        now = desk.clock.now()
        due = [*desk.breakers.rest_ends()]
        for record in desk.books.records.values():
            if record.due is not None:
                due.append(record.due)
            if (moment := desk.stuck_at(record)) is not None:
                due.append(moment)
        if self.by_turns:
            due.append(turns.next_turn(max(self._turn or now, now - turns.CYCLE)).at)
        return [moment for moment in due if moment > now] + [
            now for moment in due if moment <= now and moment > now - timedelta(seconds=_LOOKS)
        ]

    def _next(self, now: datetime) -> datetime | None:
        later = [moment for moment in self._due() if moment > now]
        return min(later, default=None)

    async def _keep_offset(self) -> None:
        await self._write(_CLOCK, {"offset": self._desk.clock.offset.total_seconds()})

    async def _write(self, key: str, value: dict[str, Any]) -> None:
        with contextlib.suppress(AgogError):
            await self._desk.books.bucket.put(key, json.dumps(value).encode())

    def _told_offset(self, key: str, value: bytes | None, revision: int) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = timedelta(seconds=float(json.loads(value or b"")["offset"]))
            # One's own word comes back late, too; time never goes backwards, not even from before a `start_at`.
            self._desk.clock.offset = max(told, self._desk.clock.offset) if self._offset_known else told
            self._offset_known = True

    def _told_turn(self, key: str, value: bytes | None, revision: int) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = parse_time(json.loads(value or b"")["at"])
            self._turn = told if self._turn is None else max(told, self._turn)
