"""Backfill: store what an agent left in its files and what is missing, each message once. [C9, J21, J22]

Two backfills of one run take turns under an advisory lock. Against live ingest, the last look at what is there and the
insert happen under the lock that orders all inserts, batch by batch, so that live ingest never waits long. A message
that arrives live after its backfill makes no second row if its publisher uses the id that the artifact gives it
(`drafts.message_id`); one with an id of its own cannot be told from a new message then.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.comms import storing
from pytest_agog.reference.comms.backfill.drafts import BadLine, Draft, Unstorable, build, clean, message_id
from pytest_agog.reference.comms.backfill.identity import Identity, Speaker, complete, named_after
from pytest_agog.reference.comms.backfill.present import Present, told
from pytest_agog.reference.comms.backfill.reading import Artifact, artifact_in
from pytest_agog.wire.comms_rows import Row

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

_BATCH: Final = 500
_BATCH_CHARACTERS: Final = 4_000_000
_REJECTED_STREAM: Final = "backfill"
"""Stands in `rejected_messages` for the stream."""
_NO_TIME: Final = "1970-01-01T00:00:00Z"
_MAX_REASONS: Final = 100


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What came of a backfill. `found` is the sum of `present`, `stored` and `rejected`."""

    speaker: Speaker
    source: str
    """The file that was read."""
    found: int
    present: int
    """Messages that were there already."""
    stored: int
    rejected: int
    """Messages that no row can hold; they are kept in `rejected_messages`."""
    reasons: tuple[str, ...]
    """Why the first of them were rejected, with their lines."""
    bad: tuple[BadLine, ...]
    """The first lines that tell no message."""
    bad_count: int
    dry_run: bool = False
    """Nothing was stored; `stored` and `rejected` say what would be."""


async def backfill(
    connection: AsyncConnection, folder: Path, identity: Identity, *, dry_run: bool = False
) -> Backfilled:  # fmt: skip
    """Store the messages in `folder` that are missing. Doing it again, or twice at once, changes nothing.

    `connection` must not be inside a transaction.

    Raises:
        BadInput: nothing in `folder` can be read, or it is not clear who spoke.
        psycopg.Error: what was stored until then is complete in itself; do it again.
    """
    identity = named_after(identity, _name(folder))
    artifact = await asyncio.to_thread(artifact_in, folder)
    try:
        async with _autocommit(connection), _turn(connection, identity.run_id or identity.workflow_uid or ""):
            speaker = await complete(connection, identity)
            ids = await asyncio.to_thread(artifact.ids, speaker.run)
            work = _Work(speaker, artifact, Present(speaker, ids), dry_run=dry_run)
            drafts = artifact.messages()
            while batch := await asyncio.to_thread(_take, drafts):
                await work.reconcile(connection, batch)
            return work.outcome()
    finally:
        artifact.close()


async def complete_run(pool: AsyncConnectionPool, artifacts: Path | None, run_id: str) -> Backfilled | None:
    """Backfill a run that is complete, from its folder under `artifacts`; None when it has none.

    Raises:
        BadInput: `run_id` names no folder, or nothing in it can be read.
        psycopg.Error: do it again.
    """
    if artifacts is None:
        return None
    folder = folder_of(artifacts, run_id)
    if not await asyncio.to_thread(folder.is_dir):
        return None
    async with pool.connection() as connection:
        return await backfill(connection, folder, Identity(run_id=run_id))


def folder_of(artifacts: Path, run_id: str) -> Path:
    """Where a run has its files. Anybody may ask for any run: its id is one name in `artifacts`, and never a path.

    Raises:
        BadInput: it cannot be one, or what has the name is a link.
    """
    parts = {os.sep, os.altsep, "\\", "\0"} - {None}
    if run_id in ("", ".", "..") or any(part in run_id for part in parts if part):
        raise BadInput("This run id names no folder of artifacts. Start the backfill with `agog backfill --dir`.")
    folder = artifacts / run_id
    try:
        linked = folder.is_symlink()
        fits = len(os.fsencode(run_id)) <= 255
    except (OSError, ValueError):  # ValueError: lone surrogates
        linked, fits = False, False
    if linked or not fits:
        raise BadInput("This run id names no folder of artifacts. Start the backfill with `agog backfill --dir`.")
    return folder


