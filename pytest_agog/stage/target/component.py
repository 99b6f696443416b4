"""A part of the target as a process of its own, so that a kill is a kill.

What the parts need to reach each other goes into their words and environment, so this works for a system in any
language.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal as signals
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from pytest_agog.errors import ServiceDidNotStart, UsageError
from pytest_agog.stage.machine.blocking import blocking
from pytest_agog.stage.machine.environment import inherited, resolve_command
from pytest_agog.stage.machine.processes import ManagedProcess
from pytest_agog.stage.machine.reservation import HOST, ReservedPort, reserve
from pytest_agog.stage.machine.starting import Startable
from pytest_agog.stage.servers.services import LOG_LINES, send, tail
from pytest_agog.stage.target.parts import PartProcess, filled

START_PATIENCE: Final = 30.0
_FIRST_STEP, _LAST_STEP = 0.002, 0.025
_ANSWERS_WITHIN: Final = 2.0
_FINE: Final = range(200, 300)
_EVERYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound


class Component(Startable):
    """One process of a part. `start`, `kill`, `restart` and `stop` block and may be called from any thread.

    Its port is kept while it is down, so that it comes back at the same address; it has to listen with SO_REUSEADDR, as
    servers do.
    """

    def __init__(
        self, name: str, part: PartProcess, log: Path, *, host: str = HOST, port: int = 0, outlive: bool = False
    ) -> None:
        self.name = name
        self.part = part
        self.host = host
        self.values: dict[str, str] = {}
        """The variables of the services; set before `start`, and again when their addresses change."""
        self.credentials: dict[str, str] = {}
        """Environment variables with which it shows NATS who it is; those of the part outrank them."""
        self.further: dict[str, str] = {}
        """Environment variables beside those of the part, as they are."""
        self._log = log
        self._number = port
        self._outlive = outlive
        self._port: ReservedPort | None = None
        self._process: ManagedProcess | None = None

    # --- what it is ---------------------------------------------------------------------------------------------
    @property
    def url(self) -> str:
        """Its HTTP service."""
        if self._port is None:
            raise UsageError(f"{self.name} was never started, so it has no address; call start() first")
        host = HOST if self.host in _EVERYWHERE else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port.number}"

    @property
    def port(self) -> int:
        """Of its HTTP service; 0 as long as it was never started."""
        return self._port.number if self._port is not None else 0

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._process.pid if self._process and self._process.alive else None

    @property
    def alive(self) -> bool:
        """Whether the process runs (a stopped one does)."""
        return self.pid is not None

    @property
    def exit(self) -> int | None:
        """How its last process ended: exit status, or minus the signal's number."""
        return self._process.returncode if self._process else None

    def log_tail(self, lines: int = LOG_LINES) -> str:
        """The last lines that it printed, of all its processes."""
        return tail(self._log, lines)

    # --- what it does -------------------------------------------------------------------------------------------
    def start(self, patience: float = START_PATIENCE, *, listens: bool = False) -> None:
        """Start it and wait until it says that it is ready, or only until it `listens`: a service it needs is away.

        Raises:
            CommandNotFound: there is no such program.
            ServiceDidNotStart: it ended, or was not ready within `patience` seconds; the log's end is in the message.
        """
        if self._port is None:
            self._port = reserve(self._number, self.name)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        printed = self._log.stat().st_size if self._log.exists() else 0
        process = self._process = self._launch(self._values())
        try:
            what, ask = self._question(printed, listens=listens)
            self._await_ready(process, ask, what, time.monotonic() + patience)
        except BaseException:
            process.stop(first=signals.SIGKILL)
            raise

    def kill(self, signal: str = "KILL") -> None:
        """Send a signal and, unless it is STOP, wait for the end (5 s at most, then SIGKILL)."""
        if self._process is not None:
            send(self._process, signal)

    def restart(self, *, listens: bool = False) -> None:
        """Stop it if it runs, then start it at the same address."""
        self.halt()
        self.start(listens=listens)

    def halt(self) -> None:
        """End the process gracefully; it may come back."""
        if self._process is not None and self._process.alive:
            self._process.kill_group(signals.SIGCONT)
            self._process.stop(first=signals.SIGTERM)

    def stop(self) -> None:
        """End it and give its port back; idempotent. The log stays."""
        self.halt()
        if self._port is not None:
            self._port.release()

    # --- inside -------------------------------------------------------------------------------------------------
    def _question(self, printed: int, *, listens: bool) -> tuple[str, Callable[[], str | None]]:
        """How it is asked whether it is ready, in words and as a function; after `printed` bytes of its log."""
        if self.part.prints is not None:
            said = filled(self.part.prints, self._values())
            return f"printing {said!r}", partial(_printed, self._log, printed, "" if listens else said)
        url = filled(self.part.ready, self._values())
        return url, partial(_listens, self.port) if listens else partial(_said, url)

    def _values(self) -> dict[str, str]:
        return {**self.values, "url": self.url, "host": self.host, "port": str(self.port)}

    def _launch(self, values: Mapping[str, str]) -> ManagedProcess:
        part = self.part
        words = [filled(word, values) for word in part.command]
        own = {name: filled(text, values) for name, text in part.env.items()}
        environment = {**inherited(), **self.credentials, **own, **self.further}
        # What is to outlive the harness cannot be the child of something that does not.
        if part.preload and words[0] == "agog" and not self._outlive:
            from pytest_agog.stage.machine.forkserver import ForkedProcess, NoForkServer

            with contextlib.suppress(NoForkServer):
                return ForkedProcess(
                    words[1:],
                    name=self.name,
                    cwd=part.cwd or Path.cwd(),
                    env=environment,
                    log=self._log,
                    preload=part.preload,
                )
        return ManagedProcess(
            resolve_command(words), name=self.name, cwd=part.cwd, env=environment, log=self._log, outlive=self._outlive
        )

    def _await_ready(self, process: ManagedProcess, ask: Callable[[], str | None], what: str, deadline: float) -> None:
        step = _FIRST_STEP
        while (said := ask()) is not None:
            code = process.wait(step)
            step = min(step * 1.5, _LAST_STEP)
            if code is not None:
                how = f"it ended with status {code}" if code >= 0 else f"signal {-code} ended it"
                raise self._failure(how)
            if time.monotonic() > deadline:
                raise self._failure(f"it was not ready in time ({what}: {said})")

    def _failure(self, reason: str) -> ServiceDidNotStart:
        log = self.log_tail()
        last = " / ".join(log.splitlines()[-3:]) or "(nothing)"
        return ServiceDidNotStart(
            service=self.name, reason=f"{reason}; it printed: {last}", remedy=f"Look at {self._log}.", log=log
        )


async def at_once(do: Callable[[Component], None], components: Collection[Component]) -> None:
    """Do it to all, each on a thread of its own and to its end; the first failure is raised when all are done."""

    async def one(component: Component) -> None:
        await blocking(lambda: do(component))

    tasks = [asyncio.ensure_future(one(component)) for component in components]
    try:
        done = await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError:
        for task in tasks:
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await task
        raise
    for failure in done:
        if isinstance(failure, BaseException):
            raise failure


def _printed(log: Path, before: int, text: str) -> str | None:
    """None when a whole line with `text` stands in the log after its first `before` bytes; at once without a text."""
    if not text:
        return None
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(before)
        if any(text.encode() in line and line.endswith(b"\n") for line in file):
            return None
    return "it has not"


def _listens(port: int) -> str | None:
    """None when something listens, else what came of it."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _said(url: str) -> str | None:
    """None when `url` answers that all is well, else what it said instead. Proxies of the environment are not asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_ANSWERS_WITHIN) as answer:
            return None if answer.status in _FINE else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        error.close()
        return f"status {error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    except Exception as error:  # no HTTP at all
        return type(error).__name__
