"""One run of an agent: its folder, its process, what it printed and left, and what that comes to. [O10]"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pytest_agog import tokens
from pytest_agog.errors import (
    BadInput,
    DeliverableUnreadable,
    DigestMismatch,
    ObjectUnreadable,
    PayloadTooLarge,
)
from pytest_agog.masking import known_secrets
from pytest_agog.reference.orchestrator.listener import judging, telling
from pytest_agog.reference.orchestrator.listener.claims import Note
from pytest_agog.reference.orchestrator.listener.config import AgentConfig
from pytest_agog.reference.orchestrator.listener.judging import Trouble
from pytest_agog.reference.orchestrator.listener.keeping import Ended, Keeper
from pytest_agog.reference.orchestrator.listener.output import Output
from pytest_agog.reference.orchestrator.listener.reports import Reports, Unusable
from pytest_agog.reference.orchestrator.listener.settings import SCRIPTS, ListenerSettings, resolve
from pytest_agog.reference.orchestrator.listener.work import Key, Work, inherited
from pytest_agog.wire.notices import Notice

_BAD_REPORT: Final = (Unusable, PayloadTooLarge, BadInput, DigestMismatch, DeliverableUnreadable, ObjectUnreadable)
_OWN: Final = ("NATS_URL", "NATS_CREDS", "NATS_NKEY", "NATS_USER")
_SHOWN: Final = 4000
"""Characters at the end of each stream of output that an error shows."""
_ROOM: Final = 4096
"""Bytes of headers and fields that a result has besides its notice."""
_TOO_LARGE: Final = Trouble(
    "no-notice", "the notice is too large for a message; 200 tokens are its limit. Move the detail into the report",
    transient=False,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Places:
    """Where an attempt's files are."""

    folder: Path
    lock: Path

    @classmethod
    def of(cls, data: Path, key: Key) -> Places:
        """Under the listener's data folder."""
        return cls(data / "attempts" / str(key), data / "locks" / str(key))

    @property
    def output(self) -> Path:
        """`AGENT_OUTPUT_DIR`."""
        return self.folder / "output"

    @property
    def prompt(self) -> Path:
        """The agent's standard input."""
        return self.folder / "prompt.json"

    def make(self, prompt: bytes) -> None:
        """A new folder; what an earlier run of the attempt left is in the way, since it may be half a report."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
        for name in ("nats-scripts", "deliverables"):
            (self.output / name).mkdir(parents=True, mode=0o700)
        self.prompt.write_bytes(prompt)


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended, and what it printed."""

    ended: Ended
    output: str
    errors: str
    seconds: float
    prompt: bytes
    printed: int
    """Bytes, more than are kept here when it printed a lot."""
    secrets: frozenset[str] = frozenset()
    """What it was given by name, or the listener was, and nobody is to be told."""


async def run(
    work: Work, agent: AgentConfig, settings: ListenerSettings, keeper: Keeper, places: Places, nats_url: str
) -> Ran:
    """Run the agent under a keeper that holds the attempt's lock. All that it started is dead when this returns."""
    folder = settings.folder_of(agent)
    variables = _variables(work, agent, settings, places, nats_url)
    seconds = min(work.timeout, agent.timeout) if agent.timeout is not None else work.timeout
    prompt = places.prompt.read_bytes()
    outputs = [Output(places.folder / name) for name in ("stdout.log", "stderr.log")]
    try:
        words = resolve(list(agent.run), folder, variables.get("PATH", ""))
    except BadInput as error:
        ended = Ended("command", reason=str(error))
    else:
        ended = await keeper.run(words, variables, folder, seconds, outputs)
    finally:
        for each in outputs:
            each.close()
    secrets = known_secrets({**os.environ, **variables})
    return Ran(ended, outputs[0].text(), outputs[1].text(), seconds, prompt, outputs[0].total, secrets)


