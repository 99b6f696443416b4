"""Postgres comes and goes under readers: no gap, no repeat, 503 meanwhile, and soon as before."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.stage.servers.postgres import PostgresServer
from tests.reference.comms.events.conftest import Book, Served, book_of, serving, until
from tests.reference.comms.events.reader import EVENTS, asking

ASKED = ("/api/agents/runs", f"{EVENTS}?runId=run-1", f"{EVENTS}?runId=run-1&lastEventId=1")


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path / "postgres") as running:
        yield running


@pytest.fixture
async def served(postgres: PostgresServer) -> AsyncIterator[Served]:
    dsn = postgres.create_database("comms")
    migrate(dsn)
    async with serving(dsn) as running:
        yield running


async def answers(served: Served) -> set[int]:
    return {await answer(served, path) for path in ASKED}


async def answer(served: Served, path: str) -> int:
    path, _, query = path.partition("?")
    async with asking(served.url, query, path=path) as found:
        if found.status == 503:
            assert int(found.headers["retry-after"]) > 0
            if path != "/readyz":
                assert await found.body() == b'{"error":"Postgres is away; try again in a moment"}'
        return found.status


@pytest.mark.parametrize("times", [3])
async def test_killed_and_started_again_under_live_readers(
    postgres: PostgresServer, served: Served, times: int
) -> None:
    async with asking(served.url, runId="run-1") as reader, asking(served.url, runId="run-1", buffer=8192) as other:
        await reader.frame()
        seen: list[int] = []
        for round_ in range(times):
            async with book_of(served.dsn, f"book-{round_}") as book:
                await book.add(*("x" * 1000 for _ in range(300)))
                seen += await reader.ids(100)
            await asyncio.to_thread(postgres.kill)

            async def away() -> bool:
                return await answers(served) == {503}

            await until(away)
            assert (await answer(served, "/readyz")) == 503
            await asyncio.to_thread(postgres.restart)

            async def back() -> bool:
                return await answers(served) == {200}

            await until(back)
            seen += await reader.ids(200)
        async with book_of(served.dsn) as book:
            rows = [seq for (seq,) in await book.run("SELECT seq FROM workflow_comms.agent_messages ORDER BY seq")]
        assert seen == rows
        assert await other.ids(len(rows)) == rows


async def test_a_postgres_that_answers_nothing(postgres: PostgresServer, served: Served) -> None:
    async with book_of(served.dsn) as book, asking(served.url, runId="run-1") as reader:
        await book.add("before")
        await reader.take(1)
        assert await answers(served) == {200}
        await asyncio.to_thread(postgres.kill, "STOP")
        try:
            for path in ASKED[:2]:  # a resume needs no look at the table before it begins
                assert await answer(served, path) == 503
        finally:
            await asyncio.to_thread(postgres.kill, "CONT")

        async def back() -> bool:
            return await answers(served) == {200}

        await until(back)
        await book.add("after")
        assert [event.data["content"] for event in await reader.take(1)] == ["after"]


async def test_a_postgres_that_hangs_is_told(postgres: PostgresServer, served: Served) -> None:
    """Also while nobody stores anything; its client waits for an answer even when it is called off. [X5]"""

    async def told() -> tuple[int, str, str]:
        async with asking(served.url, path="/readyz") as found:
            part = json.loads(await found.body())["parts"].get("postgres", "")
        async with asking(served.url, path="/metrics") as metrics:
            figures = (await metrics.body()).decode()
        return found.status, part, re.findall(r'^agog_part_up{part="postgres"} (.*)$', figures, re.MULTILINE)[0]

    async def sound() -> bool:
        return await told() == (200, "ok", "1.0")

    await until(sound)
    await asyncio.to_thread(postgres.kill, "STOP")
    try:

        async def down() -> bool:
            return await told() == (503, "not working; the service's log says why", "0.0")

        await until(down)
    finally:
        await asyncio.to_thread(postgres.kill, "CONT")
    await until(sound)


async def terminate(book: Book, name: str) -> int:
    return len(
        await book.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s "
            "AND datname = current_database()",
            name,
        )
    )


async def test_the_listener_is_terminated(served: Served) -> None:
    async with book_of(served.dsn) as book, asking(served.url, runId="run-1") as reader:
        await reader.frame()
        for number in range(5):
            await book.add(f"{number} before")

            async def terminated() -> bool:
                return await terminate(book, "agog-comms listener") == 1

            await until(terminated)
            await book.add(f"{number} after")
        contents = [event.data["content"] for event in await reader.take(10)]
        assert contents == [f"{number} {when}" for number in range(5) for when in ("before", "after")]


async def test_connections_of_the_pool_are_terminated(served: Served) -> None:
    async with book_of(served.dsn) as book:
        await book.add("text")
        for _ in range(5):
            assert await answers(served) == {200}
            assert await terminate(book, "agog-comms events") > 0
            assert await answers(served) == {200}
