"""`agog backfill`: the messages of a run that never arrived, out of the files that its agent left behind. [C9]"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_agog.cli.console import print_json, print_line
from pytest_agog.cli.options import Json, PostgresDsn, checked_dsn
from pytest_agog.errors import AgogError, Exit, PostgresUnreachable, UsageError
from pytest_agog.masking import mask
from pytest_agog.values import plural

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from pytest_agog.reference.comms.backfill.identity import Identity
    from pytest_agog.reference.comms.backfill.reconciling import Backfilled

_CONNECT_TIMEOUT = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backfill")(backfill)


def backfill(
    folder: Annotated[
        Path,
        typer.Option(
            "--dir",
            help="Folder with .codex-implementation-events.jsonl; without events, .codex-implementation-agent.log.",
        ),
    ],
    run_id: Annotated[
        str | None, typer.Option(envvar="RUN_ID", help="The run; without a workflow's uid, the folder's name.")
    ] = None,
    workflow_uid: Annotated[str | None, typer.Option(envvar="WORKFLOW_UID", help="Its workflow's uid.")] = None,
    workflow_name: Annotated[str | None, typer.Option(envvar="WORKFLOW_NAME", help="Its workflow's name.")] = None,
    workflow_namespace: Annotated[
        str | None, typer.Option(envvar="WORKFLOW_NAMESPACE", help="Its workflow's namespace.")
    ] = None,
    agent_id: Annotated[str | None, typer.Option(envvar="AGENT_ID", help="The agent that spoke.")] = None,
    step_id: Annotated[str | None, typer.Option(envvar="WORKFLOW_STEP", help="The workflow's step.")] = None,
    stage: Annotated[str | None, typer.Option(envvar="WORKFLOW_STAGE", help="The workflow's stage.")] = None,
    postgres_dsn: PostgresDsn = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is missing; store nothing.")] = False,
    as_json: Json = False,
) -> int:
    """Store the messages of a run that never arrived, out of the files that its agent left behind.

    Messages that are there already stay as they are: doing it again changes nothing. Needs Postgres only, not NATS.
    What is not given is taken from messages of the run that arrived. Exit 1 when a message could not be stored; lines
    that cannot be read are listed and do not count.

    Example: agog backfill --dir runs/run-17 --run-id run-17 --agent-id codex
    """
    from pytest_agog.reference.comms.backfill.identity import Identity

    if not postgres_dsn:
        raise UsageError("No database is named. Give it with --postgres-dsn or DATABASE_URL.")
    identity = Identity(
        run_id=run_id,
        workflow_uid=workflow_uid,
        workflow_name=workflow_name,
        workflow_namespace=workflow_namespace,
        agent_id=agent_id,
        step_id=step_id,
        stage=stage,
    )
    done = _run(postgres_dsn, folder, identity, dry_run=dry_run)
    if as_json:
        print_json(_document(done))
    else:
        _tell(done)
    return Exit.CLAIM_FAILED if done.rejected else Exit.OK


def _run(dsn: str, folder: Path, identity: Identity, *, dry_run: bool) -> Backfilled:
    import psycopg

    async def whole() -> Backfilled:
        from pytest_agog.reference.comms.backfill.reconciling import backfill as store

        async with await psycopg.AsyncConnection.connect(
            dsn, connect_timeout=_CONNECT_TIMEOUT, autocommit=True
        ) as connection:
            await _tables(connection, dsn, dry_run=dry_run)
            return await store(connection, folder, identity, dry_run=dry_run)

    checked_dsn(dsn)
    try:
        return asyncio.run(whole())
    except psycopg.OperationalError as error:
        raise PostgresUnreachable(dsn=mask(dsn), reason=_first_line(error)) from None
    except psycopg.ProgrammingError as error:  # missing rights, tables of another making
        raise AgogError(
            f"Postgres at {mask(dsn)} refused the work ({_first_line(error)}). Give a database and a user that may "
            "write workflow_comms with --postgres-dsn or DATABASE_URL."
        ) from None


async def _tables(connection: AsyncConnection, dsn: str, *, dry_run: bool) -> None:
    """Where comms never ran, there are no tables yet."""
    from pytest_agog.reference.comms.migrating import migrate

    cursor = await connection.execute("SELECT to_regclass('workflow_comms.agent_messages')")
    row = await cursor.fetchone()
    if row is not None and row[0] is None:
        if dry_run:
            raise UsageError(
                f"Postgres at {mask(dsn)} has no tables of agent comms: everything is missing. Run it without "
                "--dry-run, which creates them."
            )
        await asyncio.to_thread(migrate, dsn)


def _first_line(error: Exception) -> str:
    lines = mask(str(error).strip()).splitlines()
    return lines[0] if lines else type(error).__name__


def _document(done: Backfilled) -> dict[str, Any]:
    return {
        "run_id": done.speaker.run_id,
        "workflow_uid": done.speaker.uid,
        "workflow_name": done.speaker.workflow,
        "workflow_namespace": done.speaker.namespace,
        "agent_id": done.speaker.agent_id,
        "source": done.source,
        "dry_run": done.dry_run,
        "found": done.found,
        "present": done.present,
        "stored": done.stored,
        "rejected": done.rejected,
        "reasons": [mask(reason) for reason in done.reasons],
        "bad_lines": done.bad_count,
        "bad": [{"line": bad.line, "reason": mask(bad.reason)} for bad in done.bad],
    }


def _tell(done: Backfilled) -> None:
    verb = "would be stored" if done.dry_run else "stored"
    print_line(
        f"run {done.speaker.run}, agent {done.speaker.agent_id}: {plural(done.found, 'message')} found in "
        f"{done.source}, {done.present} already there, {done.stored} {verb}, {done.rejected} rejected"
    )
    for reason in done.reasons:
        print_line(f"rejected: {reason}")
    for bad in done.bad:
        print_line(f"line {bad.line} tells no message: {bad.reason}")
    if done.bad_count > len(done.bad):
        print_line(f"and {done.bad_count - len(done.bad)} more such lines")
