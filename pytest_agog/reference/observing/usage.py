"""What this process takes: memory and processor time. [X5]"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one moment."""

    memory: int
    """Resident bytes; where the system does not tell the present ones, the most that there ever were."""
    cpu_seconds: float
    """Since it started."""
    cpu_percent: float
    """Since the last look; 100 is one core."""


class OwnUsage:
    """Looks at this process now and then."""

    def __init__(self) -> None:
        self._at, self._spent = time.monotonic(), _spent()
        self._percent = 0.0

    def look(self) -> Usage:
        """What it takes now."""
        now, spent = time.monotonic(), _spent()
        if now - self._at >= 1.0:  # within less, a share says nothing
            self._percent = 100 * (spent - self._spent) / (now - self._at)
            self._at, self._spent = now, spent
        return Usage(_memory(), spent, self._percent)


def _spent() -> float:
    times = os.times()
    return times.user + times.system


def _memory() -> int:
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
