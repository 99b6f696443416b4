"""Cleans up after a harness that was killed: one small process that holds the end of a pipe.

The harness writes down which process groups it started, and which folders it keeps in memory. When the harness dies,
however it dies, the pipe ends, and the watchdog signals those groups, waits for them briefly, kills what is left and
removes the folders. It reaches what a parent-death signal does not: the children of commands, and systems without such
a signal.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

_SCRIPT = r"""
import os, signal, sys, time
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
groups = {}
folders = set()
for line in sys.stdin.buffer:
    word = line.split()
    if word[0] == b"+":
        groups[int(word[1])] = int(word[2])
    elif word[0] == b"-":
        groups.pop(int(word[1]), None)
    elif word[0] == b"f":
        folders.add(os.fsdecode(bytes.fromhex(word[1].decode())))
    else:
        folders.discard(os.fsdecode(bytes.fromhex(word[1].decode())))
def send(group, number):
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True
def living(groups):
    # Those with a process that runs. Who should reap the others takes its time, or is not there (containers).
    groups = {group: number for group, number in groups.items() if send(group, 0)}
    try:
        pids = [name for name in os.listdir("/proc") if name.isdigit()] if groups else []
    except OSError:
        return groups
    running = set()
    for pid in pids:
        try:
            with open("/proc/" + pid + "/stat", "rb") as file:
                state, _, group = file.read().rpartition(b")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if state not in (b"Z", b"X"):
            running.add(int(group))
    return {group: number for group, number in groups.items() if group in running} if running else groups
for group, number in groups.items():
    send(group, number)
deadline = time.monotonic() + 3
while (groups := living(groups)) and time.monotonic() < deadline:
    time.sleep(0.02)
for group in groups:
    send(group, signal.SIGKILL)
for folder in folders:
    import shutil
    shutil.rmtree(folder, ignore_errors=True)
"""


class Watchdog:
    """The harness's end of the pipe. The process starts with the first group, and only then."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: dict[int, int] = {}
        self._folders: set[Path] = set()

    @property
    def pid(self) -> int | None:
        """Its process, or None when none was needed so far."""
        return self._process.pid if self._process else None

    def add(self, group: int, signal_number: int) -> None:
        """Send `signal_number` to process group `group` should the harness die."""
        with self._lock:
            self._groups[group] = signal_number
            self._write(f"+ {group} {signal_number}\n")

    def remove(self, group: int) -> None:
        """The group is gone."""
        with self._lock:
            if self._groups.pop(group, None) is not None:
                self._write(f"- {group}\n")

    def add_folder(self, folder: Path) -> None:
        """Remove `folder` should the harness die."""
        with self._lock:
            self._folders.add(folder)
            self._write(f"f {_hex(folder)}\n")

    def remove_folder(self, folder: Path) -> None:
        """The folder is gone."""
        with self._lock:
            if folder in self._folders:
                self._folders.discard(folder)
                self._write(f"d {_hex(folder)}\n")

    def close(self) -> None:
        """End the watchdog; it acts on what is still written down."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()

    def forget(self) -> None:
        """In a forked child: the pipe is the parent's, so let go of it without a word."""
        process, self._process = self._process, None
        self._lock = threading.RLock()
        self._groups = {}
        self._folders = set()
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                os.close(process.stdin.fileno())
            process.returncode = 0  # not ours to wait for

    def _write(self, line: str) -> None:
        if self._process is None or self._process.poll() is not None:
            self._process = self._start()
            lines = [f"+ {group} {number}\n" for group, number in self._groups.items()]
            line = "".join([*lines, *(f"f {_hex(folder)}\n" for folder in self._folders)])
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(line.encode())

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            bufsize=0,
        )


def _hex(folder: Path) -> str:
    return os.fsencode(folder).hex()
