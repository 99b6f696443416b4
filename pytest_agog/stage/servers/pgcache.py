"""An initialised Postgres cluster, made once and copied for each run: initdb takes 0.5 s, a copy 0.1 s.

It lies in the user's cache folder, readable for the user alone, and holds the migrated template database and one clone
of it that is ready to be handed out. Nobody ever starts a server on it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import signal as signals
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_agog.errors import PostgresUnreachable, ServiceDidNotStart
from pytest_agog.masking import mask
from pytest_agog.stage.machine.reservation import HOST, ReservedPort
from pytest_agog.stage.machine.scratch import Scratch
from pytest_agog.stage.servers.pglaunch import Installation, Postmaster

if TYPE_CHECKING:
    import psycopg

SUPERUSER = "agog"
MAINTENANCE = "postgres"
TEMPLATE = "agog_template"
SPARE = "agog_spare"
_FACTS = "facts"
"""A file with the size of all data in bytes, and the password."""
CACHE_VARIABLE = "AGOG_CACHE_DIR"
_LAYOUT = "3"
"""Raise it when a cached cluster is made differently; older ones are then left alone and removed in time."""
_LOCK_PATIENCE = 120.0
_UNUSED_FOR = 30 * 86_400.0
_AT_ONCE = 1 << 30
_BEGINNING = 65_536
"""Bytes of a program that tell its build; the linker's identification of it is among them."""


@dataclass(frozen=True)
class Template:
    """What every new database holds."""

    key: str = ""
    """Changes when `migrate` would make something else."""
    migrate: Callable[[str], None] | None = None
    """Fills the database at this DSN; it holds no open connection when it returns."""


def cache_folder(otherwise: Path) -> Path:
    """`AGOG_CACHE_DIR`, else the user's cache folder, else, where there is none that is ours to write, `otherwise`."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).absolute()
    from platformdirs import user_cache_path

    folder = user_cache_path("pytest-agog")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What somebody else put there could run as us.
        ours = folder.stat().st_uid == os.geteuid() and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        ours = False
    return folder if ours else otherwise


def dsn(port: int, password: str, database: str) -> str:
    """The address of a database on an embedded server."""
    return f"postgresql://{SUPERUSER}:{password}@{HOST}:{port}/{quote(database, safe='')}"


def connect(address: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection for work on databases, each statement a transaction of its own.

    Raises:
        PostgresUnreachable: the server takes none.
    """
    import psycopg

    try:
        return psycopg.connect(address, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise PostgresUnreachable(dsn=mask(address), reason=mask(" ".join(str(error).split()))) from error


class CachedCluster:
    """The cluster for one installation and one template; made on first use, by one process at a time."""

    def __init__(self, installation: Installation, template: Template, cache: Path) -> None:
        self._installation = installation
        self._template = template
        self._cache = cache
        identity = "\n".join((_LAYOUT, _build_of(installation.binaries / "postgres"), template.key))
        self.folder = self._cache / f"postgres-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"

    def copy_to(self, data: Path) -> str:
        """Copy it to `data`, which does not exist yet, and return the superuser's password.

        One of which a part is gone (somebody cleaned up, or the disk was full) is made anew.

        Raises:
            OSError: the cache cannot be written or `data` cannot be.
            ServiceDidNotStart: see `ensure`.
        """
        self.ensure()
        try:
            password = self._copy_whole(data)
        except (FileNotFoundError, ValueError):
            shutil.rmtree(data, ignore_errors=True)
            self._discard()
            self.ensure()
            password = self._copy_whole(data)
        self._installation.account.own(data)
        return password

    def _copy_whole(self, data: Path) -> str:
        """Raises FileNotFoundError or ValueError when a part is missing."""
        with contextlib.suppress(OSError):
            os.utime(self.folder)
        size, password = (self.folder / _FACTS).read_text().split()
        if copy_folder(self.folder / "data", data) != int(size):
            raise ValueError(f"{self.folder} is not whole")
        return password

    def _discard(self) -> None:
        """Out of the way in one step; another run may be copying, or may have been faster."""
        with contextlib.suppress(OSError):
            aside = Path(tempfile.mkdtemp(dir=self._cache, prefix="making-"))
            self.folder.rename(aside / "gone")
            shutil.rmtree(aside, ignore_errors=True)

    def ensure(self) -> None:
        """Make it unless it is there.

        Raises:
            ServiceDidNotStart: initdb or the server failed, or another process holds the lock for two minutes.
        """
        if self.folder.is_dir():
            return
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self.folder.with_suffix(".lock")):
            if not self.folder.is_dir():
                self._remove_old()
                self._build()

    def _build(self) -> None:
        """Made aside and moved into place whole, so that nobody ever sees half a cluster."""
        with tempfile.TemporaryDirectory(dir=self._cache, prefix="making-", ignore_cleanup_errors=True) as made:
            account = self._installation.account
            scratch = Scratch(Path(made, "work"))
            place = account.workplace(scratch.path)
            try:
                password = secrets.token_urlsafe(24)
                self._initialise(place, password)
                self._fill(place, password)
                result = Path(made, "result")
                result.mkdir(mode=0o700)
                size = copy_folder(place / "data", result / "data")
                facts = result / _FACTS
                facts.touch(mode=0o600)
                facts.write_text(f"{size} {password}")
                result.rename(self.folder)
            finally:
                shutil.rmtree(place, ignore_errors=True)
                scratch.release()

    def _initialise(self, place: Path, password: str) -> None:
        account = self._installation.account
        secret = place / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        account.own(place)
        done = self._run(
            [
                str(self._installation.binaries / "initdb"),
                *("-D", str(place / "data"), "-U", SUPERUSER, f"--pwfile={secret}", "--auth=scram-sha-256"),
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *("--no-sync", "--no-instructions", "--wal-segsize=1"),
                *("-c", "min_wal_size=2MB", "-c", "max_wal_size=64MB"),
            ]
        )
        if done.returncode != 0:
            raise ServiceDidNotStart(
                service="Postgres",
                reason=f"initdb failed: {(done.stderr or done.stdout).strip()[-800:]}",
                remedy=f"See that {self._cache} is writable and has 100 MB, or set {CACHE_VARIABLE}.",
            )

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        try:
            return self._installation.account.run(command)
        except subprocess.TimeoutExpired as error:
            raise ServiceDidNotStart(
                service="Postgres",
                reason=f"initdb did not end within {error.timeout:.0f} s",
                remedy="See what keeps this machine or its disk busy, then try again.",
            ) from error

    def _fill(self, place: Path, password: str) -> None:
        port = ReservedPort()
        try:
            server = Postmaster(self._installation, place / "data", port, place / "log")
            try:
                with connect(dsn(port.number, password, MAINTENANCE)) as connection:
                    connection.execute(f"CREATE DATABASE {TEMPLATE}")
                    if self._template.migrate is not None:
                        self._template.migrate(dsn(port.number, password, TEMPLATE))
                    connection.execute(f"CREATE DATABASE {SPARE} TEMPLATE {TEMPLATE} STRATEGY file_copy")
                server.end(signals.SIGINT)
            finally:
                server.kill()
                server.release_memory()
        finally:
            port.release()

    def _remove_old(self) -> None:
        """Clusters that nobody used for a month, and what an interrupted making left behind."""
        now = time.time()
        for pattern, age in (("postgres-*", _UNUSED_FOR), ("making-*", _LOCK_PATIENCE * 10)):
            for folder in self._cache.glob(pattern):
                with contextlib.suppress(OSError):
                    if folder.is_dir() and now - folder.stat().st_mtime > age:
                        shutil.rmtree(folder, ignore_errors=True)


