"""The logs of all parts, merged by time, with secrets masked. [X5]

Each part writes a file of its own: `agog up --data DIR` keeps them below DIR. Lines without a time (a traceback, a
table) belong to the line before them. Files are read line by line and merged as they are read, so their size does not
matter.
"""

from __future__ import annotations

import heapq
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final

from pytest_agog.errors import BadInput, ComposeAway, NoLogs
from pytest_agog.masking import mask
from pytest_agog.values import parse_duration

_STAMP: Final = re.compile(
    r"(?:\[\d+\] )?(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|UTC|[+-]\d\d:?\d\d))?\b"
)
_CONTAINER: Final = re.compile(r"(?P<name>[^\s|]+?)(?:[-_]\d+)?\s*\| ?(?P<text>.*)")
_ENGINE: Final = re.compile(r"docker daemon|docker\.sock|connection (refused|aborted)|error during connect", re.I)
_VARIABLE: Final = re.compile(r"required variable|missing a value|interpolat|env file|\.env\b|mandatory", re.I)
_LONGEST: Final = 16_384
"""Characters of a line that are shown; nobody reads more."""
_MOST_COMPLAINTS: Final = 65_536
"""Bytes at the end of what compose says on standard error, in which its reason is looked for."""
_LOOK: Final = 0.05
"""Seconds between two looks at files that grow: nothing tells of that everywhere."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log."""

    part: str
    time: datetime
    """When it was written; of a line without a time, that of the line before it."""
    text: str
    """Without its end; secrets are masked."""


def stamp(text: str) -> datetime | None:
    """The time that `text` begins with; one without a zone is this machine's."""
    match = _STAMP.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        found = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micros)  # noqa: DTZ001
        if zone is None:
            return found.astimezone(UTC)
        if zone in ("Z", "UTC"):
            return found.replace(tzinfo=UTC)
        offset = datetime.strptime(zone.replace(":", ""), "%z").tzinfo
        return found.replace(tzinfo=offset).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def beginning(text: str, now: datetime) -> datetime:
    """The time that `--since` means: `10m` ago, or a time as RFC 3339 has it.

    Raises:
        BadInput: neither.
    """
    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        found = stamp(text if len(text) > 10 else f"{text}T00:00:00")
    if found is None:
        raise BadInput(f"--since {text!r} is no time. Write 10m, 2h, or 2026-01-31T12:00:00Z.")
    return found


def files(folder: Path, parts: Collection[str] = ()) -> dict[str, Path]:
    """The logs below `folder`, by part; only those of `parts` when some are named.

    Raises:
        NoLogs: there are none.
    """
    found: dict[str, Path] = {}
    for path in sorted([*folder.glob("*.log"), *folder.glob("*/*.log")]):
        if path.is_file() and not path.is_symlink():
            found.setdefault(path.stem, path)
    missing = sorted(set(parts) - set(found))
    if missing or not found:
        raise NoLogs(place=folder, what=", ".join(missing) or "anything")
    return {name: path for name, path in found.items() if not parts or name in parts}


def merged(found: dict[str, Path], since: datetime | None = None) -> Iterator[Line]:
    """All lines that are there, by time; lines of one file stay in their order.

    Raises:
        BadInput: a file cannot be read.
    """
    readers = [_Reader(part, path) for part, path in found.items()]
    try:
        yield from _from(heapq.merge(*(reader.lines() for reader in readers), key=_when), since)
    finally:
        for reader in readers:
            reader.close()


def follow(found: dict[str, Path], since: datetime | None, stopped: Callable[[], bool]) -> Iterator[Line]:
    """All lines that are there, then those that come, until `stopped`. A file that begins anew is read anew.

    Raises:
        BadInput: a file cannot be read.
    """
    readers = [_Reader(part, path) for part, path in found.items()]
    try:
        while not stopped():
            some = False
            for line in _from(heapq.merge(*(reader.lines() for reader in readers), key=_when), since):
                some = True
                yield line
            if not some:
                time.sleep(_LOOK)
    finally:
        for reader in readers:
            reader.close()


def _when(line: Line) -> datetime:
    return line.time


def _from(lines: Iterable[Line], since: datetime | None) -> Iterator[Line]:
    return (line for line in lines if since is None or line.time >= since)


