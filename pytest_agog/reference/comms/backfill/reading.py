"""One artifact of a run, read twice: once for the ids and times of all its messages, once for the messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.comms.backfill import codex_events, codex_log
from pytest_agog.reference.comms.backfill.drafts import BadLine, Draft, message_id
from pytest_agog.reference.comms.backfill.files import EVENTS, LOG, lines, opened
from pytest_agog.reference.comms.backfill.timing import Clock

MAX_TOLD: Final = 100
"""Bad lines that are told one by one; beyond that they are counted."""
_PARSERS: Final = {EVENTS: codex_events.parse, LOG: codex_log.parse}


@dataclass
class Artifact:
    """A file that holds messages. Memory: an id and perhaps a time for each message, and the longest line."""

    name: str
    file: BinaryIO
    size: int
    """Bytes at the first look; what is written later is left for another time."""
    found: int = 0
    bad: list[BadLine] = field(default_factory=list)
    """The first `MAX_TOLD` lines that tell nothing."""
    bad_count: int = 0
    clock: Clock = field(default_factory=Clock)

    def messages(self) -> Iterator[Draft]:
        """All messages, in order."""
        return (item for item in self._read() if isinstance(item, Draft))

    def ids(self, run: str) -> frozenset[str]:
        """The id of each message, as `run` has them."""
        return frozenset(message_id(run, self.name, draft) for draft in self.messages())

    def at(self, draft: Draft) -> datetime:
        """When it happened."""
        return draft.at or self.clock.at(draft.line)

    def survey(self) -> None:
        """Count messages and bad lines, and learn the times."""
        last = 0
        for item in self._read():
            last = max(last, item.line)
            if isinstance(item, Draft):
                self.found += 1
                if item.at is not None:
                    self.clock.know(item.line, item.at)
            else:
                self.bad_count += 1
                if len(self.bad) < MAX_TOLD:
                    self.bad.append(item)
        self.clock.end(last, os.fstat(self.file.fileno()).st_mtime)

    def _read(self) -> Iterator[Draft | BadLine]:
        return _PARSERS[self.name](lines(self.file, self.size))

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def artifact_in(folder: Path) -> Artifact:
    """The events in `folder`, surveyed; the plain log where they tell nothing. The caller closes it.

    Bad lines of events that tell nothing at all are counted with those of the log.

    Raises:
        BadInput: there is neither, or nothing in them can be read.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder. Give the folder in which the agent left its files.")
    empty: Artifact | None = None
    for name in (EVENTS, LOG):
        artifact = _surveyed(folder, name)
        if artifact is None:
            continue
        if empty is not None:
            artifact.bad = [*empty.bad, *artifact.bad][:MAX_TOLD]
            artifact.bad_count += empty.bad_count
        if artifact.found:
            return artifact
        artifact.close()
        empty = artifact
    if empty is None:
        raise BadInput(f"{folder} holds neither {EVENTS} nor {LOG}. Give the folder in which the agent left them.")
    first = f"; line {empty.bad[0].line}: {empty.bad[0].reason}" if empty.bad else ""
    raise BadInput(f"{folder / empty.name} holds no message ({empty.bad_count} lines cannot be read{first}).")


def _surveyed(folder: Path, name: str) -> Artifact | None:
    file = opened(folder, name)
    if file is None:
        return None
    try:
        artifact = Artifact(name, file, os.fstat(file.fileno()).st_size)
        artifact.survey()
    except BaseException:
        file.close()
        raise
    return artifact
