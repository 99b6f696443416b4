"""Start one Postgres on one data folder, and end it so that nothing of it stays: our launcher over plain programs."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal as signals
import subprocess
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_agog.errors import ServiceDidNotStart
from pytest_agog.stage.machine.account import Account
from pytest_agog.stage.machine.processes import ManagedProcess
from pytest_agog.stage.machine.reservation import HOST, ReservedPort
from pytest_agog.stage.servers.services import tail

START_PATIENCE = 30.0
STOP_PATIENCE = 5.0
_STEP = 0.002
_READY_LINE = 7
_SHARED_MEMORY_LINE = 6

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    # In the data folder, so that a killed server leaves nothing in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "io_method": "sync",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
_THROWAWAY = {
    # synchronous_commit stays on: an acknowledged commit survives SIGKILL of the server, if not of the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    # DROP DATABASE waits for every backend, also for one whose client was interrupted before it said who it is.
    "authentication_timeout": "5s",
}


@dataclass(frozen=True)
class Installation:
    """The programs, and as whom they run."""

    binaries: Path
    account: Account

    @cached_property
    def version(self) -> str:
        """Of the server, e.g. `18.4`."""
        words = self.account.run([str(self.binaries / "postgres"), "--version"]).stdout.split()
        return words[-1] if words else "unknown"


def reachable(binaries: Path, account: Account, folder: Path) -> Installation:
    """The programs at a place where `account` can start them: where they are, or copied into `folder`."""
    if account.can_reach(binaries):
        return Installation(binaries, account)
    # The programs find their libraries by a path relative to themselves: …/package/pginstall18/bin, …/package.libs.
    package = binaries.parent.parent
    copied = folder / "programs" / package.name
    if not copied.exists():
        shutil.copytree(binaries.parent, copied / binaries.parent.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copied.with_name(libraries.name))
        account.own(folder / "programs")
    return Installation(copied / binaries.parent.name / "bin", account)


class Postmaster:
    """A running Postgres."""

    def __init__(
        self,
        installation: Installation,
        data: Path,
        port: ReservedPort,
        log: Path,
        *,
        durable: bool = False,
        outlive: bool = False,
        patience: float = START_PATIENCE,
    ) -> None:
        """Start it and wait until it takes connections.

        Raises:
            ServiceDidNotStart: it ended, or was not ready within `patience` seconds.
        """
        self._data = data
        self._log = log
        settings = {**_SETTINGS, **({} if durable else _THROWAWAY), "port": str(port.number)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # The file is ours, whoever Postgres runs as.
        log.touch()
        self.process = ManagedProcess(
            installation.account.command([str(installation.binaries / "postgres"), "-D", str(data), *options]),
            name="postgres",
            cwd=data,
            log=log,
            death_signal=signals.SIGQUIT,
            outlive=outlive,
            uid=installation.account.uid,
            gid=installation.account.uid,
        )
        try:
            self._await_ready(time.monotonic() + patience)
        except BaseException:
            self.kill()
            raise

    @property
    def alive(self) -> bool:
        """Whether the postmaster runs."""
        return self.process.alive

    def pause(self, number: int) -> None:
        """Send SIGSTOP or SIGCONT to the postmaster and all its backends."""
        for pid in (self.process.pid, *self._backends()):
            _send(pid, number)
        if number == signals.SIGSTOP:
            self.process.await_stopped()

    def end(self, number: int) -> None:
        """Send a signal to the postmaster and wait for its end; SIGKILL when it takes longer than 5 s."""
        if number == signals.SIGKILL:
            self.kill()
        elif self.alive:
            self.process.send(number)
            if self.process.wait(STOP_PATIENCE) is None:
                self.kill()

    def kill(self) -> None:
        """End it as a crash would. Backends have sessions of their own; they see the postmaster gone, or are killed."""
        backends = self._backends()
        self.process.stop(first=signals.SIGKILL)
        for pid in backends:
            _send(pid, signals.SIGKILL)
        deadline = time.monotonic() + STOP_PATIENCE
        while any(_exists(pid) for pid in backends) and time.monotonic() < deadline:
            time.sleep(_STEP)

    def release_memory(self) -> None:
        """Remove the few bytes of System V shared memory that a killed server leaves behind."""
        lines = self._pid_file()
        if self.alive or len(lines) <= _SHARED_MEMORY_LINE:
            return
        words = lines[_SHARED_MEMORY_LINE].split()
        if len(words) == 2 and words[1].isdigit():
            remove = 0  # IPC_RMID
            ctypes.CDLL(None).shmctl(int(words[1]), remove, None)

    def _backends(self) -> list[int]:
        # Once it is gone, its id may be somebody else's.
        return children(self.process.pid) if self.alive else []

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []

    def _await_ready(self, deadline: float) -> None:
        """Postgres itself writes into its pid file when it is ready."""
        while True:
            lines = self._pid_file()
            if len(lines) > _READY_LINE and lines[0] == str(self.process.pid) and lines[_READY_LINE].strip() == "ready":
                return
            code = self.process.wait(_STEP)
            if code is not None:
                raise self._failure(f"it ended with status {code}")
            if time.monotonic() > deadline:
                raise self._failure("it was not ready in time")

    def _failure(self, reason: str) -> ServiceDidNotStart:
        return ServiceDidNotStart(
            service="Postgres",
            reason=f"{reason}; its log ends with: {tail(self._log, 5) or '(nothing)'}",
            remedy=f"Look at {self._log}.",
        )


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return


def children(pid: int) -> list[int]:
    """The processes that process `pid` started."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # not Linux, or one without this file
        return listed_children(pid)


def listed_children(pid: int) -> list[int]:
    """The same, from the list of all processes; none where there is no `ps`."""
    try:
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], check=False, capture_output=True, text=True, timeout=5
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    pairs = (line.split() for line in listed.splitlines())
    return [int(pair[0]) for pair in pairs if len(pair) == 2 and pair[1] == str(pid)]


def _exists(pid: int) -> bool:
    """Whether the process runs; a zombie that its new parent has not reaped does not count where that can be seen."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
