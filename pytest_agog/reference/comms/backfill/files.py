"""The artifacts of a run, opened with suspicion and read line by line: they are as large and as odd as agents are."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pytest_agog.errors import BadInput

EVENTS: Final = ".codex-implementation-events.jsonl"
LOG: Final = ".codex-implementation-agent.log"
MAX_LINE_BYTES: Final = 16_000_000
"""Longer lines are skipped, and reported: no message of the wire is that long (10 MB)."""
_CHUNK: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file."""

    number: int
    """From 1."""
    data: bytes | None
    """Without its end; None when it is longer than `MAX_LINE_BYTES`."""
    size: int
    ended: bool
    """Whether a line feed ends it; the last line of a file that is still written has none."""


def opened(folder: Path, name: str) -> BinaryIO | None:
    """The regular file `name` in `folder`, or None when there is none.

    Links are not followed: an agent could point one at a file that only the service may read.

    Raises:
        BadInput: it is no regular file, or cannot be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(folder / name, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise BadInput(f"{folder / name} cannot be read: {reason}. Give a folder with the agent's own files.") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BadInput(f"{folder / name} is no regular file. Give a folder with the agent's own files.")
    return os.fdopen(handle, "rb")


def lines(file: BinaryIO, size: int) -> Iterator[Line]:
    """The lines in the first `size` bytes: an agent may be writing still, and two passes must see the same."""
    file.seek(0)
    number = 0
    while size > 0:
        number += 1
        data = file.readline(min(MAX_LINE_BYTES + 2, size))
        if not data:
            return
        size -= len(data)
        length, ended = len(data), data.endswith(b"\n")
        while not ended and size > 0:
            rest = file.readline(min(_CHUNK, size))
            if not rest:
                break
            size -= len(rest)
            length += len(rest)
            ended = rest.endswith(b"\n")
        text = data.rstrip(b"\r\n")
        if number == 1:
            text = text.removeprefix(_BOM)
        yield Line(number, text if length == len(data) and len(text) <= MAX_LINE_BYTES else None, length, ended)
