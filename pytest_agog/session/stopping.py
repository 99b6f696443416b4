"""A run that is told to end stops what it started: SIGTERM and SIGHUP end it as Ctrl-C does."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from types import FrameType
from typing import Any, Final, NoReturn

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG: Final = 1


class Stopping:
    """Signal handlers for as long as a run may have services. Handlers that somebody else set are left alone."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def begin(self, *, worker: bool) -> None:
        """From now on a signal raises KeyboardInterrupt, also where Ctrl-C is ignored because pytest runs in the
        background. A `worker` of xdist gets SIGTERM when its controller dies: by itself it would notice in 5 s."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                self._before[number] = signal.signal(number, _interrupt)
        if worker and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # xdist ends its workers with SIGINT, which they inherit as ignored when pytest runs in the background.
            self._before[signal.SIGINT] = signal.signal(signal.SIGINT, _interrupt)
        if worker and sys.platform == "linux":
            import ctypes

            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)

    def end(self) -> None:
        """Put back what was there."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(f"ended by {signal.Signals(number).name}")
