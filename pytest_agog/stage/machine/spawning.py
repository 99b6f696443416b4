"""How the harness starts processes so that none outlives it: one thread, a parent-death signal, a watchdog, a register.

The state here belongs to the operating-system process, not to a run: a run that ends stops what it started, and only
what was left behind is found here.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from pytest_agog.errors import CommandNotFound
from pytest_agog.stage.machine.watchdog import Watchdog

Work = tuple[Callable[[], "subprocess.Popen[bytes]"], "Future[subprocess.Popen[bytes]]"]

# Only where util-linux's setpriv is missing: prctl(PR_SET_PDEATHSIG), then see whether the parent died before it.
# Another user may not be able to start this interpreter, so it becomes that user itself; that clears the signal.
_LAUNCH = """
import ctypes, os, sys
number, parent, uid, gid = map(int, sys.argv[1:5])
if uid >= 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
ctypes.CDLL(None).prctl(1, number, 0, 0, 0)
if os.getppid() != parent:
    os._exit(1)
try:
    os.execvp(sys.argv[5], sys.argv[5:])
except OSError as error:
    sys.exit(f"{sys.argv[5]}: {error.strerror}")
"""


@cache
def _setpriv() -> str | None:
    """util-linux's setpriv, which starts a process in 1 ms where an interpreter takes 10; busybox's cannot do this."""
    found = shutil.which("setpriv")
    return found if found and "busybox" not in Path(found).resolve().name else None


@dataclass(frozen=True, slots=True)
class _Launch:
    """A command as it is started, and the user that `Popen` switches to (none: the command does that, or nobody)."""

    command: list[str]
    uid: int | None
    gid: int | None


def _with_death_signal(args: Sequence[str], number: int, uid: int | None, gid: int | None) -> _Launch:
    """`args`, started so that they get signal `number` when the thread that starts them ends."""
    if sys.platform != "linux":
        return _Launch(list(args), uid, gid)
    if tool := _setpriv():
        name = signal.Signals(number).name.removeprefix("SIG")
        return _Launch([tool, "--pdeathsig", name, "--", *args], uid, gid)
    whom = (-1, -1) if uid is None else (uid, uid if gid is None else gid)
    facts = [str(fact) for fact in (number, os.getpid(), *whom)]
    return _Launch([sys.executable, "-I", "-S", "-c", _LAUNCH, *facts, *args], None, None)


def find_program(command: str, cwd: Path | None, env: Mapping[str, str] | None) -> str:
    """The file that `command` names, as the system would find it.

    Raises:
        CommandNotFound: there is none, or it cannot be executed.
    """
    search = (env if env is not None else os.environ).get("PATH", os.defpath)
    place = Path(cwd or ".", command) if "/" in command else None
    found = shutil.which(str(place) if place else command, path=search)
    if found is not None:
        return str(Path(found).absolute()) if place else found
    if place is not None and place.exists():
        raise CommandNotFound(command=command, reason="it is no executable file")
    raise CommandNotFound(command=command, reason="there is no such file" if place else "it is not on PATH")


class Spawner:
    """Starts processes from one thread that lives as long as the interpreter.

    A parent-death signal fires when the *thread* that started the process ends; a worker thread of an event loop that
    closes would take its servers along.
    """

    def __init__(self) -> None:
        self.watchdog = Watchdog()
        self.live: dict[int, int] = {}
        """Process group and the signal that ends it."""
        self._work: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(
        self,
        args: Sequence[str],
        *,
        death_signal: int = signal.SIGKILL,
        outlive: bool = False,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        uid: int | None = None,
        gid: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `args` in a session of its own. It gets `death_signal` when the harness dies, unless `outlive`.

        Raises:
            CommandNotFound: it cannot be started.
        """
        program = find_program(args[0], cwd, env)
        launch = _Launch([program, *args[1:]], uid, gid)
        if not outlive:
            launch = _with_death_signal(launch.command, death_signal, uid, gid)

        def popen() -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                launch.command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=cwd,
                env=dict(env) if env is not None else None,
                start_new_session=True,
                user=launch.uid,
                group=launch.gid,
                extra_groups=[] if launch.uid is not None else None,
            )
            if not outlive:
                self.live[process.pid] = int(death_signal)
                self.watchdog.add(process.pid, int(death_signal))
            return process

        try:
            return self._in_thread(popen)
        except OSError as error:
            raise CommandNotFound(command=args[0], reason=error.strerror or str(error)) from error

    def adopt(self, group: int, death_signal: int) -> None:
        """Answer for a process group that was started in another way."""
        self.live[group] = int(death_signal)
        self.watchdog.add(group, int(death_signal))

    def ended(self, group: int) -> None:
        """The process group is gone."""
        if self.live.pop(group, None) is not None:
            self.watchdog.remove(group)

    def stop_all(self, patience: float = 3.0) -> None:
        """End every live process group: its own signal first, SIGKILL after `patience` seconds."""
        groups = dict(self.live)
        for group, number in groups.items():
            _signal_group(group, number)
        deadline = time.monotonic() + patience
        while groups and time.monotonic() < deadline:
            groups = {group: number for group, number in groups.items() if _still_there(group)}
            if groups:
                time.sleep(0.005)
        for group in groups:
            _signal_group(group, signal.SIGKILL)
        for group in list(self.live):
            self.ended(group)

    def forget(self) -> None:
        """In a forked child: the processes are the parent's."""
        self.watchdog.forget()
        self.live.clear()
        self._thread = None
        self._work = queue.SimpleQueue()
        self._lock = threading.Lock()

    def _in_thread(self, popen: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="agog-spawner", daemon=True)
                self._thread.start()
        future: Future[subprocess.Popen[bytes]] = Future()
        self._work.put((popen, future))
        return future.result()

    def _run(self) -> None:
        work = self._work
        while True:
            popen, future = work.get()
            try:
                future.set_result(popen())
            except BaseException as error:
                future.set_exception(error)
            del popen, future


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, number)


def _still_there(group: int) -> bool:
    """Whether the group has a process; its leader is reaped on the way if it is a child of ours that ended."""
    with contextlib.suppress(OSError):
        os.waitpid(group, os.WNOHANG)
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


SPAWNER = Spawner()
"""The one of this operating-system process."""


def _at_exit() -> None:
    SPAWNER.stop_all()
    SPAWNER.watchdog.close()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=SPAWNER.forget)
