"""The roadmap file: what it asks for is taken in, and what became of it is written back. [O1] [O13]"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake.roadmap import Roadmap, read_roadmap
from pytest_agog.reference.orchestrator.intake.roadmap_edit import flat
from pytest_agog.reference.orchestrator.intake.roadmap_file import update_roadmap
from pytest_agog.reference.orchestrator.intake.stated import Stated, Unreadable
from pytest_agog.reference.orchestrator.running.desk import Desk
from pytest_agog.reference.orchestrator.running.requests import Requests
from pytest_agog.reference.orchestrator.state.record import Record

LOG: Final = logging.getLogger(__name__)
_WORDS: Final = {
    "ASSIGNED": "In Progress", "IN_PROGRESS": "In Progress", "GATING": "In Progress", "BLOCKED": "Blocked",
    "ESCALATED": "Escalated", "COMPLETE": "Complete", "FAILED": "Failed",
}  # fmt: skip
"""What a roadmap says of a state. One that is not here leaves the entry as it is."""
_TAKEN: Final = ("PENDING", "READY")


class RoadmapKeeper:
    """Reads one roadmap and keeps its statuses true; several instances may keep the same file."""

    def __init__(self, path: Path, desk: Desk, requests: Requests) -> None:
        self.path = path
        self._desk = desk
        self._requests = requests
        self._stamp: tuple[int, int, int] | None = None
        self._roadmap: Roadmap | None = None
        self._reported: frozenset[Unreadable] = frozenset()
        self._refused: dict[str, dict[str, str]] = {}
        """Changes that an entry does not take; it is left alone until there is another change, or another entry."""

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """Entries that a human has to correct."""
        return self._roadmap.unreadable if self._roadmap is not None else ()

    def changed(self) -> bool:
        """Whether the file is another one than the one last read."""
        return self._look() != self._stamp

    async def read(self) -> None:
        """Take in what is pending; restate what has not begun. An unreadable entry is reported once and left alone.

        Raises:
            AgogError: the state cannot be written.
        """
        stamp = self._look()
        if stamp == self._stamp:
            return
        try:
            self._roadmap = await asyncio.to_thread(read_roadmap, self.path)
        except BadInput as error:
            if self._stamp != stamp:
                LOG.warning("%s", error)
            self._stamp = stamp
            return
        for one in self._roadmap.unreadable:
            if one not in self._reported:
                LOG.warning("%s", one)
        self._reported = frozenset(self._roadmap.unreadable)
        self._refused.clear()
        records = self._desk.books.records
        entries = [entry.stated for entry in self._roadmap.entries.values()]
        needed = {need for one in entries if one.state in _TAKEN for need in one.dependencies}
        for stated in entries:
            # What was complete before is taken in only where something waits for it.
            if stated.id in records or stated.state in _TAKEN or (stated.state == "COMPLETE" and stated.id in needed):
                await self._requests.take(stated)
        self._stamp = stamp

    async def write(self, records: Mapping[str, Record]) -> None:
        """Write the statuses that differ, byte for byte nothing else; then read the file back.

        An entry that does not take its change is reported once and left alone; the others are written all the same.

        Raises:
            AgogError: the file cannot be written.
        """
        roadmap = self._roadmap
        if roadmap is None:
            return
        changes = {}
        for identity, entry in roadmap.entries.items():
            record = records.get(identity)
            if record is None or (change := _change(entry.stated, record)) is None:
                continue
            written = entry.fields.get("Status")
            before = written.value if written is not None else ""
            wanted = {name: _in_the_manner(value, before if name == "Status" else "") for name, value in change.items()}
            if self._refused.get(identity) != wanted:
                changes[identity] = wanted
        if not changes:
            return
        await asyncio.to_thread(self._update, changes)
        self._roadmap = await asyncio.to_thread(read_roadmap, self.path)
        self._stamp = self._look()

    def _update(self, changes: dict[str, dict[str, str]]) -> None:
        """All of them at once; when that is refused, halves of them, down to the entry that is the reason."""
        try:
            update_roadmap(self.path, changes)
        except BadInput as error:
            if len(changes) == 1:
                LOG.warning("%s; this entry is left alone", error)
                self._refused |= changes
                return
            identities = list(changes)
            middle = len(identities) // 2
            for half in (identities[:middle], identities[middle:]):
                self._update({identity: changes[identity] for identity in half})

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _change(stated: Stated, record: Record) -> dict[str, str] | None:
    word = _WORDS.get(record.state)
    state = "IN_PROGRESS" if word == "In Progress" else record.state
    if word is None or stated.state == state:
        return None
    change = {"Status": word}
    if record.state in ("BLOCKED", "ESCALATED"):
        why = record.blockers or ((record.history[-1].why,) if record.history else ())
        if text := flat("; ".join(why)):
            change["Blockers"] = text
    return change


def _in_the_manner(value: str, before: str) -> str:
    """The status in capitals where the file writes it so."""
    letters = [sign for sign in before if sign.isalpha()]
    if letters and all(sign.isupper() for sign in letters):
        return value.upper().replace(" ", "_")
    return value
