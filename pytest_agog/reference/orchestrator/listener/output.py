"""What an agent prints: its beginning and its end in memory, the whole in a file, both within bounds."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

HEAD: Final = 64 * 1024
TAIL: Final = 2**20
"""Bytes that are kept in memory of one stream: its beginning, and its end, where the notice is."""
MOST_IN_FILE: Final = 64 * 10**6
_CHUNK: Final = 2**16
_GAP: Final = "\n… {left_out} bytes left out …\n"


class Output:
    """One stream of output; it is written to a file as it comes."""

    def __init__(self, file: Path, *, head: int = HEAD, tail: int = TAIL, most: int = MOST_IN_FILE) -> None:
        self.total = 0
        """Bytes that were printed."""
        self._head = bytearray()
        self._tail = bytearray()
        self._limits = head, tail, most
        self._handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    async def gather(self, stream: asyncio.StreamReader) -> None:
        """Read until the end."""
        try:
            while data := await stream.read(_CHUNK):
                self.add(data)
        finally:
            self.close()

    def add(self, data: bytes) -> None:
        """One piece more."""
        head, tail, most = self._limits
        if self._handle >= 0 and self.total < most:
            self._write(data[: most - self.total])
        self.total += len(data)
        room = head - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[room:] if room > 0 else data
        if len(self._tail) > 2 * tail:  # not at every piece: cutting copies what stays
            del self._tail[:-tail]

    def _write(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError:  # a full disk is no reason to lose what the agent says
            self.close()

    def close(self) -> None:
        """The file is complete."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def text(self) -> str:
        """Beginning and end, with a line between them that says how much is missing there, if anything is."""
        tail = bytes(self._tail[-self._limits[1] :])
        left_out = self.total - len(self._head) - len(tail)
        if not left_out:
            return (bytes(self._head) + tail).decode("utf-8", "replace")
        gap = _GAP.format(left_out=left_out)
        return self._head.decode("utf-8", "replace") + gap + tail.decode("utf-8", "replace")
