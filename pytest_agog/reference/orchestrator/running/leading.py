"""Which of several orchestrators decides what starts. All of them deal with results; one of them leads.

Each instance writes its own key twice a second. The leader's name stands in key `leader`; when its own key has not
changed for two seconds, another takes the lead by compare-and-set. No clocks are compared: each instance judges by what
it saw change, and when. Records are safe without this: what two leaders at once would do differently is decided by
compare-and-set on each of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Final
from uuid import uuid4

from pytest_agog.errors import AgogError
from pytest_agog.reference.orchestrator.messaging.bucket import Moved
from pytest_agog.reference.orchestrator.running.books import Books

LOG: Final = logging.getLogger(__name__)
BEAT: Final = 0.5
"""Seconds between two signs of life."""
DEAD: Final = 2.0
"""Seconds without one after which an instance counts as gone."""
_PREFIX: Final = "instance."
_LEADER: Final = "leader"


class Leading:
    """This instance's life, and its knowledge of the others'."""

    def __init__(self, books: Books) -> None:
        self.me = uuid4().hex[:12]
        self._books = books
        self._seen: dict[str, float] = {}
        self._revisions: dict[str, int] = {}
        self._holder: str | None = None
        self._revision = 0
        self._beaten = 0.0
        self.changed = asyncio.Event()
        """Set when this instance takes or loses the lead."""
        books.watch(_PREFIX, self._heard)
        books.watch(_LEADER, self._led)

    @property
    def leads(self) -> bool:
        """Whether this instance decides; one that cannot be heard of does not."""
        return self._holder == self.me and time.monotonic() - self._beaten < DEAD

    def alive(self, instance: str | None) -> bool:
        """Whether that instance gave a sign of life lately."""
        if instance is None:
            return False
        return instance == self.me or time.monotonic() - self._seen.get(instance, -DEAD) < DEAD

    def buried(self) -> list[str]:
        """Instances that have died since this was last asked; what they had in hand is to be looked after."""
        now = time.monotonic()
        dead = [name for name, seen in self._seen.items() if name != self.me and now - seen >= DEAD]
        for name in dead:
            del self._seen[name]
        return dead

    async def run(self) -> None:
        """Live, and lead when nobody does; for ever."""
        while True:
            try:
                async with asyncio.timeout(DEAD):
                    await self._books.bucket.put(_PREFIX + self.me, b"alive")
                    self._beaten = time.monotonic()
                    await self._take_the_lead()
            except (AgogError, TimeoutError) as error:
                LOG.debug("no sign of life: %s", error)
            await asyncio.sleep(BEAT)

    async def resign(self) -> None:
        """Let another lead at once."""
        with contextlib.suppress(AgogError, TimeoutError):
            async with asyncio.timeout(1):
                if self._holder == self.me:
                    await self._books.bucket.delete(_LEADER, after=self._revision)
                if own := self._revisions.get(self.me):
                    await self._books.bucket.delete(_PREFIX + self.me, after=own)

    async def _take_the_lead(self) -> None:
        if self._holder is not None and self.alive(self._holder):
            return
        dead, self_revision = self._holder, self._revision
        try:
            revision = await self._books.bucket.put(_LEADER, self.me.encode(), after=self_revision)
        except Moved:
            return
        self._led(_LEADER, self.me.encode(), revision)
        if dead is not None and (left := self._revisions.pop(dead, None)):
            await self._books.bucket.delete(_PREFIX + dead, after=left)

    def _heard(self, key: str, value: bytes | None, revision: int) -> None:
        name = key.removeprefix(_PREFIX)
        if value is None:
            self._seen.pop(name, None)
            self._revisions.pop(name, None)
        else:
            self._seen[name] = time.monotonic()
            self._revisions[name] = revision

    def _led(self, key: str, value: bytes | None, revision: int) -> None:
        if key != _LEADER or revision <= self._revision:
            return
        self._revision = revision
        before, self._holder = self._holder, value.decode("ascii", "replace") if value else None
        if (before == self.me) != (self._holder == self.me):
            self.changed.set()
