"""[C1] Following a log file that grows, is rotated or truncated, until somebody says that it is complete."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import BinaryIO, Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.comms.publishing.lines import LineFeed

POLL: Final = 0.05
"""Seconds between two looks at the file; nothing portable tells that a file has grown."""
_CHUNK: Final = 1 << 18


class Tail:
    """One file, by its name: a new file under that name is read from its beginning.

    A file that was truncated is read from its beginning too; one that had grown beyond its former size before anybody
    looked cannot be told from one that only grew.
    """

    def __init__(self, path: Path, *, until_line: str | None = None) -> None:
        self.path = path
        self._marker = None if until_line is None else until_line.encode("utf-8", "surrogateescape")
        self._file: BinaryIO | None = None
        self._pending = b""
        self._marked = False

    def marked(self) -> bool:
        """Whether the marker was seen."""
        return self._marked

    async def follow(self, feed: LineFeed, stop: asyncio.Event) -> None:
        """Feed what is there and what comes, until the marker's line or, once `stop` is set, the end of the file.

        Raises:
            BadInput: the path is a folder, or may not be read.
        """
        try:
            while not self.marked():
                last_look = stop.is_set()
                grown = False
                while chunk := self._read():
                    grown = True
                    await feed.feed(self._before_marker(chunk))
                    if self.marked():
                        break
                if last_look or self.marked():
                    break
                if not grown:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(POLL):
                            await stop.wait()
            if self._pending and not self.marked():
                await feed.feed(self._pending)
        finally:
            if self._file is not None:
                self._file.close()
        await feed.finish()

    def _read(self) -> bytes:
        """More of the file; nothing when there is no more at the moment."""
        try:
            return self._read_on()
        except OSError as error:
            reason = error.strerror or str(error)
            raise BadInput(f"log file {self.path} cannot be read: {reason}. Give a file with --log-file.") from None

    def _read_on(self) -> bytes:
        if self._file is None and not self._open():
            return b""
        while self._file is not None:
            if chunk := self._file.read(_CHUNK):
                return chunk
            held = os.fstat(self._file.fileno())
            if held.st_size < self._file.tell():
                self._file.seek(0)  # truncated
                continue
            try:
                named = self.path.stat()
            except FileNotFoundError:
                return b""  # between the two halves of a rotation
            if (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino):
                return b""
            if chunk := self._file.read(_CHUNK):  # written between the read and the rename
                return chunk
            self._file.close()
            self._file = None
            self._open()
        return b""

    def _open(self) -> bool:
        try:
            # Unbuffered: what a reader holds back would hide that the file was truncated.
            self._file = self.path.open("rb", buffering=0)
        except FileNotFoundError:
            return False
        return True

    def _before_marker(self, chunk: bytes) -> bytes:
        """What may be published of `chunk`; whole lines only while a marker is looked for."""
        if self._marker is None:
            return chunk
        data = self._pending + chunk
        end = data.rfind(b"\n") + 1
        begin = 0
        while begin < end:
            line_end = data.index(b"\n", begin) + 1
            if data[begin:line_end].rstrip(b"\r\n") == self._marker:
                self._marked = True
                self._pending = b""
                return data[:begin]
            begin = line_end
        self._pending = data[end:]
        return data[:end]


async def until_ended(pid: int) -> None:
    """Return once process `pid` has ended; at once when there is none."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        while _lives(pid):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(POLL)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
