"""Backfills that clients ask for when a run is complete: one at a time, and no more at once than can be remembered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import psycopg

from pytest_agog.errors import AgogError
from pytest_agog.masking import mask

MAX_AT_ONCE: Final = 1
"""The other connections of the pool are for readers."""
MAX_WAITING: Final = 1000
_LOG = logging.getLogger(__name__)


class Completing:
    """Backfills run by run. `complete` does one of them.

    What goes wrong stands in the log; who asked is long gone, and may ask again.
    """

    def __init__(self, complete: Callable[[str], Awaitable[Any]]) -> None:
        self._complete = complete
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._turn = asyncio.Semaphore(MAX_AT_ONCE)

    def begin(self, run_id: str) -> bool:
        """Backfill a run. One that is under way is done once more after it, since files may have grown meanwhile.
        False when too many wait already."""
        if run_id not in self._tasks:
            if len(self._tasks) >= MAX_WAITING:
                return False
            self._tasks[run_id] = asyncio.create_task(self._run(run_id), name="agog-comms-backfill")
        self._again.add(run_id)
        return True

    async def stop(self) -> None:
        """End those that are under way. What they stored is complete in itself."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, run_id: str) -> None:
        try:
            async with self._turn:
                while run_id in self._again:
                    self._again.discard(run_id)
                    await self._complete(run_id)
        except (AgogError, psycopg.Error, OSError, TimeoutError) as error:
            _LOG.warning("backfill of a run: %s", mask(" ".join(str(error).split()))[:200])
        except Exception:
            _LOG.exception("backfill of a run")
        finally:
            self._again.discard(run_id)
            self._tasks.pop(run_id, None)
