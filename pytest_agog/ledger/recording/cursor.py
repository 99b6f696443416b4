"""How far one stream has been read, and what of it is already in the ledger."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Cursor:
    """The reading of one stream."""

    name: str
    created: str
    """When the server says the stream was created: another time means another stream of the same name."""
    direct: bool
    """Direct get is allowed."""
    transforms: bool
    """Messages are stored under other subjects than they were published on."""
    records: bool
    """Messages go into the ledger; otherwise only the stream's state does (chunks of objects, copies in a mirror)."""
    next: int = 1
    """The first sequence that was not read yet."""
    target: int = 0
    """The last sequence that is known to exist."""
    gone: bool = False
    """The stream was deleted; a stream of this name is another one."""
    known: dict[int, float] = field(default_factory=dict)
    """Sequences (with the server's time) that a second reading will meet again."""
    _holes: list[tuple[int, int]] = field(default_factory=list)
    """Sequences that were gone when they were read: from, up to but not including; ascending."""

    @property
    def behind(self) -> bool:
        """Whether something that exists was not read yet."""
        return self.next <= self.target

    def skip_to(self, sequence: int) -> tuple[int, int] | None:
        """Everything before `sequence` that was not read is gone; returns that hole, if there is one."""
        if sequence <= self.next:
            return None
        hole = (self.next, sequence)
        if self._holes and self._holes[-1][1] == hole[0]:
            self._holes[-1] = (self._holes[-1][0], hole[1])
        else:
            self._holes.append(hole)
        self.next = sequence
        return hole

    def is_hole(self, sequence: int) -> bool:
        """Whether `sequence` was gone when it was read."""
        place = bisect_right(self._holes, (sequence, float("inf"))) - 1
        return place >= 0 and sequence < self._holes[place][1]

    def rewind(self, sequence: int, known: dict[int, float]) -> None:
        """Read again from `sequence`; what the ledger holds already (`known`) is not recorded twice."""
        self.next = sequence
        self.target = 0
        self.known = known
        self._holes.clear()

    def take(self, sequence: int, time: float) -> bool:
        """Step over the message at `sequence`. False when it is in the ledger already."""
        self.next = sequence + 1
        if not self.known:
            return True
        return self.known.pop(sequence, None) != time


def cursor_for(info: Mapping[str, Any]) -> Cursor:
    """A cursor at the beginning of the stream that `info` (one entry of STREAM.LIST) describes."""
    config = info["config"]
    name = config["name"]
    mirror = config.get("mirror")
    chunks = name.startswith("OBJ_") and all(subject.startswith("$O.") for subject in config.get("subjects") or ())
    # A mirror of a stream that is recorded itself would show every message twice.
    copies = bool(mirror) and not mirror.get("external")
    return Cursor(
        name=name,
        created=str(info.get("created", "")),
        direct=bool(config.get("allow_direct")),
        transforms=bool(config.get("subject_transform")),
        records=not chunks and not copies,
    )
