"""A process that the harness started, server or command, and every way in which it can end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pytest_agog.stage.machine.output import DEFAULT_LIMIT, BoundedOutput
from pytest_agog.stage.machine.pumps import Reader, Writer
from pytest_agog.stage.machine.spawning import SPAWNER

LINGER = 0.5
"""Seconds for which children of a command that ended may still finish their output; then they are killed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    exit: int
    """Exit status; a signal's number, negated, when one ended it."""
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    left_out: int = 0
    """Bytes of output beyond the limit, which were counted and not kept."""
    stragglers: bool = False
    """A child held the output open after the command had ended."""


class ManagedProcess:
    """A process in a session of its own, so that its group can be signalled, and registered, so that it cannot stay.

    Args:
        args: the command; never through a shell.
        log: standard output and error are appended to this file; without it and without `pipes` they are dropped.
        pipes: standard input, output and error are pipes, for `communicate`.
        death_signal: what it gets when the harness dies.
        outlive: it stays when the harness ends (`--agog-keep`).
        uid, gid: run as this user; only root may.

    Raises:
        CommandNotFound: it cannot be started.
    """

    def __init__(
        self,
        args: Sequence[str],
        *,
        name: str = "",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        pipes: bool = False,
        death_signal: int = signal.SIGKILL,
        outlive: bool = False,
        uid: int | None = None,
        gid: int | None = None,
    ) -> None:
        self.name = name or Path(args[0]).name
        self.args = tuple(args)
        with contextlib.ExitStack() as files:
            out: int = subprocess.PIPE if pipes else subprocess.DEVNULL
            if log is not None:
                out = files.enter_context(log.open("ab")).fileno()
            self._popen = SPAWNER.start(
                args,
                death_signal=death_signal,
                outlive=outlive,
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT if log is not None else out,
                uid=uid,
                gid=gid,
            )
        self._lock = threading.Lock()
        self._reaped = False

    @property
    def pid(self) -> int:
        """Process id, and process group id."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, or None while it runs."""
        return self.wait(0)

    @property
    def alive(self) -> bool:
        """Whether it runs (a stopped one does)."""
        return self.returncode is None

    def send(self, number: int) -> None:
        """Signal the process alone."""
        with self._lock:
            if self._popen.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, number)

    def await_stopped(self) -> None:
        """After SIGSTOP: wait until it took effect (or the process ended)."""
        with contextlib.suppress(AttributeError, ChildProcessError):  # not every system has waitid
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def kill_group(self, number: int = signal.SIGKILL) -> None:
        """Signal the process and all its children that did not leave its session."""
        # EPERM is what some systems say of a group of which only a zombie is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def wait(self, timeout: float | None = None) -> int | None:
        """Exit status, or None when it still runs after `timeout` seconds. What is left of its group is killed."""
        if not self._reaped and not self._wait_unreaped(timeout):
            return None
        return self._reap()

    def stop(self, grace: float = 5.0, first: int = signal.SIGTERM) -> int:
        """End it: signal `first` to the group, SIGKILL after `grace` seconds. Returns the exit status; idempotent."""
        if self.alive:
            self.kill_group(first)
            if self.wait(grace) is None:
                self.kill_group(signal.SIGKILL)
        code = self.wait()
        self._close_pipes()
        assert code is not None
        return code

    def __enter__(self) -> ManagedProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def exited(self) -> int:
        """Wait for the process to end, without blocking the event loop, and return its exit status."""
        await self._await_unreaped()
        return self._reap()

    async def communicate(
        self, data: bytes = b"", *, seconds: float | None = None, limit: int = DEFAULT_LIMIT, linger: float = LINGER
    ) -> Finished:
        """Feed `data`, gather output, wait for the end. Needs `pipes=True`.

        After `seconds` the whole process group is killed. A child that keeps the output open after the command
        ended has `linger` seconds. Of each stream `limit` bytes are kept. Cancelling kills the group.
        """
        loop = asyncio.get_running_loop()
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        outputs = (BoundedOutput(limit), BoundedOutput(limit))
        writer = Writer(loop, self._popen.stdin, data)
        readers = [
            Reader(loop, pipe, output)
            for pipe, output in zip((self._popen.stdout, self._popen.stderr), outputs, strict=True)
        ]
        timed_out = stragglers = False
        try:
            try:
                async with asyncio.timeout(seconds):
                    await self._await_unreaped()
            except TimeoutError:
                timed_out = True
                self.kill_group(signal.SIGKILL)
                await self._await_unreaped()
            if not await _all_ended(readers, linger):
                stragglers = True
                self.kill_group(signal.SIGKILL)
                await _all_ended(readers, linger)
        finally:
            writer.close()
            for reader in readers:
                reader.close()
            self.kill_group(signal.SIGKILL)
            code = self.wait()
        assert code is not None
        left_out = sum(output.left_out for output in outputs)
        return Finished(code, outputs[0].value(), outputs[1].value(), timed_out, left_out, stragglers)

    def _wait_unreaped(self, timeout: float | None) -> bool:
        """Whether the process ended in time. Where the system can, it stays unreaped, so that its id stays its own."""
        handle = _handle(self.pid)
        if handle is None:
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                return False
            return True
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(None if timeout is None else timeout * 1000))
        finally:
            os.close(handle)

    async def _await_unreaped(self) -> None:
        if self._popen.returncode is not None:
            return
        handle = _handle(self.pid)
        if handle is None:
            await _in_thread(self._popen.wait)
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)

    def _reap(self) -> int:
        """Kill what is left of the group while the leader's id still guards it, then take the exit status.

        Where the leader could only be waited for by reaping it, the id is guarded by the group's other members, if any.
        """
        with self._lock:
            if not self._reaped:
                self.kill_group(signal.SIGKILL)
            code = self._popen.wait()
            self._reaped = True
            SPAWNER.ended(self.pid)
        return code

    def _close_pipes(self) -> None:
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _handle(pid: int) -> int | None:
    """A file descriptor that becomes readable when the process ends; None where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


async def _all_ended(readers: Sequence[Reader], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            for reader in readers:
                await reader.ended.wait()
    except TimeoutError:
        return False
    return True


async def _in_thread(function: Callable[[], object]) -> None:
    """Wait for a blocking call on a daemon thread, which cannot keep an event loop from closing."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def call() -> None:
        function()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=call, daemon=True).start()
    await done.wait()
