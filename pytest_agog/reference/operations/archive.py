"""The folder that a backup is: its manifest, and how it is written whole or not at all, and verified before it is used.

    backup.json          what is in it
    SHA256SUMS           of every file, as `sha256sum -c` reads it
    streams/0001-NAME    one file for each stream, as JetStream's snapshots are
    postgres/…           one file for each table, as COPY writes it

Names of streams and tables go into file names percent-encoded and behind a number, so that none leads out of the
folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from pytest_agog.errors import BackupExists, BackupUnusable, BadInput
from pytest_agog.values import Strict

FORMAT: Final = "agog-backup"
VERSION: Final = 1
MANIFEST: Final = "backup.json"
SUMS: Final = "SHA256SUMS"
_FILE: Final = r"^(streams|postgres)/[0-9]{4}-[A-Za-z0-9_%~-]{1,200}$"
_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S+)")
_BEGUN: Final = re.compile(r"\..{1,255}\.partial-[A-Za-z0-9_]{8}")
_PARTS: Final = frozenset({"streams", "postgres", MANIFEST, SUMS})
_PIECE: Final = 2**20
_LARGEST_MANIFEST: Final = 64 * 2**20
FileName = Annotated[str, StringConstraints(pattern=_FILE)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
StreamName = Annotated[str, StringConstraints(pattern=r"^[^\s.*>/\\\x00-\x1f]{1,255}$")]


class _Part(Strict):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StreamCopy(_Part):
    """One stream."""

    name: StreamName
    file: FileName
    size: int
    digest: Digest
    created: str
    """When the stream was made, RFC 3339: it is part of some keys in Postgres."""
    config: dict[str, Any]
    state: dict[str, Any]


class TableCopy(_Part):
    """One table."""

    name: str
    columns: tuple[str, ...]
    rows: int
    file: FileName
    size: int
    digest: Digest


class SequenceCopy(_Part):
    """Where the numbers of an identity column are."""

    table: str
    column: str
    last_value: int
    is_called: bool


class SchemaCopy(_Part):
    """One schema."""

    name: str
    migrations: dict[str, str]
    """Names and digests of what had been applied to it."""
    tables: tuple[TableCopy, ...]
    sequences: tuple[SequenceCopy, ...]


class Contents(_Part):
    """What a backup holds."""

    format: Literal["agog-backup"]
    version: Literal[1]
    agog: str = ""
    made: str
    """RFC 3339: when it was begun."""
    nats: str | None = None
    """The server's version; None when streams were not copied."""
    streams: tuple[StreamCopy, ...] = ()
    moved: tuple[str, ...] = ()
    """Streams that changed while they and what refers to them were copied."""
    postgres: str | None = None
    """The server's version; None when Postgres was not copied."""
    schemas: Annotated[tuple[SchemaCopy, ...], Field(max_length=100)] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(each.size for each in self.streams) + sum(t.size for s in self.schemas for t in s.tables)


def file_name(folder: str, number: int, name: str) -> str:
    """Where a stream or table goes: `streams/0001-agent-comms`."""
    safe = quote(name, safe="").replace(".", "%2E")
    return f"{folder}/{number:04d}-{safe[:150]}"


