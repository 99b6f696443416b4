"""Everything as a backup has it: verified first, then Postgres and streams together. [X5]

Postgres changes in one transaction, which holds the lock that all ingest takes before it stores, and is committed when
the streams are back: whoever stores meanwhile waits, and then finds the rows that are there. When a stream cannot be
restored, Postgres stays as it was.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.errors import AgogError, BackupUnusable, RestoreRefused, RestoreStopped
from pytest_agog.reference.comms import migrating
from pytest_agog.reference.comms.storing import ORDER_LOCK
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.operations import archive, rekeying, tables
from pytest_agog.reference.operations.archive import Contents, StreamCopy
from pytest_agog.reference.operations.backup import Sources, Tell
from pytest_agog.reference.operations.origins import gather_on, origins_first
from pytest_agog.values import plural
from pytest_agog.wire.naming import STREAM

if TYPE_CHECKING:
    from psycopg import Connection

    from pytest_agog.reference.deliverables.connecting import Link

_ATTEMPTS: Final = 3
_SCHEMA: Final = "workflow_comms"
_NAME: Final = re.compile(r"[^\s.*>/\\\x00-\x1f]{1,255}")


@dataclass(frozen=True, slots=True)
class RestoredStream:
    """One stream that is back."""

    name: str
    copied: int
    """Messages in the backup."""
    there: int
    """Messages now: less, where the stream's own limit of age has passed."""
    anew: tuple[str, ...] = ()
    """Streams that it gathers from the beginning: what it had of them may be there twice."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it."""

    contents: Contents
    streams: tuple[RestoredStream, ...] = ()
    rows: int = 0
    """Of all tables."""
    rekeyed: int = 0
    """Rows that got the key of the stream that was made again."""
    notes: tuple[str, ...] = ()


async def restore(
    sources: Sources, folder: Path, tell: Tell, *, force: bool = False, replicas: int | None = None
) -> Restored:
    """Put back what `folder` holds, of those sides that `sources` names. `replicas`: copies of each stream.

    Raises:
        BackupUnusable: it is none, not complete, or of a newer version; nothing was changed.
        RestoreRefused: messages or rows would be lost, and `force` is not given; nothing was changed.
        RestoreStopped: a stream could not be restored.
        AgogError: a service is away or refuses.
    """
    whole = await asyncio.to_thread(archive.verified, folder, lambda size: tell("verifying", size, 0))
    tables.check(whole.schemas, folder)
    link = sources.link if whole.nats is not None else None
    # Rows of a database that is not restored get the keys of streams that are.
    dsn = sources.dsn if whole.postgres is not None or link is not None else None
    if link is None and dsn is None:
        raise BackupUnusable(path=folder, reason="it holds nothing of what is to be restored")
    streams = [_copies(each, folder, replicas) for each in whole.streams] if link is not None else []
    there = await _there(link, streams) if link is not None else {}
    if dsn is None:
        _refuse(there, [], force=force)
        assert link is not None  # one of the two is there
        found, _ = await _bring_streams(link, streams, there, folder, tell)
        return Restored(whole, tuple(found))
    restored = await _with_postgres(link, dsn, whole, streams, there, folder, tell, force=force)
    for series in tables.SERIES:
        if any(schema.name == series.schema for schema in whole.schemas):
            await asyncio.to_thread(migrating.migrate, dsn, series)
    return restored


def _copies(copy: StreamCopy, folder: Path, replicas: int | None) -> StreamCopy:
    if copy.config.get("name") != copy.name or not _NAME.fullmatch(copy.name):
        raise BackupUnusable(path=folder, reason=f"stream {copy.name[:60]!r} is called otherwise in its configuration")
    if replicas is None:
        return copy
    return copy.model_copy(update={"config": {**copy.config, "num_replicas": replicas}})


async def _there(link: Link, streams: Sequence[StreamCopy]) -> dict[str, dict[str, Any]]:
    """Streams of those names that the server has."""
    try:
        infos = await jetstream.list_all(link, "STREAM.LIST", "streams")
    except jetstream.Refusal as refusal:
        raise refusal.as_error("listing the streams", url=link.url) from None
    names = {each.name for each in streams}
    return {str(info["config"]["name"]): info for info in infos if info["config"]["name"] in names}


def _refuse(there: dict[str, dict[str, Any]], schemas: Sequence[str], *, force: bool) -> None:
    """A stream that never took a message, and tables that nobody wrote to, hold nothing that could be lost."""
    used = sorted(name for name, info in there.items() if info["state"]["last_seq"])
    if force or not (used or schemas):
        return
    parts = [f"stream {name} ({plural(int(there[name]['state']['messages']), 'message')})" for name in used[:5]]
    parts += [plural(len(used) - 5, "more stream")] if len(used) > 5 else []
    parts += [f"schema {name} in Postgres" for name in schemas]
    raise RestoreRefused(what=", ".join(parts))


