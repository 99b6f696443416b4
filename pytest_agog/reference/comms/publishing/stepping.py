"""[C13] A step of a native run: the command's output goes on unchanged, and appears live as messages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pytest_agog.errors import AgogError, CommandNotFound
from pytest_agog.reference.comms.publishing.drafting import AUTO
from pytest_agog.reference.comms.publishing.lines import LineFeed, Tally
from pytest_agog.reference.comms.publishing.publisher import CommsPublisher

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What is handed on to the command's process group."""
_CHUNK: Final = 65_536
_AFTERMATH: Final = 1.0
"""Seconds for which output is read after the command ended, while a process that it left behind holds the pipe."""

Forward = Callable[[str, bytes], Awaitable[None]]
"""Takes `stdout` or `stderr`, and what the command wrote there."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step went."""

    exit_code: int
    """The command's; 128 + n when signal n ended it."""
    published: int
    """Messages that are stored or spooled."""
    waiting: int
    """How many of these are only spooled."""
    refused: int
    trouble: str
    """Why messages are not stored; empty when all are."""


async def run_step(
    publisher: CommsPublisher, command: Sequence[str], *, forward: Forward,
    environ: Mapping[str, str] | None = None,
) -> StepResult:  # fmt: skip
    """Run `command` as one step: `run-started`, its output as `log` messages, and at the end its `status`.

    Beginning and end go to the global channel too. SIGTERM, SIGINT and SIGHUP are handed on to the command's process
    group. Publishing never changes what the command does or how it ends.

    Raises:
        CommandNotFound: the command cannot be started; that it failed is published.
    """
    tally = Tally()
    shown = " ".join(command)
    await _say(publisher, tally, f"Started: {shown}", kind="run-started", status="running")
    try:
        code = await _run(publisher, tally, command, forward, environ)
    except OSError as error:
        failed = CommandNotFound(command=command[0], reason=error.strerror or str(error))
        await _say(publisher, tally, str(failed), kind="status", status="failed", exit_code=127)
        await tally.settle()
        raise failed from None
    verb = "Completed" if code == 0 else f"Failed with exit code {code}"
    await _say(publisher, tally, f"{verb}: {shown}", kind="status", status=AUTO, exit_code=code)
    await tally.settle()
    trouble = str(tally.failure) if tally.failure is not None else publisher.trouble if publisher.waiting else ""
    return StepResult(code, tally.published, publisher.waiting, tally.refused, trouble)


async def _say(publisher: CommsPublisher, tally: Tally, content: str, **fields: object) -> None:
    content = content.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    try:
        await tally.add(publisher.submit(content, general=True, **fields))
    except AgogError as error:
        tally.refused += 1
        tally.failure = tally.failure or error


async def _run(
    publisher: CommsPublisher, tally: Tally, command: Sequence[str], forward: Forward,
    environ: Mapping[str, str] | None,
) -> int:  # fmt: skip
    with _handed_on() as started:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
            env=environ,
        )  # fmt: skip
        started(process.pid)
        pumps = {
            asyncio.create_task(_pump(publisher, tally, name, stream, forward))
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
            if stream is not None
        }
        code = await process.wait()
        _, late = await asyncio.wait(pumps, timeout=_AFTERMATH)
        for pump in late:
            pump.cancel()
        results = await asyncio.gather(*pumps, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return 128 - code if code < 0 else code


async def _pump(
    publisher: CommsPublisher, tally: Tally, name: str, stream: asyncio.StreamReader, forward: Forward
) -> None:  # fmt: skip
    feed = LineFeed(publisher, tally, kind="log", attrs={"stream": name})
    failed: AgogError | None = None
    try:
        while data := await stream.read(_CHUNK):
            await forward(name, data)
            if failed is None:
                try:
                    await feed.feed(data)
                except AgogError as error:  # no identity, say: the command goes on all the same
                    failed = error
    finally:
        if failed is None:
            try:
                await feed.finish()
            except AgogError as error:
                failed = error
    if failed is not None:
        tally.refused += 1
        tally.failure = tally.failure or failed


@contextmanager
def _handed_on() -> Iterator[Callable[[int], None]]:
    """Signals to this process go to the command's group, once it is known; where this is not the main thread, nobody
    sends us any."""
    loop = asyncio.get_running_loop()
    groups: list[int] = []
    early: list[signal.Signals] = []

    def hand_on(number: signal.Signals) -> None:
        if not groups:
            early.append(number)
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def started(group: int) -> None:
        groups.append(group)
        for number in early:
            hand_on(number)

    taken: list[signal.Signals] = []
    try:
        for number in SIGNALS:
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, hand_on, number)
                taken.append(number)
        yield started
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
