"""Backfill against a real Postgres: what is missing is stored, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from pytest_agog.errors import BadInput
from pytest_agog.reference.comms import storing
from pytest_agog.reference.comms.backfill import reconciling
from pytest_agog.reference.comms.backfill.files import EVENTS
from pytest_agog.reference.comms.backfill.identity import Identity
from pytest_agog.reference.comms.backfill.reconciling import backfill, complete_run
from pytest_agog.wire.tables import NOTIFY_CHANNEL
from tests.reference.comms.backfill.live import (
    AGENT,
    NAME,
    NAMESPACE,
    UID,
    expected,
    published,
    put,
    row,
    stored,
)  # fmt: skip
from tests.reference.comms.backfill.samples import SAMPLES, completed, folder_of


def identity(run_id: str, **more: Any) -> Identity:
    known = {"workflow_uid": UID, "workflow_name": NAME, "workflow_namespace": NAMESPACE, "agent_id": AGENT}
    return Identity(run_id=run_id, **{**known, **more})


async def rows_of(connection: AsyncConnection, run_id: str) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute("SELECT * FROM workflow_comms.agent_messages WHERE run_id = %s ORDER BY seq", (run_id,))
    return await cursor.fetchall()


@pytest.mark.parametrize("sample", ["good", "failed", "torn", "plain", "hostile"])
async def test_twice_changes_nothing(connection: AsyncConnection, run_id: str, sample: str) -> None:
    first = await backfill(connection, SAMPLES / sample, identity(run_id))
    rows = await rows_of(connection, run_id)
    again = await backfill(connection, SAMPLES / sample, identity(run_id))
    assert first.found == first.stored + first.rejected == again.found
    assert (again.stored, again.present, again.rejected) == (0, first.stored, first.rejected)
    assert await rows_of(connection, run_id) == rows
    assert len(rows) == first.stored > 0


async def test_rows_say_who_and_how(connection: AsyncConnection, run_id: str) -> None:
    await backfill(connection, SAMPLES / "good", identity(run_id, step_id="implement", stage="build"))
    rows = await rows_of(connection, run_id)
    assert await stored(connection, run_id) == expected(SAMPLES / "good")
    for found in rows:
        assert (found["workflow_uid"], found["workflow_name"], found["workflow_namespace"]) == (UID, NAME, NAMESPACE)
        assert (found["agent_id"], found["step_id"], found["stage"]) == (AGENT, "implement", "build")
        assert (found["channel"], found["stream_seq"]) == (None, None)
        assert found["attrs"]["message_id"].startswith("codex-")
        assert found["attrs"]["backfilled"] is True
    assert [found["timestamp"] for found in rows] == sorted(found["timestamp"] for found in rows)
    assert 0 in [found["attrs"].get("exit_code") for found in rows]
    assert rows[-1]["attrs"]["usage"]["output_tokens"] == 3187


async def test_what_is_hostile_is_stored_cleaned_or_rejected(connection: AsyncConnection, run_id: str) -> None:
    done = await backfill(connection, SAMPLES / "hostile", identity(run_id))
    assert (done.rejected, done.bad_count) == (1, 1)
    assert [reason[:16] for reason in done.reasons] == ["line 9: not-json"]
    rows = await rows_of(connection, run_id)
    assert all(found["workflow_uid"] == UID for found in rows)
    printed = next(found for found in rows if found["attrs"].get("nul_replaced"))
    assert (printed["content"], printed["attrs"]["nul_replaced"]) == ("./a\ufffd./b\ufffd", 2)
    assert "'); DROP TABLE workflow_comms.agent_messages; --" in [found["content"] for found in rows]
    kept = await (
        await connection.execute(
            "SELECT raw, reason FROM workflow_comms.rejected_messages WHERE stream = 'backfill' AND raw LIKE %s",
            (b"%" + run_id.encode() + b"%",),
        )
    ).fetchall()
    assert len(kept) == 1
    assert b"Infinity" in kept[0][0]


async def test_one_live_row_suppresses_nothing_else(connection: AsyncConnection, run_id: str) -> None:
    """J21"""
    live = published(run_id, SAMPLES / "good", own_ids=False)
    await put(connection, live[5:6])
    done = await backfill(connection, SAMPLES / "good", identity(run_id))
    assert (done.present, done.stored) == (1, len(live) - 1)
    assert await stored(connection, run_id) == expected(SAMPLES / "good")


async def test_live_and_backfill_use_the_same_keys(connection: AsyncConnection, run_id: str) -> None:
    """J22"""
    await backfill(connection, SAMPLES / "failed", identity(run_id))
    await put(connection, published(run_id, SAMPLES / "failed", own_ids=True))
    assert await stored(connection, run_id) == expected(SAMPLES / "failed")


async def test_of_two_equal_messages_each_needs_a_row(
    connection: AsyncConnection, run_id: str, tmp_path: Path
) -> None:  # fmt: skip
    same = [completed(id=f"item_{n}", type="agent_message", text="again") for n in range(2)]
    folder = folder_of(tmp_path / "run", same)
    second = published(run_id, folder, own_ids=True)[1]
    await put(connection, [second])
    assert (await backfill(connection, folder, identity(run_id))).stored == 1
    assert await stored(connection, run_id) == {("message", "again"): 2}
    assert (await backfill(connection, folder, identity(run_id))).stored == 0


async def test_others_do_not_count(connection: AsyncConnection, run_id: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "run", [completed(id="1", type="agent_message", text="hello")])
    await put(
        connection,
        [
            row(run_id, "message", "hello", "a", agent="jen"),
            row("another-run", "message", "hello", "b"),
            row(run_id, "log", "hello", "c"),
            row(run_id, "message", "hello ", "d"),
        ],
    )
    assert (await backfill(connection, folder, identity(run_id))).stored == 1


async def test_live_rows_without_a_run_id_belong_to_the_workflow(
    connection: AsyncConnection, run_id: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "run", [completed(id="1", type="agent_message", text="hello")])
    uid = uuid4().hex
    await put(connection, [row(None, "message", "hello", "a", uid=uid)])
    assert (await backfill(connection, folder, identity(run_id, workflow_uid=uid))).stored == 0
    assert (await backfill(connection, folder, Identity(workflow_uid=uid))).stored == 0


async def test_a_copy_on_the_global_channel_keeps_its_id(
    connection: AsyncConnection, run_id: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "run", [completed(id="1", type="agent_message", text="hello")])
    await put(connection, [row(run_id, "message", "hello", "shared", general=True)])
    assert (await backfill(connection, folder, identity(run_id))).stored == 1
    rows = await rows_of(connection, run_id)
    assert [(found["channel"], found["attrs"]["message_id"]) for found in rows] == [
        ("general", "shared"),
        (None, "shared"),
    ]
    assert (await backfill(connection, folder, identity(run_id))).stored == 0
    await put(connection, [row(run_id, "message", "hello", "shared")])  # the run's copy, late
    assert await stored(connection, run_id) == {("message", "hello"): 1}


async def test_who_spoke_is_learnt_from_live_rows(connection: AsyncConnection, run_id: str) -> None:
    await put(connection, [row(run_id, "status", "started", "x")])
    done = await backfill(connection, SAMPLES / "failed", Identity(run_id=run_id))
    speaker = done.speaker
    assert (speaker.uid, speaker.workflow, speaker.namespace, speaker.agent_id) == (UID, NAME, NAMESPACE, AGENT)
    await put(connection, [row(run_id, "status", "started", "y", agent="jen")])
    with pytest.raises(BadInput, match="jen, roy"):
        await backfill(connection, SAMPLES / "failed", Identity(run_id=run_id))


async def test_nothing_known_but_the_folder(connection: AsyncConnection, tmp_path: Path) -> None:
    name = f"run {uuid4().hex}.x"
    folder = folder_of(tmp_path / name, [completed(id="1", type="agent_message", text="hello")])
    done = await backfill(connection, folder, Identity(run_id="", agent_id=""))
    assert (done.speaker.run_id, done.speaker.agent_id, done.stored) == (name, "codex", 1)
    assert done.speaker.uid.startswith("run-")


async def test_a_name_that_cannot_stand_in_a_subject(connection: AsyncConnection, run_id: str) -> None:
    for wrong in ({"agent_id": "a.b"}, {"workflow_namespace": "a>"}, {"step_id": "a\0"}, {"stage": "x" * 2000}):
        with pytest.raises(BadInput):
            await backfill(connection, SAMPLES / "good", identity(run_id, **wrong))
    assert not await rows_of(connection, run_id)


async def test_a_dry_run_stores_nothing(connection: AsyncConnection, run_id: str) -> None:
    done = await backfill(connection, SAMPLES / "hostile", identity(run_id), dry_run=True)
    assert not await rows_of(connection, run_id)
    wet = await backfill(connection, SAMPLES / "hostile", identity(run_id))
    assert (done.found, done.stored, done.rejected) == (wet.found, wet.stored, wet.rejected)


async def test_several_at_once(dsn: str, connection: AsyncConnection, run_id: str) -> None:
    async def once() -> int:
        async with await psycopg.AsyncConnection.connect(dsn) as own:  # not in autocommit mode, as pools give them
            done = await backfill(own, SAMPLES / "good", identity(run_id))
            assert not own.autocommit
            return done.stored

    counts = await asyncio.gather(*(once() for _ in range(4)))
    assert sorted(counts) == [0, 0, 0, sum(expected(SAMPLES / "good").values())]
    assert await stored(connection, run_id) == expected(SAMPLES / "good")
    locks = await (await connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).fetchone()
    assert locks == (0,)


async def test_what_arrives_live_meanwhile_counts(
    dsn: str, connection: AsyncConnection, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live message that is stored between two batches is seen by the second."""
    monkeypatch.setattr(reconciling, "_BATCH", 2)
    folder = folder_of(tmp_path / "run", [completed(id=f"{n}", type="agent_message", text=str(n)) for n in range(6)])
    live = published(run_id, folder, own_ids=False)
    turns = 0
    take_turn = storing.take_turn

    async def in_between(mine: AsyncConnection) -> None:
        nonlocal turns
        if mine is connection:
            turns += 1
            if turns == 3:  # the first batch looks and stores, then the second looks
                async with await psycopg.AsyncConnection.connect(dsn) as other:
                    await storing.store(other, live[4:])
        await take_turn(mine)

    monkeypatch.setattr(storing, "take_turn", in_between)
    done = await backfill(connection, folder, identity(run_id))
    assert (done.stored, done.present) == (4, 2)
    assert await stored(connection, run_id) == expected(folder)