class _Reader:
    """Reads on in one file, from where it was."""

    def __init__(self, part: str, path: Path) -> None:
        self._part = part
        self._path = path
        self._file: IO[bytes] | None = None
        self._last: datetime | None = None
        self._rest = b""

    def lines(self) -> Iterator[Line]:
        """Whole lines that nobody has read yet; times never go back, so that files can be merged."""
        try:
            self._open()
            if self._file is None:
                return
            while data := self._file.readline(_LONGEST * 4):
                data = self._rest + data
                self._rest = b""
                if not data.endswith(b"\n") and len(data) < _LONGEST * 4:
                    self._rest = data  # it is being written
                    continue
                yield self._line(data)
        except OSError as error:
            raise BadInput(f"{self._path} cannot be read ({error.strerror or error}).") from None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return
        if self._file is not None:
            inode = (now.st_dev, now.st_ino)
            before = os.fstat(self._file.fileno())
            if (before.st_dev, before.st_ino) == inode and now.st_size >= self._file.tell():
                return
            self._file.close()
            self._rest = b""
        self._file = self._path.open("rb")

    def _line(self, data: bytes) -> Line:
        text = data.decode("utf-8", "replace").rstrip("\r\n")[:_LONGEST]
        found = stamp(text)
        if found is None:
            # A first line without a time: the file was last written to no earlier than it.
            found = self._last or datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        elif self._last is not None and found < self._last:
            found = self._last
        self._last = found
        return Line(self._part, found, mask(text))


# --- containers -------------------------------------------------------------------------------------------------------
def containers(
    file: Path, parts: Sequence[str], since: datetime | None, *, following: bool, stopped: Callable[[], bool]
) -> Iterator[Line]:
    """What the containers of a compose project wrote, by time; when following, as it comes.

    Raises:
        BadInput: there is no such file.
        ComposeAway: there is no docker, or it refuses.
    """
    if not file.is_file():
        raise BadInput(f"{file} is not there. Give a compose file with --compose.")
    command = [*_compose(), "-f", str(file), "logs", "--timestamps", "--no-color"]
    if following:
        command.append("--follow")
    if since is not None and command[1] == "compose":  # the older program has no such option
        command += ["--since", since.isoformat()]
    # What it complains of goes to a file: it would wait for ever for a pipe that is read last, once that is full.
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen([*command, "--", *parts], stdout=subprocess.PIPE, stderr=complaints) as process,
    ):
        assert process.stdout is not None
        try:
            lines = _from(_container_lines(process.stdout), since)
            if following:
                for line in lines:
                    yield line
                    if stopped():
                        return
            else:
                yield from sorted(lines, key=_when)
            if process.wait() != 0:
                complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - _MOST_COMPLAINTS))
                said = complaints.read().decode("utf-8", "replace").strip().splitlines()
                reason = mask(said[-1]) if said else f"exit {process.returncode}"
                raise ComposeAway(reason=reason, remedy=_remedy("\n".join(said)))
        finally:
            process.terminate()


def _compose() -> list[str]:
    docker = shutil.which("docker")
    if docker is not None:
        asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return [docker, "compose"]
    if (older := shutil.which("docker-compose")) is not None:
        return [older]
    raise ComposeAway(reason="neither docker compose nor docker-compose is installed", remedy="Install one of them")


def _remedy(said: str) -> str:
    """What to do about what compose said: it reads its file and the environment before it asks the engine."""
    if _ENGINE.search(said):
        return "Start the engine, and be somebody who may use it"
    if _VARIABLE.search(said):
        return "Give the variables of the compose file, in the environment or in the .env beside it"
    return "Correct what compose complains about"


def _container_lines(output: IO[bytes]) -> Iterator[Line]:
    last: dict[str, datetime] = {}
    for data in output:
        match = _CONTAINER.match(data.decode("utf-8", "replace").rstrip("\r\n"))
        if match is None:
            continue
        head, _, rest = match["text"].partition(" ")
        found = stamp(head)
        text = rest if found is not None else match["text"]
        part = match["name"]
        last[part] = found or last.get(part) or datetime.now(UTC)
        yield Line(part, last[part], mask(text[:_LONGEST]))
