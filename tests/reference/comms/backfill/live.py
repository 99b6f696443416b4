"""What live ingest would have stored: the same payloads, through the same function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from psycopg import AsyncConnection
from pydantic_core import to_json

from pytest_agog.reference.comms.backfill.drafts import clean, message_id
from pytest_agog.reference.comms.backfill.files import EVENTS
from pytest_agog.reference.comms.storing import store
from pytest_agog.wire.comms import general_subject, run_subject
from pytest_agog.wire.comms_rows import Row, normalise
from pytest_agog.wire.times import parse_time
from tests.reference.comms.backfill.samples import read

UID = "0b6c2f1e"
NAME = "implement-42.retry"
NAMESPACE = "agents"
AGENT = "roy"
NOW = parse_time("2026-03-04T12:00:00Z")


def row(
    run_id: str | None, kind: str, content: str, name: str, *, agent: str = AGENT, general: bool = False, uid: str = UID
) -> Row:
    subject = general_subject(kind) if general else run_subject(NAMESPACE, NAME, uid, agent, kind)
    payload = {"message_id": name, "kind": kind, "content": content}
    if run_id is not None:
        payload["run_id"] = run_id
    if general:
        payload |= {"agent_id": agent, "workflow_uid": uid, "workflow_namespace": NAMESPACE, "channel": "general"}
    made = normalise(subject, to_json(payload), stream_created="2026-01-01T00:00:00Z", stream_seq=1, stored_at=NOW)
    assert isinstance(made, Row)
    return made


def published(run_id: str, folder: Path, *, own_ids: bool) -> list[Row]:
    """All messages of a folder as its publisher sends them: under the artifact's ids, or under ids of its own."""
    rows = []
    for draft in map(clean, read(folder)[0]):
        name = message_id(run_id, EVENTS, draft) if own_ids else uuid4().hex
        rows.append(row(run_id, draft.kind, draft.content, name))
    return rows


def expected(folder: Path) -> Counter[tuple[str, str]]:
    return Counter((draft.kind, draft.content) for draft in map(clean, read(folder)[0]))


async def stored(connection: AsyncConnection, run_id: str, *, general: bool = False) -> Counter[tuple[str, str]]:
    rows = await (
        await connection.execute(
            "SELECT kind, content FROM workflow_comms.agent_messages"
            " WHERE run_id = %s AND (channel IS NOT DISTINCT FROM 'general') = %s",
            (run_id, general),
        )
    ).fetchall()
    return Counter((kind, content) for kind, content in rows)


async def put(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    for one in rows:
        await store(connection, [one])
