"""Waiting for whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def first(work: Awaitable[object], event: asyncio.Event) -> bool:
    """Wait for `work` or `event`, and drop the other; whether `work` ended, and with something else than False."""
    task, waits = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([task, waits], return_when=asyncio.FIRST_COMPLETED)
        return task.done() and task.result() is not False
    finally:
        for each in (task, waits):
            each.cancel()
        await asyncio.gather(task, waits, return_exceptions=True)
