"""The process that stands between listener and agent, so that no agent outlives its listener. [O10]

A program of its own: `python -I -S keeper.py CONTROL LOCK`. CONTROL is the number of a connected stream socket, LOCK
the path of the attempt's lock file. Standard input, output and error are the agent's. It loads next to nothing.

It takes the lock, says `locked`, and waits to be told what to start. The agent runs in a session of its own. It is
killed, with everything that it started, when the listener says `k`, when its time is over, and when the socket closes:
the listener is done with the attempt, or dead. What the agent leaves behind when it ends by itself is killed too, also
what left its group, since on Linux orphans become children of the keeper. The lock is held until nothing is left and
the socket is closed, so whoever gets it knows that nobody works at the attempt any more.

To the keeper: the length of the order in ten digits, then the order, fields ended by NUL: seconds, folder, number of
words, the words, the variables. From the keeper, lines: `locked`, `started PID`, `failed REASON`, `ended STATUS HOW`
with HOW one of exit, timeout, killed.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import select
import signal
import socket
import sys
import time

_SET_CHILD_SUBREAPER = 36
_SET_PDEATHSIG = 1
_LONGEST = 7 * 86_400.0
_PATIENCE = 10.0
"""Seconds for which what cannot be killed at once is waited for."""


def _prctl(option: int, value: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def _children() -> list[int]:
    """Children of this process."""
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children") as file:  # noqa: PTH123 - pathlib takes longer to load than all this
            return [int(word) for word in file.read().split()]
    except OSError:
        pass
    found: list[int] = []
    try:
        names = os.listdir("/proc")  # noqa: PTH208
    except OSError:
        return found
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:  # noqa: PTH123
                    parent = file.read().rpartition(")")[2].split()[1]
            except (OSError, IndexError):
                continue
            if int(parent) == me:
                found.append(int(name))
    return found


def _kill(pid: int, *, group: bool = False) -> None:
    try:  # noqa: SIM105 - contextlib takes longer to load than all this
        (os.killpg if group else os.kill)(pid, signal.SIGKILL)
    except OSError:
        pass


class Keeper:
    """One agent, from order to end."""

    def __init__(self, control: socket.socket, lock_path: str) -> None:
        self.control = control
        self.lock_path = lock_path
        self.lock = -1
        self.agent = 0
        self.wake, wake_in = os.pipe()
        os.set_blocking(wake_in, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)

    def say(self, line: str) -> None:
        try:  # noqa: SIM105
            self.control.sendall(line.encode("utf-8", "replace") + b"\n")
        except OSError:
            pass  # the listener is gone, which the next read tells

    # --- before -------------------------------------------------------------------------------------------------------
    def take_lock(self) -> bool:
        """Wait for the lock; False when the listener went away first."""
        while True:
            self.lock = os.open(self.lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            if not self._locked():
                return False
            # Whoever held it may have removed the file: then this lock is on a file that nobody finds any more.
            try:
                there, here = os.stat(self.lock_path), os.fstat(self.lock)  # noqa: PTH116
                if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                    return True
            except FileNotFoundError:
                pass
            os.close(self.lock)

    def _locked(self) -> bool:
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return True
        done, done_in = os.pipe()

        def wait() -> None:
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            os.close(done_in)

        _thread.start_new_thread(wait, ())
        ready, _, _ = select.select([self.control.fileno(), done], [], [])
        os.close(done)
        return self.control.fileno() not in ready

    def order(self) -> list[str] | None:
        """The fields of the order; None when the listener went away, or wants nothing any more."""
        size = self._read(10)
        data = self._read(int(size)) if size else b""
        return os.fsdecode(data).split("\0")[:-1] if data else None

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self.control.recv(size - len(data))
            except OSError:
                more = b""
            if not more:
                return b""
            data += more
        return data

    def start(self, folder: str, words: list[str], variables: list[str]) -> str:
        """Start the agent; returns why it cannot be started, empty when it runs."""
        _prctl(_SET_CHILD_SUBREAPER, 1)
        environment = dict(variable.split("=", 1) for variable in variables)
        failed, failed_in = os.pipe()
        parent = os.getpid()
        self.agent = os.fork()
        if self.agent == 0:
            self._become(folder, words, environment, parent, failed_in)
        os.close(failed_in)
        reason = os.fsdecode(os.read(failed, 4096))
        os.close(failed)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):  # its end of the agent's pipes must not keep them open
            os.dup2(nothing, number)
        return reason

    def _become(self, folder: str, words: list[str], environment: dict[str, str], parent: int, failed: int) -> None:
        """In the child: the agent itself."""
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            _prctl(_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            # Should the keeper itself be killed, the lock stays taken for as long as anything of the agent lives.
            os.set_inheritable(self.lock, True)  # noqa: FBT003
            os.chdir(folder)
            os.execvpe(words[0], words, environment)  # noqa: S606
        except OSError as error:
            os.write(failed, os.fsencode(error.strerror or str(error)))
        finally:
            os._exit(127)

    # --- while it runs ------------------------------------------------------------------------------------------------
    def watch(self, seconds: float) -> str:
        """Until the agent ended or has to; returns how."""
        deadline = time.monotonic() + min(seconds, _LONGEST)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return "timeout"
            # A zombie keeps its number: the group cannot be mistaken for another one when it is killed.
            if os.waitid(os.P_PID, self.agent, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return "exit"
            ready, _, _ = select.select([self.control.fileno(), self.wake], [], [], left)
            if self.wake in ready:
                os.read(self.wake, 4096)
            if self.control.fileno() in ready:
                self._read(1)
                return "killed"

    def sweep(self) -> int:
        """Kill whatever is left, all of it; returns the agent's status, minus the signal's number if one ended it."""
        deadline = time.monotonic() + _PATIENCE
        status = -int(signal.SIGKILL)
        _kill(self.agent, group=True)
        while time.monotonic() < deadline:
            for pid in _children():
                _kill(pid)
            try:
                pid, found = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == self.agent:
                status = os.waitstatus_to_exitcode(found)
                if not sys.platform.startswith("linux"):
                    _kill(self.agent, group=True)
            elif pid == 0 and self.wake in select.select([self.wake], [], [], 0.05)[0]:
                os.read(self.wake, 4096)
        return status

    def run(self) -> None:
        if not self.take_lock():
            return
        self.say("locked")
        fields = self.order()
        if not fields:
            return
        count = int(fields[2])
        reason = self.start(fields[1], fields[3 : 3 + count], fields[3 + count :])
        if reason:
            os.waitpid(self.agent, 0)
            self.say(f"failed {reason}")
        else:
            self.say(f"started {self.agent}")
            how = self.watch(float(fields[0]))
            status = self.sweep()
            self.say(f"ended {status} {how}")
        while self._read(1):
            pass


def main() -> None:
    """Keep one agent."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)  # the socket alone ends it
    control = socket.socket(fileno=int(sys.argv[1]))
    control.settimeout(None)
    control.set_inheritable(False)  # an agent that held it would hide the keeper's death
    Keeper(control, sys.argv[2]).run()


if __name__ == "__main__":
    main()
