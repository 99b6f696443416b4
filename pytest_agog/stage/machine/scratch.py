"""A folder in memory for data that no run needs again.

A fresh Postgres is 1,500 small files. Making them takes 0.05 s in memory, 0.15 s on a good disk, and seconds on a file
system that has just deleted as many. So they go to `/dev/shm` where it has room, else to the given folder. A lock that
the owner holds tells whose folders are abandoned: the watchdog removes those of a killed run, the next run the rest.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from pytest_agog.stage.machine.spawning import SPAWNER

VARIABLE = "AGOG_SCRATCH_DIR"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_ROOM = 10**9
_LOCK = "owner"
_NEWBORN = 60.0
"""Seconds for which a folder without a lock may be one that is just being made."""


class Scratch:
    """One folder; `path` exists until `release`."""

    def __init__(self, otherwise: Path) -> None:
        """Make it in memory, or as `otherwise` where memory is no choice."""
        base = _base()
        self._lock: int | None = None
        if base is None:
            otherwise.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path = otherwise
            self._own = otherwise
            return
        _sweep(base)
        self._own = Path(tempfile.mkdtemp(prefix=_prefix(), dir=base))
        SPAWNER.watchdog.add_folder(self._own)
        self._lock = os.open(self._own / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The work may belong to another user, who has to get through to it.
        self._own.chmod(0o711)
        self.path = self._own / "work"
        self.path.mkdir(mode=0o700)

    def release(self) -> None:
        """Remove it; idempotent."""
        shutil.rmtree(self._own, ignore_errors=True)
        if self._lock is not None:
            SPAWNER.watchdog.remove_folder(self._own)
            os.close(self._lock)
            self._lock = None


def _prefix() -> str:
    return f"agog-{os.geteuid()}-"


def _base() -> Path | None:
    """`AGOG_SCRATCH_DIR`, else memory with a gigabyte to spare, else nothing."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    if sys.platform != "linux":
        return None
    try:
        room = os.statvfs(_MEMORY)
    except OSError:
        return None
    enough = room.f_bavail * room.f_frsize >= _ROOM
    return _MEMORY if enough and os.access(_MEMORY, os.W_OK | os.X_OK) else None


def _sweep(base: Path) -> None:
    """Remove what runs that were killed left behind: nobody holds its lock."""
    for folder in base.glob(f"{_prefix()}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            if _abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime > _NEWBORN
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return time.time() - folder.stat().st_mtime > _NEWBORN
