"""One of several instances leads, and another when that one is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.orchestrator.running.books import Books
from pytest_agog.reference.orchestrator.running.clock import Clock
from pytest_agog.reference.orchestrator.running.leading import Leading

PATIENCE = 20.0


class Instance:
    """An instance that only lives and leads."""

    def __init__(self, link: Link) -> None:
        self.books = Books(link, Clock())
        self.leading = Leading(self.books)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.books.open()
        self._tasks = [asyncio.create_task(work) for work in (self.books.follow(), self.leading.run())]

    async def die(self) -> None:
        """As by SIGKILL: it says nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.books.close()


@asynccontextmanager
async def instances(link: Link, count: int) -> AsyncIterator[list[Instance]]:
    async with AsyncExitStack() as stack:
        made = [Instance(link) for _ in range(count)]
        for one in made:
            await one.start()
            stack.push_async_callback(one.die)
        yield made


async def leader(among: list[Instance]) -> Instance:
    async with asyncio.timeout(PATIENCE):
        while not (found := [one for one in among if one.leading.leads]):
            done, waits = await asyncio.wait(
                [asyncio.create_task(one.leading.changed.wait()) for one in among],
                return_when=asyncio.FIRST_COMPLETED, timeout=0.1,
            )  # fmt: skip
            for each in waits:
                each.cancel()
            del done
    return found[0]


async def test_one_of_three_leads(link: Link) -> None:
    async with instances(link, 3) as made:
        first = await leader(made)
        assert [one for one in made if one.leading.leads] == [first]


async def test_another_leads_when_the_leader_dies(link: Link) -> None:
    async with instances(link, 2) as made:
        first = await leader(made)
        await first.die()
        others = [one for one in made if one is not first]
        assert (await leader(others)) is others[0]
        assert not others[0].leading.alive(first.leading.me)


async def test_a_leader_that_resigns_is_followed_at_once(link: Link) -> None:
    async with instances(link, 2) as made:
        first = await leader(made)
        await first.leading.resign()
        others = [one for one in made if one is not first]
        await first.die()
        assert (await leader(others)) is others[0]
