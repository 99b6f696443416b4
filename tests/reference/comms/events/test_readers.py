"""Every reader gets every row once and in order: whoever writes, whichever service it asks, whenever it drops."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from random import Random

import psutil
import pytest

from pytest_agog.reference.comms.events import frames
from tests.reference.comms.events.conftest import Book, Served, book_of, serving, streams, until
from tests.reference.comms.events.reader import asking

WRITERS, BATCHES, READERS = 5, 30, 6


async def write(dsn: str, writer: int, random: Random) -> int:
    """Batches of random sizes; some are rolled back or duplicates, so that numbers are left out."""
    stored = 0
    async with book_of(dsn, f"writer-{writer}") as book:
        for _ in range(BATCHES):
            size = random.choice([1, 1, 2, 5, 40])
            stored += (await book.add(*(f"{writer}:{n}" for n in range(size)))).inserted
            if random.random() < 0.3:
                await book.add("again", dedupe_key=f"writer-{writer}-1")
            if random.random() < 0.3:
                async with book.connection.transaction(force_rollback=True):
                    await book.add("never")
            await asyncio.sleep(0)
    return stored


async def follow(urls: list[str], random: Random, last: asyncio.Future[int], seen: list[int]) -> None:
    """Read until `last`, dropping the connection now and then in the midst of whatever comes."""
    while not (last.done() and seen and seen[-1] >= last.result()):
        resume = seen[-1] if seen else None
        async with asking(random.choice(urls), "runId=run-1", last_event_id=resume) as reader:
            assert reader.status == 200
            for _ in range(random.choice([0, 1, 7, 60, 1000])):
                try:
                    async with asyncio.timeout(0.2):
                        event = await reader.event()
                except TimeoutError:
                    break
                assert event is not None
                seen.append(event.id)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("services", [1, 2])
async def test_every_row_once_in_order(dsn: str, services: int, seed: int) -> None:
    async with serving(dsn) as one, serving(dsn) as two, book_of(dsn) as book:
        urls = [one.url, two.url][:services]
        await book.add(*map(str, range(seed * 700)))
        last: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        seen: list[list[int]] = [[] for _ in range(READERS)]
        async with asyncio.TaskGroup() as group:
            for number in range(READERS):
                group.create_task(follow(urls, Random(f"{seed}-{number}"), last, seen[number]))
            stored = await asyncio.gather(*(write(dsn, number, Random(seed + number)) for number in range(WRITERS)))
            rows = [seq for (seq,) in await book.run("SELECT seq FROM workflow_comms.agent_messages ORDER BY seq")]
            assert len(rows) == seed * 700 + sum(stored)
            last.set_result(rows[-1])
        for each in seen:
            assert each == rows


async def test_a_slow_reader_is_bounded_in_memory_and_gets_everything(served: Served, book: Book) -> None:
    rows, size = 3000, 20_000
    async with asking(served.url, runId="run-1", buffer=8192) as slow, asking(served.url, runId="run-1") as fast:
        await slow.frame()
        await fast.frame()
        before = psutil.Process(os.getpid()).memory_info().rss
        for start in range(0, rows, 100):
            await book.add(*(f"{n}:" + "x" * size for n in range(start, start + 100)))
            for event in await fast.take(100):
                assert event.data["content"].startswith(f"{start}:")
                start += 1
        # 60 MB passed by.
        assert psutil.Process(os.getpid()).memory_info().rss - before < 20_000_000
        slow.stream._limit = 2**20  # type: ignore[attr-defined]
        found = await slow.take(rows)
        assert [event.data["content"].split(":")[0] for event in found] == [str(n) for n in range(rows)]
        await book.add("live")
        assert (await slow.take(1))[0].data["content"] == "live"


async def test_a_reader_that_knows_more_than_its_service_misses_and_repeats_nothing(served: Served, book: Book) -> None:
    """It was at another replica, which was ahead: it resumes behind rows that this hub has not seen yet."""
    async with asking(served.url, runId="run-1") as first:
        await book.add("0")
        [start] = await first.ids(1)
        for ahead in (1, 3, 30):
            async with asking(served.url, runId="run-1", last_event_id=start + ahead) as reader:
                assert await reader.frame() == ": connected"
                async with book_of(served.dsn, f"other-{ahead}") as other:
                    await other.add(*map(str, range(20)))
                    for content in map(str, range(20, 40)):
                        await other.add(content)
                ids = await first.ids(40)
                wanted = [each for each in ids if each > start + ahead]
                assert await reader.ids(len(wanted)) == wanted
                start = ids[-1]


async def test_pieces_that_end_behind_the_cursor_are_read_from_the_table(
    served: Served, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub's piece begins before and ends behind what the reader knows."""
    await book.add("0")
    async with asking(served.url, runId="run-1") as first:
        [start] = await first.ids(1)
        for offset in range(12):
            async with asking(served.url, runId="run-1", last_event_id=start + offset % 6 + 4) as ahead:
                await ahead.frame()
                await book.add(*map(str, range(12)))
                ids = await first.ids(12)
                wanted = [each for each in ids if each > start + offset % 6 + 4]
                assert await ahead.ids(len(wanted)) == wanted
                start = ids[-1]


