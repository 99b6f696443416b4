"""Health of all parts, looked at every five seconds: for `/readyz`, the board and `agog_part_up`. [X5]"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from pytest_agog.masking import mask
from pytest_agog.reference.observing.health import Condition, Part

EVERY: Final = 5.0
"""Seconds between two looks."""
_PATIENCE: Final = 4.0
_LOG: Final = logging.getLogger(__name__)
Look = Callable[[], Awaitable[bool | None]]
"""Whether a part works, None when that cannot be told; raising is as good as no."""
Own = Callable[[], bool | None]
_CONDITIONS: Final[Mapping[bool | None, Condition]] = {True: "up", False: "down", None: "unknown"}
_WORDS: Final[Mapping[Condition, str]] = {
    "up": "ok", "down": "not working", "unknown": "unknown", "starting": "starting",
}  # fmt: skip
_VALUES: Final[Mapping[Condition, float]] = {"up": 1, "down": 0, "starting": 0, "unknown": math.nan}


class Watch:
    """The parts that a service can see. Each is there, as not up, before it was looked at. [J26]

    `looks` ask what is elsewhere, every so many seconds; `own` are parts of this process, known at every moment.
    """

    def __init__(self, looks: Mapping[str, Look], own: Mapping[str, Own] | None = None, every: float = EVERY) -> None:
        self._looks = dict(looks)
        self._own = dict(own or {})
        self._every = every
        self._seen: dict[str, Condition] = dict.fromkeys(self._looks, "starting")
        self._since: dict[str, tuple[Condition, datetime]] = {}
        self._hanging: dict[str, asyncio.Future[bool | None]] = {}
        self.looked = 0
        """How often all parts were looked at."""

    def seen(self, part: str) -> Condition:
        """How a part that is looked at was found; KeyError for others."""
        return self._seen[part]

    @property
    def conditions(self) -> dict[str, Condition]:
        """Part to how it is."""
        return self._seen | {part: _CONDITIONS[of()] for part, of in self._own.items()}

    @property
    def parts(self) -> tuple[Part, ...]:
        """Each with the moment since which it is seen to be so."""
        now = datetime.now(UTC)
        for part, condition in self.conditions.items():
            if self._since.get(part, (None, now))[0] != condition:
                self._since[part] = condition, now
        return tuple(Part(part, condition, self._since[part][1]) for part, condition in self.conditions.items())

    @property
    def up(self) -> dict[str, float]:
        """Part to 1 or 0; what cannot be told is NaN."""
        return {part: _VALUES[condition] for part, condition in self.conditions.items()}

    @property
    def told(self) -> dict[str, str]:
        """Part to `ok`, `starting`, `not working` or `unknown`."""
        return {part: _WORDS[condition] for part, condition in self.conditions.items()}

    async def look(self) -> None:
        """Look at every part now. Never raises."""
        await asyncio.gather(*(self._one(part, look) for part, look in self._looks.items()))
        self.looked += 1
        _ = self.parts  # takes note of what changed

    async def _one(self, part: str, look: Look) -> None:
        hanging = self._hanging.get(part)
        if hanging is not None and not hanging.done():
            return  # one that cannot even be called off is asked nothing more until it lets go
        task = asyncio.ensure_future(look())
        self._hanging[part] = task
        try:
            await asyncio.wait({task}, timeout=_PATIENCE)
        finally:
            task.add_done_callback(_quietly)
            task.cancel()  # without waiting: a client of a server that hangs may take long to give up
        self._seen[part] = "down"
        if not task.done():
            _LOG.debug("%s does not answer within %g s", part, _PATIENCE)
            return
        try:
            self._seen[part] = _CONDITIONS[task.result()]
        except Exception as error:
            _LOG.debug("%s does not work: %s", part, mask(str(error))[:200])

    async def keep_looking(self) -> None:
        """Look again and again, for ever. What hangs takes patience out of the pause, and does not make it longer."""
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            await self.look()
            await asyncio.sleep(max(0.0, begun + self._every - clock()))


def _quietly(task: asyncio.Future[bool | None]) -> None:
    """Whatever comes of it is known already, or comes too late."""
    if not task.cancelled():
        task.exception()


@contextlib.asynccontextmanager
async def watching(watch: Watch) -> AsyncIterator[Watch]:
    """Looks again and again while the block runs."""
    task = asyncio.create_task(watch.keep_looking())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