def _name(folder: Path) -> str:
    """Its name; for `.` that of the folder that it is."""
    return folder.absolute().resolve().name or "run"


def _take(drafts: Iterator[Draft]) -> list[Draft]:
    """The next batch."""
    batch: list[Draft] = []
    characters = 0
    for draft in islice(drafts, _BATCH):
        batch.append(clean(draft))
        characters += len(draft.content)
        if characters > _BATCH_CHARACTERS:
            break
    return batch


class _Work:
    def __init__(self, speaker: Speaker, artifact: Artifact, there: Present, *, dry_run: bool) -> None:
        self._speaker = speaker
        self._artifact = artifact
        self._there = there
        self._dry_run = dry_run
        self._counts = {"found": 0, "stored": 0, "rejected": 0}
        self._reasons: list[str] = []

    async def reconcile(self, connection: AsyncConnection, batch: list[Draft]) -> None:
        async with connection.transaction():
            if not self._dry_run:
                await storing.take_turn(connection)
            await self._there.look(connection)
            rows, unstorable = self._missing(batch)
            self._counts["found"] += len(batch)
            self._counts["rejected"] += len(unstorable)
            if self._dry_run:
                self._counts["stored"] += len(rows)
            elif rows or unstorable:
                stored = await storing.store(connection, rows, [_rejected(name, what) for name, what in unstorable])
                self._counts["stored"] += stored.inserted

    def _missing(self, batch: list[Draft]) -> tuple[list[Row], list[tuple[str, Unstorable]]]:
        rows: list[Row] = []
        unstorable: list[tuple[str, Unstorable]] = []
        for draft in batch:
            name = message_id(self._speaker.run, self._artifact.name, draft)
            what = told(draft.kind, draft.content)
            if self._there.has(name, what):
                continue
            at = self._artifact.at(draft)
            built = build(draft, self._speaker, at, self._there.shared_id(what) or name)
            if isinstance(built, Row):
                rows.append(built)
                continue
            unstorable.append((name, built))
            if len(self._reasons) < _MAX_REASONS:
                self._reasons.append(f"line {draft.line}: {built.rejection}")
        return rows, unstorable

    def outcome(self) -> Backfilled:
        found, stored, rejected = self._counts["found"], self._counts["stored"], self._counts["rejected"]
        return Backfilled(
            speaker=self._speaker,
            source=self._artifact.name,
            found=found,
            present=found - stored - rejected,
            stored=stored,
            rejected=rejected,
            reasons=tuple(self._reasons),
            bad=tuple(self._artifact.bad),
            bad_count=self._artifact.bad_count,
            dry_run=self._dry_run,
        )


def _rejected(name: str, what: Unstorable) -> storing.RejectedMessage:
    """Its place among the rejected ones comes from its id, so that it stands there once."""
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
    return storing.RejectedMessage(_REJECTED_STREAM, _NO_TIME, place, what.subject, what.raw, str(what.rejection))


@asynccontextmanager
async def _autocommit(connection: AsyncConnection) -> AsyncIterator[None]:
    """Each batch is committed by itself."""
    before = connection.autocommit
    await connection.set_autocommit(True)
    try:
        yield
    finally:
        if not connection.closed and not connection.broken:
            await connection.set_autocommit(before)


@asynccontextmanager
async def _turn(connection: AsyncConnection, run: str) -> AsyncIterator[None]:
    """One backfill of a run at a time. A connection that is lost gives its turn up."""
    key = int.from_bytes(hashlib.sha256(b"agog backfill " + run.encode()).digest()[:8], "big", signed=True)
    await connection.execute("SELECT pg_advisory_lock(%s)", (key,))
    try:
        yield
    finally:
        if not connection.closed and not connection.broken:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (key,))