async def _with_postgres(
    link: Link | None,
    dsn: str,
    whole: Contents,
    streams: Sequence[StreamCopy],
    there: dict[str, dict[str, Any]],
    folder: Path,
    tell: Tell,
    *,
    force: bool,
) -> Restored:
    def begin(connection: Connection) -> tuple[int, list[str]]:
        tables.prepare(connection, reading=False)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (ORDER_LOCK,))
        _refuse(there, tables.written(connection, whole.schemas), force=force)
        return tables.bring_back(connection, whole.schemas, folder, lambda size: tell("Postgres", size, 0))

    def end(connection: Connection, infos: dict[str, dict[str, Any]]) -> int:
        return sum(_rekey(connection, each, infos[each.name]) for each in streams if each.name == STREAM)

    manager = tables.connected(dsn)
    connection = await asyncio.to_thread(manager.__enter__)
    try:
        rows, notes = await asyncio.to_thread(begin, connection)
        found, infos = await _bring_streams(link, streams, there, folder, tell) if link is not None else ([], {})
        rekeyed = await asyncio.to_thread(end, connection, infos)
    except BaseException as error:
        # A failed transaction leaves Postgres as it was.
        await asyncio.to_thread(manager.__exit__, type(error), error, error.__traceback__)
        raise
    await asyncio.to_thread(manager.__exit__, None, None, None)
    return Restored(whole, tuple(found), rows, rekeyed, tuple(notes))


def _rekey(connection: Connection, copy: StreamCopy, info: dict[str, Any]) -> int:
    row = connection.execute("SELECT to_regclass(%s)", (f"{_SCHEMA}.agent_messages",)).fetchone()
    if row is None or row[0] is None:
        return 0
    state = copy.state
    return rekeying.rekey(
        connection, copy.name, before=copy.created, now=str(info["created"]), first=int(state["first_seq"]),
        last=int(state["last_seq"]),
    )  # fmt: skip


async def _bring_streams(
    link: Link, streams: Sequence[StreamCopy], there: dict[str, dict[str, Any]], folder: Path, tell: Tell
) -> tuple[list[RestoredStream], dict[str, dict[str, Any]]]:
    found: list[RestoredStream] = []
    infos: dict[str, dict[str, Any]] = {}
    copies = {copy.name: copy for copy in streams}
    for copy in map(copies.__getitem__, origins_first(list(copies), {each.name: each.config for each in streams})):
        reason, info, anew = "", {}, []
        try:
            anew = await _bring(link, copy, folder, tell, delete=copy.name in there)
            info = await jetstream.call(link, f"STREAM.INFO.{copy.name}")
        except (AgogError, jetstream.Refusal, OSError) as error:
            reason = str(error).rstrip(".")
        else:
            last = int(info["state"]["last_seq"])
            if last < int(copy.state["last_seq"]):
                reason = f"it ends at sequence {last} instead of {copy.state['last_seq']}"
        if reason:
            raise RestoreStopped(stream=copy.name, reason=reason, done=len(found), total=len(streams))
        infos[copy.name] = info
        found.append(
            RestoredStream(copy.name, int(copy.state["messages"]), int(info["state"]["messages"]), tuple(anew))
        )
    return found, infos


async def _bring(link: Link, copy: StreamCopy, folder: Path, tell: Tell, *, delete: bool) -> list[str]:
    """A service that still runs may make its stream again as soon as it is deleted; then both are done again.

    Returns origins that are gathered from the beginning, since nothing says how far that was done.
    """
    from pytest_agog.reference.operations import snapshots

    config = {name: value for name, value in copy.config.items() if name != "sources"}
    for attempt in range(_ATTEMPTS):
        if delete or attempt:
            await _delete(link, copy.name)
        try:
            await snapshots.bring_back(
                link, config, copy.state, folder / copy.file,
                lambda size: tell(f"stream {copy.name}", size, copy.size),
            )  # fmt: skip
        except AgogError:
            if attempt + 1 == _ATTEMPTS or not await _is_there(link, copy.name):
                raise
        else:
            return await gather_on(link, copy.config) if copy.config.get("sources") else []
    raise AssertionError


async def _is_there(link: Link, name: str) -> bool:
    try:
        await jetstream.call(link, f"STREAM.INFO.{name}")
    except jetstream.Refusal as refusal:
        if refusal.err_code in jetstream.NOT_FOUND:
            return False
        raise
    return True


async def _delete(link: Link, name: str) -> None:
    try:
        await jetstream.call(link, f"STREAM.DELETE.{name}")
    except jetstream.Refusal as refusal:
        if refusal.err_code not in jetstream.NOT_FOUND:
            raise
