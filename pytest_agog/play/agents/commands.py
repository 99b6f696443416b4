"""Run a command in the scenario's folder, without a shell, and write down how it went."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

from pytest_agog import masking
from pytest_agog.ledger.facts import ProcessExited, ProcessOutput, ProcessStarted
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.play.context import PlayContext
from pytest_agog.stage.machine.environment import inherited, resolve_command
from pytest_agog.stage.machine.processes import Finished, ManagedProcess

NO_PROCESS: Final = 0
"""The process id of a scripted agent: the harness itself plays it."""
_SECRET_OPTION: Final = re.compile(r"-.*(password|passwd|secret|token|api-?key)", re.IGNORECASE)
_SHOWN_WORD: Final = 200


async def execute(
    context: PlayContext,
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes,
    timeout: float,  # noqa: ASYNC109 - the command's own
) -> Finished:
    """Run a command to its end. After `timeout` seconds its whole process group is killed.

    Raises:
        CommandNotFound: it cannot be started.
    """
    ledger = context.ledger
    began = time.monotonic()
    # Starting takes a millisecond or two; in a thread, a play that is cancelled meanwhile would lose the process.
    process = ManagedProcess(
        resolve_command(command),
        name=name,
        cwd=context.scenario.folder,
        env={**inherited(), **environment},
        pipes=True,
    )
    ledger.append(ProcessStarted(name, shown_command(command), process.pid))
    finished = await process.communicate(stdin, seconds=timeout)
    secrets = masking.known_secrets({**inherited(), **environment})
    record_end(ledger, name, finished, time.monotonic() - began, secrets)
    return dataclasses.replace(
        finished, stdout=masking.hide(finished.stdout, secrets), stderr=masking.hide(finished.stderr, secrets)
    )


def shown_command(command: Sequence[str]) -> tuple[str, ...]:
    """`command` as it may be shown: secrets masked, also one that follows an option that is named like a secret."""
    shown: list[str] = []
    for place, word in enumerate(command):
        if place and _SECRET_OPTION.fullmatch(command[place - 1]):
            shown.append(masking.MASK)
        else:
            masked = masking.mask(word)
            shown.append(masked if len(masked) <= _SHOWN_WORD else masked[: _SHOWN_WORD - 1] + "…")
    return tuple(shown)


def record_end(ledger: Ledger, name: str, finished: Finished, seconds: float, secrets: Collection[str] = ()) -> None:
    """Write down what a process printed and how it ended. It is shown masked, and judged as it was."""
    streams: tuple[tuple[Literal["stdout", "stderr"], bytes], ...] = (
        ("stdout", finished.stdout),
        ("stderr", finished.stderr),
    )
    for stream, data in streams:
        if data:
            text = data.decode("utf-8", "replace")
            hidden = masking.hide(data, secrets).decode("utf-8", "replace")
            masked = masking.mask(hidden)
            shown = data if masked == text else masked.encode("utf-8", "replace")
            ledger.append(ProcessOutput(name, stream, ledger.payloads.put_masked(data, shown)))
    ledger.append(ProcessExited(name, finished.exit, seconds, finished.timed_out))


def how_it_ended(finished: Finished, timeout: float) -> str:
    """In words: `exit status 3`, `ended by signal 9`, or that it took too long."""
    if finished.timed_out:
        return f"it ran longer than {timeout:g}s and was killed"
    return f"ended by signal {-finished.exit}" if finished.exit < 0 else f"exit status {finished.exit}"


def tail(finished: Finished, lines: int = 15) -> str:
    """The end of what a command printed, for people."""
    text = b"\n".join(part[-8000:] for part in (finished.stdout, finished.stderr) if part).decode("utf-8", "replace")
    return masking.mask("\n".join(text.splitlines()[-lines:]))
