"""Starting `agog` commands as forks of a process that has loaded everything: in milliseconds, not the better part of a
second.

What starts this way is a process like any other: a session and an id of its own, its own environment, folder and
output, the very same command line. Systems without parent-death signals and process descriptors do without it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from pytest_agog.errors import CommandNotFound
from pytest_agog.stage.machine.forking import receive, send
from pytest_agog.stage.machine.processes import ManagedProcess
from pytest_agog.stage.machine.spawning import SPAWNER

POSSIBLE: Final = sys.platform == "linux" and hasattr(os, "pidfd_open")
_STOPPED_WITHIN: Final = 2.0


class NoForkServer(Exception):
    """The fork server is gone or could not be started; a plain process does as well."""


class ForkServer:
    """One for the operating-system process; started when it is first needed, and ends with the harness.

    Thread-safe: requests take turns. Loading takes the better part of a second and happens beside whatever else the
    harness does: only the first request waits for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._loaded: frozenset[str] = frozenset()

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def warm(self, preload: Sequence[str]) -> None:
        """Begin to load; comes back at once. What goes wrong is met again by whoever starts a command."""
        with self._lock, contextlib.suppress(NoForkServer):
            self._connected(preload)

    def start(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, preload: Sequence[str]
    ) -> int:
        """Start `agog WORDS…`; returns its process id.

        Raises:
            NoForkServer: it cannot be started this way.
        """
        with log.open("ab") as output:
            request = {"do": "start", "words": list(words), "cwd": str(cwd), "env": dict(env)}
            return int(self._ask(request, preload, [output.fileno()])["pid"])

    def reap(self, pid: int) -> int:
        """The exit status (minus a signal's number) of a child that has ended, which is then forgotten.

        Raises:
            NoForkServer: the server is gone, and its children with it.
        """
        return int(self._ask({"do": "reap", "pid": pid}, None, [])["status"])

    def forget(self) -> None:
        """In a forked child: the server is the parent's."""
        self._lock = threading.Lock()
        line, self._line = self._line, None
        if line is not None:
            line.close()
        if self._process is not None:
            self._process.returncode = 0  # not ours to wait for
        self._process = None

    def _ask(self, request: dict[str, Any], preload: Sequence[str] | None, descriptors: list[int]) -> dict[str, Any]:
        with self._lock:
            if preload is not None:
                line = self._connected(preload)
            elif self._line is not None:
                line = self._line
            else:
                raise NoForkServer("it is gone")
            try:
                send(line, request, descriptors)
                answer = receive(line)
            except OSError as error:
                answer = None
                reason = error.strerror or str(error)
            else:
                reason = "it ended"
            if answer is None:
                self._drop()
                raise NoForkServer(reason)
        if "error" in answer[0]:
            raise NoForkServer(answer[0]["error"])
        return answer[0]

    def _connected(self, preload: Sequence[str]) -> socket.socket:
        if self._line is not None and self.pid is None:
            self._drop()
        if self._line is None:
            ours, its = socket.socketpair()
            with its:
                try:
                    self._process = SPAWNER.start(
                        [sys.executable, "-m", "pytest_agog.stage.machine.forking", *preload], stdin=its.fileno()
                    )
                except CommandNotFound as error:
                    ours.close()
                    raise NoForkServer(str(error)) from None
            self._line, self._loaded = ours, frozenset(preload)
        elif further := [name for name in preload if name not in self._loaded]:
            # Not answered: what is asked for next is done when this is.
            try:
                send(self._line, {"do": "load", "modules": further})
            except OSError as error:
                self._drop()
                raise NoForkServer(error.strerror or str(error)) from None
            self._loaded |= set(further)
        return self._line

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            SPAWNER.ended(process.pid)


FORK_SERVER: Final = ForkServer()
"""The one of this operating-system process."""
os.register_at_fork(after_in_child=FORK_SERVER.forget)


class _Child:
    """A child of the fork server behind the few things that `ManagedProcess` asks of a `Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._await_end(timeout)
            try:
                self.returncode = FORK_SERVER.reap(self.pid)
            except NoForkServer:
                self.returncode = -signal.SIGKILL  # the server took it along
        return self.returncode

    def _await_end(self, timeout: float | None) -> None:
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        finally:
            os.close(handle)


class ForkedProcess(ManagedProcess):
    """An `agog` command that was started as a fork; ends in every way in which a `ManagedProcess` can end.

    Raises:
        NoForkServer: it cannot be started this way.
    """

    def __init__(
        self, words: Sequence[str], *, name: str, cwd: Path, env: Mapping[str, str], log: Path, preload: Sequence[str]
    ) -> None:
        if not POSSIBLE:
            raise NoForkServer("this system cannot do it")
        self.name = name
        self.args = ("agog", *words)
        pid = FORK_SERVER.start(words, cwd=cwd, env=env, log=log, preload=preload)
        SPAWNER.adopt(pid, signal.SIGKILL)
        self._popen = cast("subprocess.Popen[bytes]", _Child(pid))
        self._lock = threading.Lock()
        self._reaped = False

    def await_stopped(self) -> None:
        """After SIGSTOP: wait until it took effect (or the process ended); only a parent is notified of it."""
        deadline = time.monotonic() + _STOPPED_WITHIN
        while _state(self.pid) not in {"T", "Z", ""} and time.monotonic() < deadline:
            time.sleep(0.001)


def _state(pid: int) -> str:
    """The process's state as the kernel writes it; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