async def test_rows_that_retention_deletes_meanwhile_end_nobodys_stream(served: Served, book: Book) -> None:
    await book.add(*("x" * 20_000 for _ in range(400)))
    async with asking(served.url, runId="run-1", buffer=8192) as slow, asking(served.url, runId="run-1") as live:
        first = await slow.ids(1)
        await live.take(400)
        await book.run("DELETE FROM workflow_comms.agent_messages WHERE seq % 2 = 0")
        await book.add("last")
        await book.run("DELETE FROM workflow_comms.agent_messages WHERE content <> 'last'")
        slow.stream._limit = 2**20  # type: ignore[attr-defined]
        while True:
            [event] = await slow.take(1)
            assert event.id > first[-1]
            first.append(event.id)
            if event.data["content"] == "last":
                break
        assert (await live.take(1))[0].data["content"] == "last"


async def test_readers_that_leave_are_forgotten(served: Served, book: Book) -> None:
    before = len(asyncio.all_tasks())
    for number in range(40):
        async with asking(served.url, runId=f"run-{number % 3}", buffer=8192) as reader:
            if number % 2:
                await reader.frame()
            if number % 5 == 0:
                await book.add(*("x" * 50_000 for _ in range(10)))
            reader.cut()

    async def gone() -> bool:
        return await served.readers() == 0

    await until(gone)
    await until(lambda: streams() == 0 and len(asyncio.all_tasks()) <= before)


async def test_the_service_stops_under_readers(dsn: str) -> None:
    async with serving(dsn) as served, book_of(dsn) as book:
        await book.add("text")
        async with asking(served.url, runId="run-1") as reader, asking(served.url, runId="run-1", buffer=4096) as idle:
            await reader.take(1)
            assert idle.status == 200
            await served.service.__aexit__(None, None, None)
            assert await reader.event() is None
    await until(lambda: streams() == 0)


async def test_the_service_stops_under_a_reader_that_takes_nothing(dsn: str) -> None:
    async with (
        serving(dsn) as served,
        book_of(dsn) as book,
        asking(served.url, runId="run-1", buffer=4096) as idle,
        asking(served.url, runId="run-1") as fast,
    ):
        await idle.frame()
        await fast.frame()
        for _ in range(20):  # more than the buffers of the machine take
            await book.add("x" * 1_000_000)
        await fast.take(20)
        await served.service.__aexit__(None, None, None)
        await until(lambda: streams() == 0)  # while it still holds its connection


async def test_a_thousand_readers_share_one_listener_and_a_few_connections(served: Served, book: Book) -> None:
    async with AsyncExitStack() as stack:
        readers = []
        for number in range(1000):
            readers.append(await stack.enter_async_context(asking(served.url, runId=f"run-{number % 50}")))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(reader.take(1)) for reader in readers]
            for run in range(50):
                await book.add(f"of {run}", run_id=f"run-{run}")
        for number, task in enumerate(tasks):
            assert task.result()[0].data["content"] == f"of {number % 50}"
        assert await served.readers() == 1000
        used = dict(
            await book.run(
                "SELECT application_name, count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1"
            )
        )
        assert used.pop("agog-comms listener") == 1
        assert used.pop("agog-comms events", 0) <= 4
        assert used == {}

    async def gone() -> bool:
        return await served.readers() == 0

    await until(gone)


def test_a_page_is_small_beside_what_a_thousand_readers_may_hold() -> None:
    assert frames.WEIGHT * 1000 <= 400_000_000
