"""The listener's side of a keeper: an agent that is started, watched and killed through a socket. See `keeper`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal, Protocol

_PROGRAM: Final = Path(__file__).with_name("keeper.py")
_LINGER: Final = 2.0
"""Seconds for which output is still read when all processes of an agent have ended; only what fled can hold it open."""

How = Literal["exit", "timeout", "killed", "command", "lost"]


class Sink(Protocol):
    """Takes what a stream of output holds."""

    async def gather(self, stream: asyncio.StreamReader) -> None:
        """Read until the end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an agent's process came to its end."""

    how: How
    """`command`: it could not be started. `lost`: its keeper died."""
    status: int | None = None
    """Exit status; a signal's number, negated, when one ended it."""
    reason: str = ""
    """Why it could not be started."""


class Keeper:
    """One keeper process and the agent in it."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._ordered = False
        self._unwanted = False

    @classmethod
    async def start(cls, lock: Path, stdin: IO[bytes] | int, *, merged: bool = False) -> Keeper:
        """Start a keeper, which begins to wait for the lock. `stdin` is the file that the agent will read.

        `merged`: standard error goes where standard output goes, in the order in which it was printed.
        """
        ours, its = socket.socketpair()
        try:
            with its:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-I", "-S", str(_PROGRAM), str(its.fileno()), str(lock),
                    stdin=stdin, stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT if merged else asyncio.subprocess.PIPE,
                    pass_fds=[its.fileno()], start_new_session=True, cwd="/", env=_environment(),
                )  # fmt: skip
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()  # which ends the keeper
            raise
        return cls(process, reader, writer)

    async def locked(self) -> bool:
        """Wait until the attempt's lock is ours; False when the keeper died over it."""
        return await self._line() == ["locked"]

    async def run(
        self,
        words: Sequence[str],
        variables: Mapping[str, str],
        folder: Path,
        seconds: float,
        outputs: Sequence[Sink],
    ) -> Ended:
        """Run the agent to its end, with its standard output and error gathered in `outputs`: one, if merged.

        When this returns, nothing that the agent started is alive any more, and the lock is still held.
        """
        if self._unwanted:
            return Ended("killed")
        self._ordered = True
        fields = [repr(seconds), str(folder), str(len(words)), *words, *(f"{k}={v}" for k, v in variables.items())]
        order = b"".join(os.fsencode(field) + b"\0" for field in fields)
        streams = [stream for stream in (self._process.stdout, self._process.stderr) if stream is not None]
        gathering = [
            asyncio.ensure_future(output.gather(stream)) for output, stream in zip(outputs, streams, strict=True)
        ]
        try:
            with contextlib.suppress(ConnectionError):
                self._writer.write(b"%010d" % len(order) + order)
                await self._writer.drain()
            ended = await self._ended()
            await asyncio.wait(gathering, timeout=_LINGER)
        finally:
            for task in gathering:
                task.cancel()
            await asyncio.gather(*gathering, return_exceptions=True)
        return ended

    async def _ended(self) -> Ended:
        agent = 0
        while line := await self._line():
            match line:
                case ["started", number]:
                    agent = int(number)
                case ["ended", status, "exit" | "timeout" | "killed" as how]:
                    return Ended(how, int(status))
                case ["failed", *words]:
                    return Ended("command", reason=" ".join(words))
        # The agent dies with its keeper; of what it started, what is still in its group can be found.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if agent:
                os.killpg(agent, signal.SIGKILL)
        return Ended("lost")

    async def _line(self) -> list[str]:
        try:
            return (await self._reader.readline()).decode("utf-8", "replace").split()
        except ConnectionError:
            return []

    def kill(self) -> None:
        """Kill the agent, or do not start it; `run` then returns."""
        self._unwanted = True
        if not self._ordered:
            return
        with contextlib.suppress(ConnectionError):
            self._writer.write(b"k")

    async def close(self) -> None:
        """Let go of the lock. An agent that still runs is killed first."""
        self._writer.close()
        # Output that nobody read would keep the transport, and with it this wait, open.
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
        await self._process.wait()


def _environment() -> dict[str, str]:
    """What the keeper itself needs: nothing but where shared libraries are."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
