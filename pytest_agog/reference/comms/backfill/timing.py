"""When something happened that does not say so: between its neighbours, in order.

Where no line says so, the last one has the file's age. Otherwise that is not asked: files get copied and unpacked.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Final

_STEP: Final = timedelta(milliseconds=1)
"""Apart from the only neighbour that has a time."""
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9998, 12, 31, tzinfo=UTC)


class Clock:
    """Times of lines. Feed what is known, in the order of lines, then ask."""

    def __init__(self) -> None:
        self._lines: list[int] = []
        self._times: list[datetime] = []

    def know(self, line: int, at: datetime) -> None:
        """`line` says that it happened at `at`. A time before that of an earlier line is no help to its neighbours."""
        if not self._lines or (line > self._lines[-1] and at >= self._times[-1]):
            self._lines.append(line)
            self._times.append(at)

    def end(self, line: int, modified: float) -> None:
        """The file ends at `line`, and was last written at `modified` (seconds since 1970)."""
        if self._lines:
            return
        try:
            at = datetime.fromtimestamp(modified, UTC)
        except (ValueError, OverflowError, OSError):
            at = _EARLIEST
        self.know(line + 1, at)

    def at(self, line: int) -> datetime:
        """When `line` happened: as it says, or in proportion between the two lines around it that do."""
        after = bisect_right(self._lines, line)
        if after == 0:
            return self._beyond(0, line)
        if self._lines[after - 1] == line or after == len(self._lines):
            return self._beyond(after - 1, line)
        first, last = self._lines[after - 1], self._lines[after]
        start, end = self._times[after - 1], self._times[after]
        return start + (end - start) * ((line - first) / (last - first))

    def _beyond(self, known: int, line: int) -> datetime:
        if not self._lines:
            return _EARLIEST
        try:
            return min(_LATEST, self._times[known] + (line - self._lines[known]) * _STEP)
        except OverflowError:
            return self._times[known]