@contextlib.contextmanager
def writing(target: Path) -> Iterator[Path]:
    """A folder beside `target` that takes its place when the block ends well, and is removed when it does not.

    Raises:
        BackupExists: `target` is there and not empty.
        BadInput: it cannot be written to.
    """
    target = target.absolute()
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise BackupExists(path=target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Only its owner may read it: it holds everything that agents ever said.
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.partial-"))
    except OSError as error:
        raise BadInput(f"{target} cannot be written ({error.strerror or error}). Give another folder.") from None
    try:
        with _held(folder):
            for part in ("streams", "postgres"):
                (folder / part).mkdir(mode=0o700)
            yield folder
            _seal(folder)
            folder.rename(target)
        _flush(target.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Lock `folder` for as long as somebody works in it; whether it was free. The lock ends with its process."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held by another process, or a file system without locks
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def clear_remains(target: Path) -> list[Path]:
    """Remove what backups beside `target` left that were killed: nobody holds it, and nobody can restore it."""
    removed = []
    try:
        begun = sorted(path for path in target.absolute().parent.iterdir() if _BEGUN.fullmatch(path.name))
    except OSError:
        return []
    for path in begun:
        with contextlib.suppress(OSError), _held(path) as free:
            names = {each.name for each in path.iterdir()}
            # One that was made a moment ago is empty, and about to be locked.
            if free and names and names <= _PARTS:
                shutil.rmtree(path)
                removed.append(path)
    return removed


def write_manifest(folder: Path, contents: Contents) -> None:
    """The manifest, and the digests of all files with it."""
    data = json.dumps(contents.model_dump(mode="json"), indent=1, ensure_ascii=False).encode()
    (folder / MANIFEST).write_bytes(data)
    lines = [f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}"]
    lines += [f"{each.digest}  {each.file}" for each in contents.streams]
    lines += [f"{table.digest}  {table.file}" for schema in contents.schemas for table in schema.tables]
    (folder / SUMS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _seal(folder: Path) -> None:
    """On disk before it gets its name: a backup that survives as a name only is none."""
    for path in sorted(folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        _flush(path)
    _flush(folder)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def verified(folder: Path, tell: Callable[[int], None]) -> Contents:
    """What `folder` holds, when every file is there and as it was written.

    Raises:
        BackupUnusable: it is no backup, one of another making, or not complete.
    """
    if not folder.is_dir():
        raise BackupUnusable(path=folder, reason="there is no such folder")
    sums = _sums(folder)
    data = _small(folder, MANIFEST)
    if hashlib.sha256(data).hexdigest() != sums.get(MANIFEST):
        raise BackupUnusable(path=folder, reason=f"{MANIFEST} is not as it was written")
    contents = _contents(folder, data)
    files = {each.file: (each.size, each.digest) for each in contents.streams}
    files |= {table.file: (table.size, table.digest) for schema in contents.schemas for table in schema.tables}
    if set(sums) != {MANIFEST, *files}:
        raise BackupUnusable(path=folder, reason=f"{SUMS} and {MANIFEST} name different files")
    passed = 0
    for name, (size, digest) in files.items():
        if digest != sums[name]:
            raise BackupUnusable(path=folder, reason=f"{SUMS} and {MANIFEST} disagree on {name}")
        for length in _hashed(folder, name, size, digest):
            passed += length
            tell(passed)
    return contents


def _sums(folder: Path) -> dict[str, str]:
    found = {}
    for line in _small(folder, SUMS).decode("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found or not (match[2] == MANIFEST or re.fullmatch(_FILE, match[2])):
            raise BackupUnusable(path=folder, reason=f"{SUMS} is damaged or from another tool")
        found[match[2]] = match[1]
    return found


def _contents(folder: Path, data: bytes) -> Contents:
    try:
        raw = json.loads(data)
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise BackupUnusable(path=folder, reason=f"{MANIFEST} is not one of agog's")
        if raw.get("version") != VERSION:
            version = str(raw.get("version"))[:20]
            raise BackupUnusable(path=folder, reason=f"it has version {version}, this agog reads {VERSION}")
        return Contents.model_validate(raw)
    except (ValueError, RecursionError) as error:
        where = f" ({'.'.join(map(str, error.errors()[0]['loc']))})" if isinstance(error, ValidationError) else ""
        raise BackupUnusable(path=folder, reason=f"{MANIFEST} cannot be read{where}") from None


def _small(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if path.is_symlink() or not path.is_file():
            raise BackupUnusable(path=folder, reason=f"it has no {name}, so it is no complete backup")
        if path.stat().st_size > _LARGEST_MANIFEST:
            raise BackupUnusable(path=folder, reason=f"{name} is too large to be one of agog's")
        return path.read_bytes()
    except OSError as error:
        raise BackupUnusable(path=folder, reason=f"{name}: {error.strerror or error}") from None


def _hashed(folder: Path, name: str, size: int, digest: str) -> Iterator[int]:
    path = folder / name
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        raise BackupUnusable(path=folder, reason=f"{name} is missing")
    whole = hashlib.sha256()
    if path.stat().st_size != size:
        raise BackupUnusable(path=folder, reason=f"{name} has {path.stat().st_size} bytes instead of {size}")
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            whole.update(piece)
            yield len(piece)
    if whole.hexdigest() != digest:
        raise BackupUnusable(path=folder, reason=f"{name} is not as it was written")