def _variables(
    work: Work, agent: AgentConfig, settings: ListenerSettings, places: Places, nats_url: str
) -> dict[str, str]:
    # The listener's own way in is that of `system`; agents never get it, whatever the settings pass on.
    found = inherited([name for name in settings.rules.pass_env if name not in _OWN])
    found["PATH"] = f"{SCRIPTS}:{found['PATH']}" if found.get("PATH") else SCRIPTS
    if settings.agent_nats_creds is not None:
        found["NATS_CREDS"] = str(settings.agent_nats_creds)
    if settings.agent_nats_nkey is not None:
        found["NATS_NKEY"] = str(settings.agent_nats_nkey)
    if ca := os.environ.get("NATS_CA"):
        found["NATS_CA"] = str(Path(ca).absolute())
    return {**found, **agent.env, **work.environment(nats_url, places.output)}


async def conclude(work: Work, ran: Ran, reports: Reports, places: Places, before: int, most: int) -> tuple[Note, ...]:
    """What is to be told of a run; a report that it left is published first. `most`: bytes that a message may have.

    Raises:
        AgogError: NATS does not take the report, or does not say whether it has it, for now.
    """
    trouble = judging.trouble_of(ran.ended, work.agent, ran.seconds, ran.errors)
    found = await asyncio.to_thread(judging.notice_in, ran.output, work.agent, work.key.requirement)
    verdict = judging.weighed(trouble, found)
    spent = await asyncio.to_thread(_estimate, ran)
    if isinstance(verdict, Notice):
        verdict = await _with_report(work, verdict, reports, places, before)
    if isinstance(verdict, Notice):
        reported = judging.reported_tokens(verdict.raw)
        told = {"reported": reported} if reported is not None else {"estimated": spent}
        notes = telling.of_notice(work, verdict, told, ran.secrets)
        # The notes stand in one value of the bucket before they are published.
        if sum(len(telling.data_of(note)) for note in notes) + _ROOM <= most:
            return notes
        verdict = _TOO_LARGE
    streams = (telling.hidden(part, ran.secrets) for part in (ran.output, ran.errors) if part)
    printed = "\n".join(part.rstrip("\n")[-_SHOWN:] for part in streams)
    verdict = replace(verdict, text=telling.hidden(verdict.text, ran.secrets))
    return telling.of_trouble(work, verdict, printed, ran.ended.status, spent)


async def _with_report(work: Work, notice: Notice, reports: Reports, places: Places, before: int) -> Notice | Trouble:
    try:
        await reports.publish_left(work, places.output / "deliverables", before)
        if notice.status == "COMPLETE":
            await reports.resolve(notice.deliverable)
    except _BAD_REPORT as error:
        if notice.status == "COMPLETE":
            return Trouble("deliverable", str(error), transient=True)
    return notice


def _estimate(ran: Ran) -> int:
    """Tokens of prompt and output; of output that was not kept whole, in proportion."""
    kept = len(ran.output.encode("utf-8", "replace"))
    printed = tokens.count(ran.output)
    if kept and ran.printed > kept:
        printed = printed * ran.printed // kept
    return tokens.count_bytes(ran.prompt) + printed


def prune(data: Path, keep: float) -> None:
    """Remove what attempts left that ended longer than `keep` seconds ago."""
    oldest = time.time() - keep
    locks, attempts = data / "locks", data / "attempts"
    for name in {path.name for folder in (locks, attempts) if folder.is_dir() for path in folder.iterdir()}:
        with contextlib.suppress(OSError):
            there = [path.lstat().st_mtime for path in (locks / name, attempts / name) if path.exists()]
            if there and max(there) < oldest:
                _remove(locks / name, attempts / name)


def _remove(lock: Path, folder: Path) -> None:
    """Remove an attempt that nobody works at. Its lock is held meanwhile; keepers look whether theirs is still there.

    Raises:
        BlockingIOError: somebody works at it.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink()
    finally:
        os.close(handle)