async def test_listeners_are_told(dsn: str, connection: AsyncConnection, run_id: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as listener:
        await listener.execute(f"LISTEN {NOTIFY_CHANNEL}".encode())
        await backfill(connection, SAMPLES / "failed", identity(run_id))
        heard = [notice.payload async for notice in listener.notifies(timeout=10, stop_after=1)]
    assert heard == [str((await rows_of(connection, run_id))[-1]["seq"])]


async def test_many_messages_in_batches(connection: AsyncConnection, run_id: str, tmp_path: Path) -> None:
    events = (completed(id=f"{n}", type="agent_message", text=f"message {n % 1000}") for n in range(6_000))
    folder = folder_of(tmp_path / "run", events)
    await storing.store(connection, published(run_id, folder, own_ids=False)[::3])
    done = await backfill(connection, folder, identity(run_id))
    assert (done.found, done.present, done.stored) == (6_000, 2_000, 4_000)
    assert await stored(connection, run_id) == expected(folder)


TEXTS = st.sampled_from(["a", "b", ""])
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("backfill"), st.just(0)),
        st.tuples(st.just("own"), st.integers(0, 7)),
        st.tuples(st.just("foreign"), st.integers(0, 7)),
    ),
    max_size=10,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, min_size=1, max_size=8), operations=OPERATIONS, several=st.booleans())
