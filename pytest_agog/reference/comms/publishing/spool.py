"""[C1] The spool: messages that wait on disk until NATS takes them.

One file for each NATS address, one message a line, only ever appended to; an append is on the disk (fsync) before it
counts. Beside it stand `.lock` (held for each look and change), `.drain` (held by the one process that delivers) and
`.done` (how many bytes at the beginning are delivered). All of this may be killed at any moment: a torn last line was
never promised to anybody and goes; `.done` may lag, and then messages are sent again, which their ids make harmless.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic_core import from_json, to_json

from pytest_agog.errors import SpoolFull, SpoolUnusable
from pytest_agog.reference.comms.publishing.drafting import Outgoing

LIMIT: Final = 256 * 10**6
"""Bytes that may wait, unless AGOG_SPOOL_MAX_BYTES says otherwise."""
_COMPACT: Final = 4 * 10**6
"""Delivered bytes at the beginning for which the rest is worth copying."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of the spool."""

    line: bytes
    end: int
    """Where the next one begins."""
    message: Outgoing | None
    """None when the line is no message."""


class Spool:
    """The spool for one NATS address. All methods block for a moment, and may be called by several processes."""

    def __init__(self, path: Path, *, server: str = "", limit: int = LIMIT) -> None:
        self.path = path
        self.server = server
        self.limit = limit

    @classmethod
    def for_server(cls, url: str, environ: Mapping[str, str]) -> Spool:
        """The spool of those who publish to `url`: in AGOG_SPOOL_DIR, else in `agog/spool` of XDG_STATE_HOME.

        Raises:
            SpoolUnusable: AGOG_SPOOL_MAX_BYTES is no number.
        """
        servers = ",".join(sorted(filter(None, map(_address, url.split(",")))))
        digest = hashlib.sha256(servers.encode()).hexdigest()[:16]
        path = folder(environ) / f"comms-{digest}.jsonl"
        text = environ.get("AGOG_SPOOL_MAX_BYTES") or str(LIMIT)
        if not (text.isascii() and text.isdigit()):
            raise SpoolUnusable(path=path, reason=f"AGOG_SPOOL_MAX_BYTES is {text!r}, not a number of bytes")
        return cls(path, server=servers, limit=int(text))

    @property
    def refused_path(self) -> Path:
        """Messages that can never be stored, and why."""
        return self.path.with_suffix(".refused.jsonl")

    def waiting(self) -> int:
        """Bytes that wait; without a lock, so that asking costs next to nothing."""
        try:
            size = self.path.stat().st_size
        except OSError:
            return 0  # a spool that cannot be read holds nothing of ours, and need not hinder who can do without
        return max(0, size - self._done()) if size else 0

    def append(self, messages: Sequence[Outgoing]) -> None:
        """Add all of them, or none. When this returns, they are on the disk.

        Raises:
            SpoolFull: more than `limit` bytes would wait.
            SpoolUnusable: the file cannot be written.
        """
        data = b"".join(self._line(message) for message in messages)
        with self._locked(), self._told():
            new = not self.path.exists()
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                size = _without_torn_line(handle)
                if size - self._done() + len(data) > self.limit:
                    raise SpoolFull(path=self.path, size=size - self._done(), needed=len(data), limit=self.limit)
                try:
                    _write_all(handle, data)
                    os.fsync(handle)
                except BaseException:
                    os.ftruncate(handle, size)
                    raise
            finally:
                os.close(handle)
            if new:
                _sync_folder(self.path.parent)

    def read(self, most: int, most_bytes: int) -> list[Waiting]:
        """The first messages that wait; when none do, the file is emptied. Only the drainer may call this."""
        if not self.path.exists():
            return []
        lines: list[Waiting] = []
        with self._locked(), self._told():
            with self.path.open("rb") as file:
                size, done = file.seek(0, os.SEEK_END), self._done()
                begin = end = file.seek(done if done <= size else 0)
                while len(lines) < most and end - begin < most_bytes and (line := file.readline()).endswith(b"\n"):
                    end += len(line)
                    lines.append(Waiting(line, end, _read_line(line)))
            if not lines:
                self._empty()
        return lines

    def delivered(self, end: int) -> None:
        """Everything before `end` needs not be sent again. Only the drainer may say so."""
        with self._locked(), self._told():
            self._set_done(end)
            if end >= _COMPACT and end >= self.path.stat().st_size // 2:
                self._compact(end)

    def set_aside(self, messages: Sequence[tuple[bytes, str]]) -> None:
        """Keep what can never be stored in a file of its own, each with the reason."""
        if not messages:
            return
        with self._locked(), self._told():
            handle = os.open(self.refused_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                for line, reason in messages:
                    text = line.decode("utf-8", errors="replace")
                    _write_all(handle, to_json({"reason": reason, "line": text}) + b"\n")
                os.fsync(handle)
            finally:
                os.close(handle)

    def try_draining(self) -> int | None:
        """A handle that says that this process delivers, or None while another does. Give it to `end_draining`."""
        with self._told():
            handle = self._open_beside(".drain")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return None
        return handle

    def end_draining(self, handle: int) -> None:
        """Others may deliver."""
        os.close(handle)

    # --- inside -------------------------------------------------------------------------------------------------
    def _line(self, message: Outgoing) -> bytes:
        return to_json({
            "subject": message.subject, "message_id": message.message_id, "server": self.server,
            "payload": message.payload.decode("utf-8"),
        }) + b"\n"  # fmt: skip

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._told():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = self._open_beside(".lock")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SpoolUnusable(path=self.path, reason=error.strerror or error) from None

    def _open_beside(self, suffix: str) -> int:
        return os.open(self.path.with_suffix(suffix), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _done(self) -> int:
        try:
            text = self.path.with_suffix(".done").read_text("ascii")
        except (FileNotFoundError, UnicodeDecodeError):
            return 0
        return int(text) if text.isdigit() else 0

    def _set_done(self, end: int) -> None:
        temporary = self.path.with_suffix(".done.new")
        temporary.write_text(str(end), "ascii")
        temporary.replace(self.path.with_suffix(".done"))

    def _empty(self) -> None:
        # In this order: killed in between, delivered messages are sent again. The other way round, some never would be.
        self.path.with_suffix(".done").unlink(missing_ok=True)
        _sync_folder(self.path.parent)
        os.truncate(self.path, 0)

    def _compact(self, end: int) -> None:
        temporary = self.path.with_suffix(".new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file, self.path.open("rb") as old:
            old.seek(end)
            while chunk := old.read(1 << 20):
                file.write(chunk)
            file.flush()
            os.fsync(handle)
        self.path.with_suffix(".done").unlink(missing_ok=True)
        _sync_folder(self.path.parent)
        temporary.replace(self.path)
        _sync_folder(self.path.parent)


def folder(environ: Mapping[str, str]) -> Path:
    """Where spools are kept."""
    if given := environ.get("AGOG_SPOOL_DIR"):
        return Path(given)
    state = environ.get("XDG_STATE_HOME") or ""
    base = Path(state) if state.startswith("/") else Path(environ.get("HOME") or "/") / ".local" / "state"
    return base / "agog" / "spool"


def _address(server: str) -> str:
    """Host and port, without the user: whoever publishes there may deliver what waits."""
    server = server.strip()
    if not server:
        return ""
    try:
        parts = urlsplit(server if "://" in server else f"nats://{server}")
        host, port = parts.hostname or "", parts.port or 4222
    except ValueError:
        return ""
    return f"{host}:{port}"


def _read_line(line: bytes) -> Outgoing | None:
    try:
        found: Any = from_json(line)
        return Outgoing(str(found["subject"]), str(found["message_id"]), found["payload"].encode("utf-8"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _without_torn_line(handle: int) -> int:
    """Cut off a last line without its end; the size that is left."""
    size = end = os.fstat(handle).st_size
    while end:
        begin = max(0, end - 65_536)
        position = os.pread(handle, end - begin, begin).rfind(b"\n")
        end = begin if position < 0 else begin + position + 1
        if position >= 0:
            break
    if end != size:
        os.ftruncate(handle, end)
    return end


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
