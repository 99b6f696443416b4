"""Running one command of the gate, really: no shell, its own processes, its exact output, an end to all it started."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pytest_agog.reference.orchestrator.gate import junit
from pytest_agog.reference.orchestrator.gate.config import Command
from pytest_agog.reference.orchestrator.gate.outcomes import Outcome, by_pattern, read_outcome
from pytest_agog.reference.orchestrator.listener.keeping import Ended, Keeper
from pytest_agog.reference.orchestrator.listener.settings import SCRIPTS
from pytest_agog.reference.orchestrator.listener.work import inherited
from pytest_agog.wire.orchestration import CommandRun

TAIL: Final = 16_000
"""Bytes at the end of a command's output that are kept for verdicts."""
_KEPT: Final = 2 * 2**20
"""Bytes at the end of the output in which tests are counted."""
_CHUNK: Final = 2**16
_CANNOT: Final = 126
_NOT_FOUND: Final = 127
"""Exit statuses of what could not be started, as shells give them."""
_PYTHON: Final = re.compile(r"python3?", re.ASCII)


class Tail:
    """The end of a stream of output; the rest is read and let go."""

    def __init__(self, most: int = _KEPT) -> None:
        self.total = 0
        """Bytes that were printed."""
        self._most = most
        self._kept = bytearray()

    async def gather(self, stream: asyncio.StreamReader) -> None:
        """Read until the end."""
        while data := await stream.read(_CHUNK):
            self.total += len(data)
            self._kept += data
            if len(self._kept) > 2 * self._most:  # not at every piece: cutting copies what stays
                del self._kept[: -self._most]

    def text(self, most: int | None = None) -> str:
        """The last `most` bytes as text, from a whole character on; what is no UTF-8 is replaced."""
        wanted = self._most if most is None else most
        data = bytes(self._kept[-wanted:])
        if self.total > len(data):
            continued = next((i for i, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
            data = data[continued:]
        return data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that was run, and what it comes to."""

    command: Command
    run: CommandRun
    why: str = ""
    """Why it did not pass; empty when it did."""
    outcome: Outcome | None = None
    """The tests that ran, when it proves tests and they could be counted."""
    unable: bool = False
    """It cannot be started here at all."""

    @property
    def passed(self) -> bool:
        """Whether it did what it has to."""
        return not self.why


def cache_of(lock: Path) -> Path:
    """Where Python keeps what it compiles while the gate works: not beside the sources, where agents may write."""
    return lock.parent / "pycache"


def forget_compiled(cache: Path, root: Path) -> None:
    """Remove what was compiled of the project: Python takes a source of the same size and second for the same source.

    Installed packages stay, since compiling them anew takes longer than most tests.
    """
    mirrored = cache / root.resolve().relative_to("/")
    for folder, inner, files in os.walk(mirrored):
        inner[:] = [name for name in inner if name not in ("site-packages", "dist-packages")]
        for name in files:
            Path(folder, name).unlink(missing_ok=True)


async def run(
    command: Command, root: Path, lock: Path, pass_env: list[str], about: Mapping[str, str] | None = None
) -> Ran:
    """Run the command to its end. When this returns, or is cancelled, nothing that it started goes on."""
    folder = root / command.cwd
    if not folder.is_dir():
        reason = f"the folder {command.cwd} is not there. Create it, or correct cwd in [gate]"
        return _unstarted(command, _CANNOT, reason)
    variables = inherited(pass_env)
    variables["PATH"] = f"{SCRIPTS}:{variables['PATH']}" if variables.get("PATH") else SCRIPTS
    # Compiled code that an agent left beside protected sources, or beside older ones, must not run in their place.
    variables |= {"CI": "1", "PYTHONPYCACHEPREFIX": str(cache_of(lock)), **(about or {}), **command.env}
    words = _resolved(command.run, folder, variables["PATH"])
    if words is None:
        reason = f"there is no program {command.run[0][:200]!r} that can be run. Install it, or correct run in [gate]"
        return replace(_unstarted(command, _NOT_FOUND, reason), unable=True)
    before = junit.stamp(folder / command.report) if command.report else None
    tail = Tail()
    begun = time.monotonic()
    ended = await _keep(words, variables, folder, command.timeout, tail, lock)
    seconds = time.monotonic() - begun
    if ended.how == "command":
        reason = f"it cannot be started: {ended.reason}. Correct run in [gate]"
        return replace(_unstarted(command, _CANNOT, reason), unable=True)
    return await asyncio.to_thread(_judged, command, folder, ended, seconds, tail, before)


async def _keep(
    words: list[str], variables: dict[str, str], folder: Path, most: float, tail: Tail, lock: Path
) -> Ended:
    keeper = await Keeper.start(lock, asyncio.subprocess.DEVNULL, merged=True)
    try:
        # A killed gate's keeper holds the lock until all that it ran is dead.
        if not await keeper.locked():
            return Ended("lost")
        return await keeper.run(words, variables, folder, most, [tail])
    finally:
        # Also when this is cancelled: a gate that is told to stop waits for its processes to be gone.
        await asyncio.shield(keeper.close())


def _resolved(words: list[str], folder: Path, path: str) -> list[str] | None:
    first, *rest = words
    if _PYTHON.fullmatch(first):
        return [sys.executable, *rest]
    if first == "agog":
        return [sys.executable, "-m", "pytest_agog", *rest]
    found = shutil.which(os.path.join(folder, first) if "/" in first else first, path=path)  # noqa: PTH118
    return [found, *rest] if found else None


def _unstarted(command: Command, status: int, reason: str) -> Ran:
    return Ran(command, _told(command, status, 0.0, f"{reason}.\n", reason, None), reason)


def _judged(
    command: Command, folder: Path, ended: Ended, seconds: float, tail: Tail, before: junit.Stamp | None
) -> Ran:
    status = ended.status if ended.status is not None else -9
    outcome: Outcome | None = None
    why = ""
    if ended.how == "timeout":
        why = f"it did not end within {command.timeout:g} s and was killed"
    elif ended.how != "exit":
        why = "it was killed before it ended"
    elif status:
        why = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
    if "tests" in command.proves:
        outcome, unclear = _counted(command, folder, tail, before)
        why = why or unclear or (outcome.refusal() if outcome else "")
    return Ran(command, _told(command, status, seconds, tail.text(TAIL), why, outcome), why, outcome)


def _counted(command: Command, folder: Path, tail: Tail, before: junit.Stamp | None) -> tuple[Outcome | None, str]:
    """The tests that ran, or why they cannot be counted."""
    if command.report:
        return junit.read_file(folder / command.report, before)
    text = tail.text()
    found = by_pattern(command.tests_pattern, text) if command.tests_pattern else read_outcome(text)
    if found is not None:
        return found, ""
    if command.tests_pattern:
        return None, "its output does not hold what tests_pattern looks for, so no test is known to have run"
    return None, (
        "its output does not show how many tests ran. Have it print a summary (go test: -v), or set report to a JUnit "
        r"XML file that it writes, or tests_pattern, for example '(\d+) passed'"
    )


def _told(command: Command, status: int, seconds: float, tail: str, why: str, outcome: Outcome | None) -> CommandRun:
    further: dict[str, Any] = {"name": command.name, "proves": list(command.proves), "passed": not why}
    if why:
        further["why"] = why
    if outcome is not None:
        further["tests"] = outcome.counts()
    return CommandRun(command=list(command.run), exit=status, seconds=round(seconds, 3), output_tail=tail, **further)
