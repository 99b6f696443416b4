"""Gates do not share a working folder: they take turns, in whatever process they are.

Locks are files in a state folder outside of any repository, named after the folder itself and not after a path to it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pytest_agog.errors import BadInput

_INTERVAL: Final = 0.05
"""Seconds between looks at a lock that somebody else has; nothing tells when it is free."""


def state_folder() -> Path:
    """Where locks are: `AGOG_GATE_DIR`, else `agog/gate` of XDG_STATE_HOME."""
    if given := os.environ.get("AGOG_GATE_DIR"):
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME") or ""
    base = Path(state) if state.startswith("/") else Path(os.environ.get("HOME") or "/") / ".local" / "state"
    return base / "agog" / "gate"


@asynccontextmanager
async def alone_in(folders: Iterable[Path]) -> AsyncIterator[Path]:
    """Wait until no other gate works in any of the folders; gives the lock that whoever runs commands there holds.

    Raises:
        BadInput: the state folder cannot be used.
    """
    keys = sorted({key for folder in folders if (key := _key(folder))})
    place = state_folder()
    held: list[int] = []
    try:
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            for key in keys:  # in one order everywhere, so that no two wait for each other
                handle = os.open(place / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                held.append(handle)
                await _lock(handle)
        except OSError as error:
            raise BadInput(
                f"{place}: the gate's locks cannot be kept there: {error.strerror or error}. "
                "Give a folder that can be written with AGOG_GATE_DIR."
            ) from None
        yield place / f"{keys[0] if keys else 'none'}.run"
    finally:
        for handle in held:
            os.close(handle)


async def _lock(handle: int) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(_INTERVAL)
        else:
            return


def _key(folder: Path) -> str | None:
    try:
        there = folder.stat()
    except OSError:
        return None
    return f"{there.st_dev:x}-{there.st_ino:x}"
