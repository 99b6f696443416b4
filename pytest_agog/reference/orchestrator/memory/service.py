"""Memory as the orchestrator has it: never in its way. What cannot be written now waits, within bounds. [O20]"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pytest_agog.errors import AgogError, MemoryAway
from pytest_agog.reference.orchestrator.memory.happenings import Happening
from pytest_agog.reference.orchestrator.memory.lessons import CONFLICT, TOKENS, learn, load_lessons
from pytest_agog.reference.orchestrator.memory.memory import Memory
from pytest_agog.reference.orchestrator.memory.model import Briefing, Note, Recollection
from pytest_agog.reference.orchestrator.planning.lessons import Lessons

LOG: Final = logging.getLogger(__name__)
LONGEST: Final = 1000
"""Notes that wait while Postgres is away; the oldest are given up first."""
_PAUSES: Final = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to write; the last one over and over."""
_PATIENCE: Final = 5.0
"""Seconds that starting waits for what is known; without an answer the orchestrator starts knowing nothing yet."""
_LAST_CHANCE: Final = 2.0
"""Seconds that leaving waits for what is unwritten."""


class MemoryService:
    """Reads and writes one agent's memory from entering to leaving the context; no method raises `MemoryAway`.

    `lessons` is the same object until something new was learned, by this instance or (seen at `tend`) by another.
    """

    def __init__(self, memory: Memory, agent: str = "orchestrator") -> None:
        self.memory = memory
        self.agent = agent
        self.lessons = Lessons()
        self.briefing: Briefing | None = None
        """What the agent knew when it started; None while memory has not been reached."""
        self.away: str | None = None
        """Why memory cannot be used; None while it can."""
        self._waiting: deque[Note] = deque()
        self._given_up = 0
        self._written = 0
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> MemoryService:
        await self._start()
        self._task = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0 if self.away else _LAST_CHANCE):
                await self._empty.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._waiting:
            LOG.warning("%d memories were not written: %s", len(self._waiting), self.away or "there was no time")
        await self.memory.close()

    # --- writing ----------------------------------------------------------------------------------------------------
    def happened(self, happening: Happening, at: datetime) -> Note | None:
        """Learn from it, and return the lesson. It is written in the background."""
        note = learn(happening, at)
        if note is not None:
            self.note(note)
        return note

    def note(self, note: Note) -> None:
        """Remember it; it is written in the background."""
        if note.happened is None:
            note = replace(note, happened=datetime.now(UTC))
        if len(self._waiting) >= LONGEST:
            self._waiting.popleft()
            self._given_up += 1
        self._waiting.append(note)
        self._empty.clear()
        self._news.set()

    async def settled(self) -> None:
        """Wait until everything is written and learned."""
        await self._empty.wait()

    # --- reading ----------------------------------------------------------------------------------------------------
    async def recall(self, query: str, *, limit: int = 8, now: datetime | None = None) -> tuple[Recollection, ...]:
        """See `Memory.recall`; nothing while memory is away, at once."""
        if self.away is not None:
            return ()
        try:
            return await self.memory.recall(self.agent, query, limit=limit, now=now)
        except MemoryAway as error:
            self._failed(error)
        except AgogError as error:
            LOG.warning("%s", error)
        return ()

    async def tend(self, now: datetime) -> None:
        """Let memories age, and hear what other instances have learned; once in a while."""
        if self.away is not None:
            return
        try:
            aged = await self.memory.age(now, self.agent)
            if aged.moved or aged.summed_up or aged.dropped:
                LOG.info("memory aged: %d moved, %d summed up, %d dropped", aged.moved, aged.summed_up, aged.dropped)
            await self._learn()
        except MemoryAway as error:
            self._failed(error)
        except AgogError as error:
            LOG.warning("%s", error)

    def state(self) -> dict[str, Any]:
        """What `/readyz` says of it."""
        return {
            "away": self.away, "searches": self.memory.searches(), "written": self._written,
            "waiting": len(self._waiting), "given_up": self._given_up,
        }  # fmt: skip

    # --- how it goes on ---------------------------------------------------------------------------------------------
    async def _start(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._brief()
        except AgogError as error:
            self._failed(error)
        except TimeoutError:
            self._failed(MemoryAway(dsn=self.memory.where, reason=f"no answer within {_PATIENCE:.0f} s"))

    async def _brief(self) -> None:
        self.briefing = await recall_for_start(self.memory, self.agent)
        await self._learn()

    async def _learn(self) -> None:
        found = await load_lessons(self.memory, self.agent)
        if found != self.lessons:
            LOG.info("lessons: %s", _told(found))
            self.lessons = found

    async def _write(self) -> None:
        failures = 0
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                if self.briefing is None:
                    await self._brief()
                elif self.away is not None:
                    await self._learn()
                self._works()
                await self._write_all()
            except AgogError as error:
                self._failed(error)
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
            else:
                failures = 0
                if not self._waiting:
                    self._empty.set()

    async def _write_all(self) -> None:
        learned = False
        while self._waiting:
            note = self._waiting[0]
            try:
                await self.memory.keep(self.agent, note)
                self._written += 1
                learned = learned or note.kind in (CONFLICT, TOKENS)
            except MemoryAway:
                raise
            except Exception as error:  # one note that nobody can write must not keep the others from being written
                self._given_up += 1
                LOG.warning(
                    "a memory of %s is given up: %s", note.kind, error, exc_info=not isinstance(error, AgogError)
                )
            if self._waiting and self._waiting[0] is note:
                self._waiting.popleft()  # unless it had to make room meanwhile
        if learned:
            await self._learn()

    def _failed(self, error: AgogError) -> None:
        if self.away is None:
            LOG.warning("%s", error)
        self.away = str(error)
        self._news.set()  # the writer goes on trying

    def _works(self) -> None:
        if self.away is not None:
            LOG.info("memory can be used again; %d notes wait, %d were given up", len(self._waiting), self._given_up)
            self.away = None


async def recall_for_start(memory: Memory, agent: str) -> Briefing:
    """What an agent is told when it starts, and the log with it.

    Raises:
        MemoryAway, MemoryRefused: memory cannot be asked.
    """
    found = await memory.briefing(agent)
    LOG.info("%s", found)
    for one in found.core:
        LOG.info("core memory %d: %s", one.id, one.text.partition("\n")[0][:200])
    return found


def _told(lessons: Lessons) -> str:
    factors = ", ".join(
        f"{lane} takes {factor:.2f} times its estimate" for lane, factor in lessons.token_factors.items()
    )
    pairs = ", ".join(f"{one} never beside {other}" for one, other in lessons.conflicts)
    return "; ".join(filter(None, (factors, pairs))) or "none"
