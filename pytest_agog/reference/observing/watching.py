"""Health of all parts, looked at every five seconds: for `/readyz`, the board and `agog_part_up`. [X5]"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

from pytest_agog.masking import mask

EVERY: Final = 5.0
"""Seconds between two looks."""
_PATIENCE: Final = 4.0
_LOG: Final = logging.getLogger(__name__)
Look = Callable[[], Awaitable[bool]]
"""Whether a part works; raising is as good as no."""
Own = Callable[[], bool]


class Watch:
    """The parts that a service can see. Each is there, as not up, before it was looked at. [J26]

    `looks` ask what is elsewhere, every so many seconds; `own` are parts of this process, known at every moment.
    """

    def __init__(self, looks: Mapping[str, Look], own: Mapping[str, Own] | None = None, every: float = EVERY) -> None:
        self._looks = dict(looks)
        self._own = dict(own or {})
        self._every = every
        self._up: dict[str, bool | None] = dict.fromkeys(self._looks)

    @property
    def up(self) -> dict[str, bool]:
        """Part to whether it works."""
        return {part: state is True for part, state in self._up.items()} | {
            part: of() for part, of in self._own.items()
        }

    @property
    def told(self) -> dict[str, str]:
        """Part to `ok`, `starting` or `not working`."""
        words = {None: "starting", True: "ok", False: "not working"}
        return {part: words[state] for part, state in (self._up | {one: of() for one, of in self._own.items()}).items()}

    async def look(self) -> None:
        """Look at every part now. Never raises."""
        await asyncio.gather(*(self._one(part, look) for part, look in self._looks.items()))

    async def _one(self, part: str, look: Look) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                self._up[part] = await look()
        except Exception as error:
            _LOG.debug("%s does not work: %s", part, mask(str(error))[:200])
            self._up[part] = False

    async def keep_looking(self) -> None:
        """Look again and again, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._every)


@contextlib.asynccontextmanager
async def watching(watch: Watch) -> AsyncIterator[Watch]:
    """Looks again and again while the block runs."""
    task = asyncio.create_task(watch.keep_looking())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