def copy_folder(source: Path, target: Path) -> int:
    """Copy a folder of plain files and folders, as fast as the system can: by reference where the disk knows that.

    Returns the bytes of all files together.
    """
    root = str(source)
    copy = _copier(source.stat().st_dev == target.parent.stat().st_dev)
    size = 0
    for parent, _, names in os.walk(root):
        inside = f"{target}{parent[len(root) :]}"
        os.mkdir(inside, 0o700)  # noqa: PTH102 - plain strings: there are 1,500 files
        for name in names:
            size += copy(f"{parent}/{name}", f"{inside}/{name}")
    return size


def _copier(same_disk: bool) -> Callable[[str, str], int]:  # noqa: FBT001
    """How to copy one file. Copying by reference works within one disk only; some kernels refuse it there, too."""
    if sys.platform != "linux":
        return lambda source, target: os.stat(shutil.copyfile(source, target)).st_size  # noqa: PTH116

    def by_kernel(source: str, target: str) -> int:
        size = 0
        reading = os.open(source, os.O_RDONLY)
        try:
            writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                if same_disk:
                    with contextlib.suppress(OSError):
                        while copied := os.copy_file_range(reading, writing, _AT_ONCE):
                            size += copied
                while copied := os.sendfile(writing, reading, None, _AT_ONCE):
                    size += copied
            finally:
                os.close(writing)
        finally:
            os.close(reading)
        return size

    return by_kernel


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on `file`; the system lets go of it when the holder dies."""
    deadline = time.monotonic() + _LOCK_PATIENCE
    with file.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServiceDidNotStart(
                        service="Postgres",
                        reason=f"another process has been making the cached cluster for {_LOCK_PATIENCE:.0f} s",
                        remedy=f"End it, or remove {file}.",
                    ) from None
                time.sleep(0.02)
        yield


def _build_of(program: Path) -> str:
    """Tells one build of a program from another, wherever it is installed, without the time that starting it takes."""
    with program.open("rb") as file:
        beginning = file.read(_BEGINNING)
    return f"{program.stat().st_size}-{hashlib.sha256(beginning).hexdigest()}"
