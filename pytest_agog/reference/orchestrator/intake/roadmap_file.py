"""Updating a roadmap file: whole or not at all, and never over somebody else's change. [O13]

Writers of ours take turns by a lock on the folder. Others (an editor, git) know no lock: the file's digest is compared
right before the new file takes its place, and the update starts again from what is there when it differs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_agog.errors import BadInput, RoadmapChanging, RoadmapUnwritable
from pytest_agog.reference.orchestrator.intake.roadmap import parse
from pytest_agog.reference.orchestrator.intake.roadmap_edit import Changes, Edited, edit

ATTEMPTS: Final = 10
_TEMPORARY: Final = ".agog-roadmap-"


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did."""

    digest: str
    """SHA-256 of the file as it is now, as hexadecimal."""
    changed: tuple[str, ...]
    absent: tuple[str, ...]
    """The ids that no readable entry has (any more)."""


def update_roadmap(path: Path, changes: Changes, *, attempts: int = ATTEMPTS) -> Updated:
    """Change fields of entries; nothing else of the file changes, its mode, owner and extended attributes neither.

    A symbolic link stays one: the file that it points to is changed. Blocks for some milliseconds (the file is synced
    to disk), so call it in a thread from asyncio.

    Args:
        path: the roadmap.
        changes: by id, the fields to change and their new values.
        attempts: how often to start again when others change the file meanwhile.

    Raises:
        BadInput: it cannot be read, or a value cannot be written.
        RoadmapUnwritable: its rights or those of its folder do not allow it.
        RoadmapChanging: others changed it in every attempt.
    """
    try:
        real = path.resolve(strict=True)
        with _turn(real.parent) as alone:
            if alone:
                _sweep(real.parent)
            for _ in range(attempts):
                done = _attempt(real, str(path), changes)
                if done is not None:
                    return done
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RoadmapUnwritable(path=path, reason=reason) from None
    raise RoadmapChanging(path=path, attempts=attempts)


def _attempt(real: Path, name: str, changes: Changes) -> Updated | None:
    """One try; None when the file changed meanwhile."""
    data = real.read_bytes()
    edited = edit(parse(data, name=name), changes)
    if not edited.changed:
        return _updated(edited)
    if not os.access(real, os.W_OK):
        raise PermissionError(13, "it is read-only", str(real))
    if not _replace(real, data, edited.data):
        return None
    return _updated(edited) if _reads_back(real, edited, changes) else None


def _updated(edited: Edited) -> Updated:
    return Updated(hashlib.sha256(edited.data).hexdigest(), edited.changed, edited.absent)


def _reads_back(real: Path, edited: Edited, changes: Changes) -> bool:
    """Whether the file now says what was written, also when somebody has written something else of it since."""
    data = real.read_bytes()
    if data == edited.data:
        return True
    try:
        return not edit(parse(data), {identity: changes[identity] for identity in edited.changed}).changed
    except BadInput:
        return False


def _replace(real: Path, old: bytes, new: bytes) -> bool:
    """Put a file with `new` in its place, if it still holds `old`."""
    handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=real.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        _take_after(real, temporary)
        if real.read_bytes() != old:
            return False
        Path(temporary).replace(real)
        _sync(real.parent)
        return True
    finally:
        Path(temporary).unlink(missing_ok=True)


def _take_after(real: Path, temporary: str) -> None:
    """Mode, owner and extended attributes of the file that is replaced; its times are those of now."""
    status = real.stat()
    mine = Path(temporary).stat()
    if (mine.st_uid, mine.st_gid) != (status.st_uid, status.st_gid):
        os.chown(temporary, status.st_uid, status.st_gid)
    shutil.copystat(real, temporary)
    os.utime(temporary)


def _sync(folder: Path) -> None:
    """The new name reaches the disk, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what a writer left that was killed; with the lock held, none is at work."""
    for leftover in folder.glob(f"{_TEMPORARY}*"):
        leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[bool]:
    """The folder's lock; False where the file system has none."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
