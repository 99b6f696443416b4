"""Whether each part of the service works, and if not, why: for `/readyz`, and in the log once per change."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from pytest_agog.masking import mask
from pytest_agog.reference.comms.ingest.counters import Counters

_LOG: Final = logging.getLogger(__name__)
STARTING: Final = "starting"
FIRST_PAUSE: Final = 0.05
ASIDE: Final = frozenset({"retention"})
"""Parts without which the service does its work all the same."""
LONGEST_PAUSE: Final = 1.0
"""Seconds between attempts: back within about a second, and no busy loop."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the service does all that it is for."""

    ready: bool
    parts: dict[str, str] = field(default_factory=dict)
    """Part to `ok`, `starting`, or what is wrong with its remedy, masked."""


class Health:
    """The parts of one service. A trouble is logged when it begins, when it changes and when it is over."""

    def __init__(self, counters: Counters | None = None) -> None:
        self._parts: dict[str, str] = {}
        self._counters = counters
        self._changed = asyncio.Event()

    def expect(self, part: str) -> None:
        """A part that is not ready yet."""
        self._parts[part] = STARTING

    def good(self, part: str) -> None:
        """The part works."""
        before = self._parts.get(part)
        if before == "ok":
            return
        self._parts[part] = "ok"
        if before not in (None, STARTING):
            _LOG.warning("%s: works again", part)
        self._wake()

    def bad(self, part: str, error: BaseException | str) -> None:
        """The part does not work."""
        text = " ".join(mask(str(error) or type(error).__name__).split())[:500]
        if self._counters is not None:
            self._counters.error(f"{part}: {text}")
        if self._parts.get(part) != text:
            self._parts[part] = text
            _LOG.warning("%s: %s", part, text)
            self._wake()

    def drop(self, part: str) -> None:
        """The part is no more."""
        self._parts.pop(part, None)

    def readiness(self) -> Readiness:
        """All parts at this moment."""
        return Readiness(
            all(state == "ok" for part, state in self._parts.items() if part not in ASIDE), dict(self._parts)
        )

    async def changed(self) -> None:
        """Wait until some part changes."""
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Pause:
    """The time between two attempts: 50 ms, doubled up to a second, from the start again after a success."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE

    async def wait(self) -> None:
        """Pause."""
        await asyncio.sleep(self._next)
        self._next = min(self._next * 2, LONGEST_PAUSE)

    def reset(self) -> None:
        """It worked."""
        self._next = FIRST_PAUSE
