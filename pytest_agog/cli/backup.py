"""`agog backup` and `agog restore`: streams, KV buckets, object stores and Postgres, into a folder and back. [X5]"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from pytest_agog.cli.console import print_json, print_line, print_table
from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsUrl, PostgresDsn, checked_dsn
from pytest_agog.errors import Exit, UsageError
from pytest_agog.values import format_size, plural

if TYPE_CHECKING:
    from pytest_agog.reference.operations.archive import Contents
    from pytest_agog.reference.operations.backup import Sources, Tell
    from pytest_agog.reference.operations.restore import Restored

T = TypeVar("T")
SIDES: Final = ("nats", "postgres")
_EVERY: Final = 0.1
"""Seconds between two lines of progress."""
Only = Annotated[str, typer.Option("--only", help="Sides, with commas: nats, postgres.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder; it appears when the backup is complete.")],
    only: Only = "",
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    postgres_dsn: PostgresDsn = None,
    as_json: Json = False,
) -> int:
    """Copy all streams (with consumers' positions, KV buckets and object stores) and the tables of agent comms and
    memory, while everything runs.

    Without --postgres-dsn or DATABASE_URL only NATS is copied, and said so. Needs the user `system`.

    Example: agog backup /var/backups/agog-monday --postgres-dsn postgresql://postgres@127.0.0.1/agog
    """
    from pytest_agog import __version__

    def work(sources: Sources, tell: Tell) -> Awaitable[Contents]:
        from pytest_agog.reference.operations import archive
        from pytest_agog.reference.operations import backup as backups

        for path in archive.clear_remains(folder):
            print(f"agog: removed {path}, which a backup left that was broken off", file=sys.stderr)
        return backups.backup(sources, folder, tell, agog=__version__)

    began = time.monotonic()
    contents = _run(only, nats_url, nats_creds, postgres_dsn, work)
    if as_json:
        print_json({"folder": str(folder), **_summary(contents)})
        return Exit.OK
    _tell_contents(contents)
    print_line(f"{folder}: {format_size(contents.size)} in {time.monotonic() - began:.1f} s, complete")
    return Exit.OK


def restore(
    folder: Annotated[Path, typer.Argument(help="What `agog backup` wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Delete what is there, and put the backup in its place.")
    ] = False,
    replicas: Annotated[
        int | None, typer.Option("--replicas", help="Copies of each stream, instead of the backup's.", min=1, max=5)
    ] = None,
    only: Only = "",
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    postgres_dsn: PostgresDsn = None,
    as_json: Json = False,
) -> int:
    """Put back what a backup holds, after every file of it was verified.

    Streams and tables that hold something are left alone without --force. Stop agent comms, orchestrator and host
    listener first. Needs the user `system`.

    Example: agog restore /var/backups/agog-monday --postgres-dsn postgresql://postgres@127.0.0.1/agog
    """

    def work(sources: Sources, tell: Tell) -> Awaitable[Restored]:
        from pytest_agog.reference.operations import restore as restores

        return restores.restore(sources, folder, tell, force=force, replicas=replicas)

    restored = _run(only, nats_url, nats_creds, postgres_dsn, work)
    if as_json:
        print_json(_restored(restored))
        return Exit.OK
    _tell_restored(restored)
    return Exit.OK


def _run(only: str, url: str, creds: Path | None, dsn: str | None, work: Callable[[Sources, Tell], Awaitable[T]]) -> T:
    sides = _sides(only, dsn)

    async def whole() -> T:
        from pytest_agog.reference.deliverables.connecting import connect
        from pytest_agog.reference.operations.backup import Sources

        link = await connect(url, creds=creds) if "nats" in sides else None
        progress = _Progress()
        task = asyncio.current_task()
        assert task is not None
        # What was begun is cleared away, as with Ctrl-C.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            return await work(Sources(link, dsn if "postgres" in sides else None), progress.tell)
        finally:
            progress.end()
            if link is not None:
                await link.close()

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _sides(only: str, dsn: str | None) -> set[str]:
    sides = {part.strip() for part in only.split(",") if part.strip()} or set(SIDES)
    strange = sides - set(SIDES)
    if strange:
        raise UsageError(f"--only {only!r}: expected nats or postgres, or both with a comma")
    if dsn:
        checked_dsn(dsn)
    elif only and "postgres" in sides:
        raise UsageError("No database is named. Give it with --postgres-dsn or DATABASE_URL.")
    elif "postgres" in sides:
        print("agog: Postgres is left out: no --postgres-dsn and no DATABASE_URL", file=sys.stderr)
    return sides


class _Progress:
    """A line that changes, on a terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next = 0.0
        self._wide = 0

    def tell(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + _EVERY
        share = f" of about {format_size(total)}" if total > done else ""
        line = f"{what[:60]}: {format_size(done)}{share}"
        print(f"\r{line:<{self._wide}}", end="", file=sys.stderr, flush=True)
        self._wide = max(self._wide, len(line))

    def end(self) -> None:
        if self._wide:
            print(f"\r{'':<{self._wide}}\r", end="", file=sys.stderr, flush=True)


def _tell_contents(contents: Contents) -> None:
    if contents.nats is not None:
        print_table(
            ("stream", "messages", "last", "size"),
            [(s.name, s.state["messages"], s.state["last_seq"], format_size(s.size)) for s in contents.streams],
            numbers=(1, 2, 3),
        )
    for schema in contents.schemas:
        for table in schema.tables:
            print_line(f"{schema.name}.{table.name}: {plural(table.rows, 'row')}, {format_size(table.size)}")
    if contents.moved:
        print_line(
            f"still moving while they were copied: {', '.join(contents.moved)}. What went on in that moment is told "
            "again or tried again after a restore; stop the orchestrator for a copy of one moment"
        )


def _tell_restored(restored: Restored) -> None:
    if restored.streams:
        print_table(
            ("stream", "messages", "of"), [(each.name, each.there, each.copied) for each in restored.streams],
            numbers=(1, 2),
        )  # fmt: skip
    short = sum(each.there < each.copied for each in restored.streams)
    if short:
        print_line(f"{plural(short, 'stream')} dropped messages at once: they are older than the stream keeps them")
    for each in restored.streams:
        if each.anew:
            print_line(
                f"stream {each.name} gathers from the beginning of {', '.join(each.anew)}: what it had of these may be "
                "there twice"
            )
    for note in restored.notes:
        print_line(f"left out: {note}")
    print_line(
        f"restored {plural(len(restored.streams), 'stream')} and {plural(restored.rows, 'row')} from "
        f"{restored.contents.made}" + ("" if restored.contents.postgres else "; the backup has no Postgres")
    )


def _summary(contents: Contents) -> dict[str, Any]:
    return {
        "made": contents.made, "bytes": contents.size, "nats": contents.nats, "postgres": contents.postgres,
        "moved": list(contents.moved),
        "streams": [
            {"name": each.name, "messages": each.state["messages"], "last_seq": each.state["last_seq"],
             "bytes": each.size} for each in contents.streams
        ],
        "tables": [
            {"name": f"{schema.name}.{table.name}", "rows": table.rows, "bytes": table.size}
            for schema in contents.schemas for table in schema.tables
        ],
    }  # fmt: skip


def _restored(restored: Restored) -> dict[str, Any]:
    return {
        "made": restored.contents.made,
        "streams": [
            {"name": each.name, "messages": each.there, "copied": each.copied, "gathered_anew": list(each.anew)}
            for each in restored.streams
        ],
        "rows": restored.rows, "rekeyed": restored.rekeyed, "left_out": list(restored.notes),
    }  # fmt: skip
