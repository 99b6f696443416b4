"""The list of runs, and what it says of each."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pytest_agog.reference.comms.events import reading
from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.settings import CommsSettings
from tests.reference.comms.events.conftest import START, Book, Served, book_of, serving, until

RUNS = "/api/agents/runs"


async def listed(served: Served, **query: object) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(served.url + RUNS, params={key: str(value) for key, value in query.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def status_of(served: Served, run: str = "run-1") -> tuple[str, int | None]:
    [found] = [each for each in (await listed(served))["runs"] if each["run_id"] == run]
    return found["status"], found["exit_code"]


async def test_an_empty_list(served: Served) -> None:
    assert await listed(served) == {"runs": [], "next": None}


async def test_what_is_told_of_a_run(served: Served, book: Book) -> None:
    await book.add("x" * 40, agent_id="roy")
    await book.add("y" * 40, agent_id="cynthia", run_id=None, workflow_uid="run-1", workflow_name=None)
    await book.add("of all", run_id=None, workflow_uid=None, channel="general")
    told = await listed(served)
    [run] = told["runs"]
    assert told["next"] is None
    assert run == {
        "run_id": "run-1", "workflow_uid": "run-1", "workflow_name": "flow", "workflow_namespace": "ns",
        "agents": ["cynthia", "roy"], "messages": 2, "tokens": 20, "tokens_reported": False, "status": "running",
        "exit_code": None, "first_at": "2026-03-01T09:00:01+00:00", "last_at": "2026-03-01T09:00:02+00:00",
        "last_seq": run["last_seq"],
    }  # fmt: skip


async def test_copies_on_the_global_channel_count_once(served: Served, book: Book) -> None:
    told: dict[str, Any] = {"agent_id": "roy", "attrs": {"message_id": "m1", "usage": {"total_tokens": 7}}}
    await book.add("both", **told)
    await book.add("both", **told, channel="general")
    await book.add("the same id again", **told)
    await book.add("no id", channel="general")
    await book.add("no id")
    [run] = (await listed(served))["runs"]
    assert (run["messages"], run["tokens"]) == (4, 14)


async def test_tokens_are_those_that_agents_reported(served: Served, book: Book) -> None:
    reports: list[Any] = [
        {"total_tokens": 100}, {"input_tokens": 5, "output_tokens": 6}, {"output_tokens": 7, "input_tokens": "many"},
        {"total_tokens": -5}, {"total_tokens": None}, {"total_tokens": {"a": 1}}, "none", [], 7,
    ]  # fmt: skip
    for usage in reports:
        await book.add("text", attrs={"usage": usage})
    [run] = (await listed(served))["runs"]
    assert (run["tokens"], run["tokens_reported"]) == (118, True)


async def test_numbers_that_no_sum_holds_are_bounded(served: Served, book: Book) -> None:
    await book.add("a", attrs={"usage": {"total_tokens": 10**4000}})
    await book.add("b", kind="status", attrs={"exit_code": 10**4000, "status": "x" * 9000 + "\n"})
    [run] = (await listed(served))["runs"]
    assert (run["tokens"], run["exit_code"], run["status"]) == (10**12, None, "x" * 60)


async def test_a_status_is_what_was_told_last_and_never_that_of_a_tool(served: Served, book: Book) -> None:
    seen = []
    for kind, content, attrs in (
        ("message", "failed", {"status": "failed", "exit_code": 9}),
        ("run-started", "Started", {"status": "queued", "exit_code": 8}),
        ("tool_result", "failed", {"status": "failed", "exit_code": 7}),
        ("status", "in review", {}),
        ("tool_call", "call", {"status": "completed"}),
        ("log", "completed", {"status": "completed"}),
        ("error", "something broke", {"status": "failed", "exit_code": 6}),
        ("message", "went on", {}),
        ("status", "Finished: make", {"status": "completed", "exit_code": 0}),
        ("run-outcome", "It failed after all", {"status": "failed", "exit_code": 3}),
        ("tool_result", "ok", {"status": "completed", "exit_code": 0}),
        ("run-started", "Again", {}),
    ):
        await book.add(content, kind=kind, attrs=attrs)
        seen.append(await status_of(served))
    assert seen == [
        ("running", None), ("running", None), ("running", None),
        ("in review", None), ("in review", None), ("in review", None),
        ("error", None), ("in review", None), ("completed", 0), ("failed", 3), ("failed", 3), ("running", 3),
    ]  # fmt: skip


async def test_early_messages_that_are_backfilled_late_are_not_the_last_word(served: Served, book: Book) -> None:
    await book.add("done", kind="status", attrs={"status": "failed", "exit_code": 1})
    early = START - timedelta(hours=1)
    for kind in ("run-started", "status", "error"):
        await book.add("working", kind=kind, timestamp=early, attrs={"exit_code": 0} if kind == "status" else {})
    assert await status_of(served) == ("failed", 1)


async def test_pages_of_the_list_by_newest_message(served: Served, book: Book) -> None:
    for run in range(25):
        await book.add("text", run_id=f"run-{run}")
    await book.add("again", run_id="run-3")
    everything = [run["run_id"] for run in (await listed(served))["runs"]]
    assert everything[:3] == ["run-3", "run-24", "run-23"]
    assert len(everything) == 25
    paged: list[str] = []
    query: dict[str, object] = {"limit": 10}
    sizes = []
    while True:
        page = await listed(served, **query)
        sizes.append(len(page["runs"]))
        paged += [run["run_id"] for run in page["runs"]]
        if page["next"] is None:
            break
        query["before"] = page["next"]
    assert (paged, sizes) == (everything, [10, 10, 5])


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "limit=-1", "before=x", f"before={2**63}", "before="]
)
async def test_malformed_pages(served: Served, query: str) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{served.url}{RUNS}?{query}")
        assert (answer.status_code, list(answer.json())) == (422, ["error"])


async def test_the_list_reads_along_an_index(served: Served, book: Book) -> None:
    await book.run(
        "INSERT INTO workflow_comms.agent_messages (workflow_uid, run_id, kind, content, timestamp, dedupe_key) "
        "SELECT 'uid', CASE WHEN n % 3 > 0 THEN 'run-' || n % 40 END, 'message', 'text', now(), 'many-' || n "
        "FROM generate_series(1, 40000) AS n"
    )
    await book.run("ANALYZE workflow_comms.agent_messages")
    for query, values in ((reading._NEWEST_RUNS, (2**63 - 1, 200)), (reading._SUMMARIES, (["run-1", "uid"],))):
        plan = "\n".join(line for (line,) in await book.run("EXPLAIN (ANALYZE, TIMING OFF) " + query, *values))
        assert "Seq Scan" not in plan, plan
        assert "agent_messages_run_or_workflow" in plan, plan
    # Names are found by jumps, not by reading 40,000 rows.
    plan = "\n".join(
        line for (line,) in await book.run("EXPLAIN (ANALYZE, TIMING OFF) " + reading._NEWEST_RUNS, 2**63 - 1, 200)
    )
    assert not re.search(r"actual rows=\d{4}", plan), plan
    assert len((await listed(served))["runs"]) == 41


# --- the backfill of a run that is complete ---------------------------------------------------------------------------
LINE = '{"type":"item.completed","item":{"id":"i%d","type":"agent_message","text":"text %d"}}\n'


async def test_complete_backfills_the_folder_of_the_run_once(dsn: str, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts" / "run-9"
    folder.mkdir(parents=True)
    (folder / ".codex-implementation-events.jsonl").write_text("".join(LINE % (n, n) for n in range(20)))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / ".codex-implementation-events.jsonl").write_text(LINE % (0, 0))
    async with (
        serving(dsn, artifacts=tmp_path / "artifacts") as served,
        httpx.AsyncClient(base_url=served.url) as client,
        book_of(dsn) as book,
    ):

        async def stored() -> bool:
            return int((await book.run("SELECT count(*) FROM workflow_comms.agent_messages"))[0][0]) >= 20

        answers = await asyncio.gather(*(client.post(f"{RUNS}/run-9/complete") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {202}
        await until(stored)
        for odd in (
            "..%2Fsecret",
            "%2e%2e%2fsecret",
            "unknown",
            "a%20b",
            "%C3%BC",
            "a%5Cb",
            "%F0%9F%A6%80",
            "x" * 900,
            ".",
        ):
            assert (await client.post(f"{RUNS}/{odd}/complete")).status_code in (202, 404, 405), odd
        for bad in ("a%00b", "%ff", "x" * 1001, ""):
            answer = await client.post(f"{RUNS}/{bad}/complete")
            assert (answer.status_code, list(answer.json())) == (422, ["error"]), bad
        assert (await client.get(f"{RUNS}/run-9/complete")).status_code == 405
        # Files grew: one more request stores what is new, and only that.
        with (folder / ".codex-implementation-events.jsonl").open("a") as file:
            file.write(LINE % (20, 20))
        assert (await client.post(f"{RUNS}/run-9/complete")).status_code == 202

        async def all_there() -> bool:
            return int((await book.run("SELECT count(*) FROM workflow_comms.agent_messages"))[0][0]) >= 21

        await until(all_there)
        [run] = (await client.get(RUNS)).json()["runs"]
        assert (run["run_id"], run["messages"]) == ("run-9", 21)
        [(distinct,)] = await book.run("SELECT count(DISTINCT content) FROM workflow_comms.agent_messages")
        assert distinct == 21


async def test_complete_without_artifacts_or_postgres_is_accepted_and_harmless() -> None:
    settings = CommsSettings("nats://127.0.0.1:1", "postgresql://127.0.0.1:1/none", ingest=False)
    async with CommsService(settings) as service, httpx.AsyncClient(base_url=service.http_url or "") as client:
        assert (await client.post(f"{RUNS}/run-1/complete")).status_code == 202
        assert (await client.get("/healthz")).status_code == 200
