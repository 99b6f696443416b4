"""A copy of all that the system holds, taken while it runs. [X5]

What refers to something is copied before what it refers to, so a restored system may know a little more than it has
been told, and never less:

1. Requirements, requests, results, errors and events, and then the KV buckets with the state. Nothing moves among these
   from the first to the last, or they are copied again; what would not stand still is named in the manifest.
2. Reports, then object stores, which results and state name. A stream that gathers from others goes before them.
3. Postgres last. Ingest acknowledges a message after its row is committed: so every message that the copied consumer
   has behind it has its row in the copy. What was stored in between is delivered again after a restore, and stored
   once, by its key (see `rekeying`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.operations import archive, tables
from pytest_agog.reference.operations.archive import Contents, SchemaCopy, StreamCopy
from pytest_agog.reference.operations.origins import gatherers_first
from pytest_agog.wire import streams as wire

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.connecting import Link

_ATTEMPTS: Final = 5
_OBJECTS: Final = "OBJ_"
_BUCKETS: Final = "KV_"
_CONTROL: Final = frozenset(
    each.name for each in wire.STREAMS if each not in wire.DELIVERABLE_STREAMS and each.name != "agent-comms"
)
Tell = Callable[[str, int, int], None]
"""Is told what is copied, how many bytes of it have gone by, and about how many there are (0: unknown)."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What to copy; None leaves that side out."""

    link: Link | None
    dsn: str | None


async def backup(sources: Sources, target: Path, tell: Tell, *, agog: str = "") -> Contents:
    """Copy everything to the new folder `target`, which appears when it is complete.

    Raises:
        BackupExists: `target` is there already.
        BadInput: nothing can be written there.
        AgogError: a service is away or refuses; nothing stays behind.
    """
    made = datetime.now(UTC).isoformat()
    with archive.writing(target) as folder:
        try:
            streams, moved, server = await _streams(sources.link, folder, tell)
            schemas, postgres = await asyncio.to_thread(_schemas, sources.dsn, folder, tell)
            contents = Contents(
                format="agog-backup", version=1, agog=agog, made=made, nats=server, streams=tuple(streams),
                moved=tuple(moved), postgres=postgres, schemas=schemas,
            )  # fmt: skip
            archive.write_manifest(folder, contents)
        except OSError as error:
            raise BadInput(
                f"{target} cannot be written ({error.strerror or error}). Give a folder with more room."
            ) from None
    return contents


async def _streams(link: Link | None, folder: Path, tell: Tell) -> tuple[list[StreamCopy], list[str], str | None]:
    if link is None:
        return [], [], None
    infos = {str(info["config"]["name"]): info for info in await _listed(link)}
    order = sorted(infos, key=lambda name: (_place(name), name))
    order = gatherers_first(order, {name: info["config"] for name, info in infos.items()})
    together = [name for name in order if _place(name) < _APART]
    copies: dict[str, StreamCopy] = {}
    moved: list[str] = []
    for _ in range(_ATTEMPTS):
        for name in together:
            copies[name] = await _copy(link, infos[name], order.index(name) + 1, folder, tell)
        moved = await _moved(link, [copies[name] for name in together])
        if not moved:
            break
        infos.update({str(info["config"]["name"]): info for info in await _listed(link)})
    for name in order:
        if name not in copies:
            copies[name] = await _copy(link, infos[name], order.index(name) + 1, folder, tell)
    version = str(link.nc.connected_server_version)
    return [copies[name] for name in order], moved, version


_APART: Final = 2


def _place(name: str) -> int:
    """What belongs together, in the order in which it is copied."""
    if name in _CONTROL:
        return 0
    if name.startswith(_BUCKETS):
        return 1
    return 3 if name.startswith(_OBJECTS) else _APART


async def _listed(link: Link) -> list[dict[str, Any]]:
    try:
        return await jetstream.list_all(link, "STREAM.LIST", "streams")
    except jetstream.Refusal as refusal:
        raise refusal.as_error("listing the streams", url=link.url) from None


async def _copy(link: Link, info: dict[str, Any], number: int, folder: Path, tell: Tell) -> StreamCopy:
    from pytest_agog.reference.operations import snapshots

    name = str(info["config"]["name"])
    file = archive.file_name("streams", number, name)
    (folder / file).unlink(missing_ok=True)
    total = int(info["state"]["bytes"])
    saved = await snapshots.save(link, name, folder / file, lambda size: tell(f"stream {name}", size, total))
    return StreamCopy(
        name=name, file=file, size=saved.size, digest=saved.digest, created=info["created"], config=saved.config,
        state=saved.state,
    )  # fmt: skip


async def _moved(link: Link, copies: Sequence[StreamCopy]) -> list[str]:
    """Streams that took messages since they were copied; all were in the same state at this moment otherwise."""
    now = {str(info["config"]["name"]): info["state"]["last_seq"] for info in await _listed(link)}
    return [each.name for each in copies if now.get(each.name) != each.state["last_seq"]]


def _schemas(dsn: str | None, folder: Path, tell: Tell) -> tuple[tuple[SchemaCopy, ...], str | None]:
    if dsn is None:
        return (), None
    with tables.connected(dsn) as connection:
        tables.prepare(connection, reading=True)
        found = tables.save(connection, folder, lambda size: tell("Postgres", size, 0))
        version = connection.execute("SHOW server_version").fetchone()
    return found, str(version[0]) if version else ""
