"""What a stage and a play may ask of a service, wherever it runs."""

from __future__ import annotations

import signal as signals
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class LeftUp:
    """A service that stays when its stage is struck (`--agog-keep`)."""

    name: str
    url: str
    """As it is, with its password: whoever asked for the service wants to use it."""
    pid: int | None
    """What to end; None when it comes with the service before it."""


class NatsService(Protocol):
    """NATS with JetStream. Methods block for as long as they need; call them through a thread from an event loop."""

    @property
    def url(self) -> str:
        """Where clients connect; several servers are separated by commas."""
        ...

    @property
    def monitor_url(self) -> str | None:
        """The monitoring endpoint (of the first server), when there is one."""
        ...

    @property
    def monitor_urls(self) -> str | None:
        """The monitoring endpoints of all servers, separated by commas."""
        ...

    @property
    def version(self) -> str:
        """Of the server."""
        ...

    @property
    def max_payload(self) -> int:
        """Largest message in bytes, headers included, as the server says."""
        ...

    @property
    def replicas(self) -> int:
        """How many copies streams should have."""
        ...

    def kill(self, signal: str = "KILL", server: int | None = None) -> None:
        """Send a signal to one server (counted from 1) or to all."""
        ...

    def restart(self, server: int | None = None) -> None:
        """Start again, with the same address and data; what still runs is stopped first."""
        ...

    def stop(self) -> None:
        """End it and remove its data."""
        ...

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """The last lines of its log, also after it stopped."""
        ...


def signal_number(name: str) -> int:
    """`KILL` or `SIGKILL` as a number.

    Raises:
        ValueError: there is no such signal.
    """
    try:
        return int(signals.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except KeyError:
        raise ValueError(f"there is no signal {name!r}") from None


class Signalled(Protocol):
    """What runs a server or a component: a process, or a container."""

    def kill_group(self, number: int) -> None:
        """Send a signal to all of it."""
        ...

    def await_stopped(self) -> None:
        """After SIGSTOP: wait until it took effect."""
        ...

    def stop(self, *, first: int) -> int:
        """Send `first`, wait for the end for as long as such a thing may take, then kill; returns the exit status."""
        ...


def send(running: Signalled, name: str) -> None:
    """Send a signal and, unless it is STOP or CONT, wait for the end.

    Raises:
        ValueError: there is no such signal.
    """
    number = signal_number(name)
    if number not in (signals.SIGSTOP, signals.SIGCONT):
        running.stop(first=number)
        return
    running.kill_group(number)
    if number == signals.SIGSTOP:
        running.await_stopped()


def tail(log: Path, lines: int = LOG_LINES, limit: int = 65_536) -> str:
    """The last `lines` lines of a file, of its last `limit` bytes; empty when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - limit))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
