"""Move bytes between pipes and memory on an event loop, so that neither side can block the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import IO

from pytest_agog.stage.machine.output import BoundedOutput

_CHUNK = 1 << 16
_ROUNDS = 16
"""Reads in one turn of the loop, so that a process that prints without end cannot starve the rest."""


class Reader:
    """Reads a pipe into a `BoundedOutput` until its end; `ended` tells."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pipe: IO[bytes], output: BoundedOutput) -> None:
        self._loop = loop
        self._pipe = pipe
        self._output = output
        self.ended = asyncio.Event()
        os.set_blocking(pipe.fileno(), False)
        loop.add_reader(pipe.fileno(), self._read)

    def _read(self) -> None:
        for _ in range(_ROUNDS):
            try:
                chunk = os.read(self._pipe.fileno(), _CHUNK)
            except BlockingIOError:
                return
            except OSError:
                chunk = b""
            if not chunk:
                self.close()
                return
            self._output.add(chunk)

    def close(self) -> None:
        """Stop reading and close the pipe."""
        if not self.ended.is_set():
            self._loop.remove_reader(self._pipe.fileno())
            with contextlib.suppress(OSError):
                self._pipe.close()
            self.ended.set()


class Writer:
    """Writes bytes into a pipe as it takes them, then closes it. A reader that went away is no error."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pipe: IO[bytes], data: bytes) -> None:
        self._loop = loop
        self._pipe = pipe
        self._rest = memoryview(data)
        self._open = True
        os.set_blocking(pipe.fileno(), False)
        if not data:
            self.close()
        else:
            loop.add_writer(pipe.fileno(), self._write)

    def _write(self) -> None:
        try:
            written = os.write(self._pipe.fileno(), self._rest[: _CHUNK * _ROUNDS])
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._rest = self._rest[written:]
        if not self._rest:
            self.close()

    def close(self) -> None:
        """Stop writing and close the pipe."""
        if self._open:
            self._open = False
            self._loop.remove_writer(self._pipe.fileno())
            with contextlib.suppress(OSError):
                self._pipe.close()