def test_any_interleaving_ends_with_exactly_the_messages(
    dsn: str,
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    operations: list[tuple[str, int]],
    *,
    several: bool,
) -> None:
    """Under the artifact's ids live messages may come at any time. Under ids of their own they come before the first
    backfill, since nothing tells such a one from a new message later; and once one has, the backfill had to guess which
    of its equals it stands for. Each message is published under one id, as often as one likes."""
    run_id = f"run-{uuid4().hex}"
    events = [completed(id=f"i{n}", type="agent_message", text=text) for n, text in enumerate(texts)]
    folder = folder_of(tmp_path_factory.mktemp("interleaved"), events)
    own = published(run_id, folder, own_ids=True)
    foreign = published(run_id, folder, own_ids=False)
    chosen: dict[int, str] = {}

    async def whole() -> Counter[tuple[str, str]]:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            filled = False
            for what, number in [*operations, ("backfill", 0), *[("backfill", 0)] * several]:
                if what == "backfill":
                    await backfill(connection, folder, identity(run_id))
                    filled = True
                    assert await stored(connection, run_id) == expected(folder)
                    continue
                place = number % len(texts)
                equals = {kind for other, kind in chosen.items() if texts[other] == texts[place]}
                if filled and (what == "foreign" or "foreign" in equals):
                    continue
                if chosen.setdefault(place, what) == what:
                    await put(connection, [(own if what == "own" else foreign)[place]])
            return await stored(connection, run_id)

    assert asyncio.run(whole()) == expected(folder)


async def test_on_run_complete(dsn: str, run_id: str, tmp_path: Path) -> None:
    folder_of(tmp_path / "artifacts" / run_id, [completed(id="1", type="agent_message", text="hello")])
    outside = folder_of(tmp_path / "outside", [completed(id="1", type="agent_message", text="secret")])
    (tmp_path / "artifacts" / "linked").symlink_to(outside)
    artifacts = tmp_path / "artifacts"
    async with AsyncConnectionPool(dsn, min_size=1, max_size=1, open=False) as pool:
        done = await complete_run(pool, artifacts, run_id)
        assert done is not None
        assert (done.stored, done.source) == (1, EVENTS)
        again = await complete_run(pool, artifacts, run_id)
        assert again is not None
        assert again.stored == 0
        assert await complete_run(pool, artifacts, "unknown") is None
        assert await complete_run(pool, None, run_id) is None
        wrong = (
            "../outside",
            str(outside),
            "..",
            ".",
            "",
            "a\0b",
            "a/../../outside",
            "..\\x",
            "x" * 300,
            "linked",
            "\ud800",
        )
        for name in wrong:
            with pytest.raises(BadInput, match="names no folder"):
                await complete_run(pool, artifacts, name)
