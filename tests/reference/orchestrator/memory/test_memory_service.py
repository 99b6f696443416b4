from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_agog.reference.orchestrator.memory.happenings import SpawnWasted, TokensSpent
from pytest_agog.reference.orchestrator.memory.memory import Memory
from pytest_agog.reference.orchestrator.memory.model import Note
from pytest_agog.reference.orchestrator.memory.service import LONGEST, MemoryService
from pytest_agog.stage.servers.postgres import PostgresServer

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
PATIENCE = 30.0


def note(number: int) -> Note:
    return Note("recent", f"fact {number}", "n", str(number), happened=NOW + timedelta(seconds=number))


async def until(condition: Callable[[], bool]) -> None:
    """Poll from outside what nothing notifies of."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path / "postgres") as running:
        yield running


async def test_it_starts_with_what_is_known(dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        async with MemoryService(Memory(dsn)) as service:
            assert service.briefing is not None
            assert len(service.briefing.core) == 3
            assert service.state() == {"away": None, "searches": "words", "written": 0, "waiting": 0, "given_up": 0}
    assert "orchestrator remembers: core 3" in caplog.text


async def test_lessons_count_at_once_and_for_the_next_start(dsn: str) -> None:
    async with MemoryService(Memory(dsn)) as one, MemoryService(Memory(dsn)) as other:
        before = one.lessons
        assert one.happened(SpawnWasted("REQ-1", "roy", 0, "nothing"), NOW) is None
        assert one.happened(TokensSpent("REQ-1", "backend", 10, 40), NOW) is not None
        await one.settled()
        assert one.lessons.token_factors == {"backend": 4.0}
        assert one.lessons is not before
        held = one.lessons
        assert other.lessons.token_factors == {}
        await other.tend(NOW)
        assert other.lessons.token_factors == {"backend": 4.0}
        await one.tend(NOW)
        assert one.lessons is held
    async with MemoryService(Memory(dsn)) as later:
        assert later.lessons.token_factors == {"backend": 4.0}


async def test_two_side_by_side_write_the_same_once(dsn: str) -> None:
    async with MemoryService(Memory(dsn)) as one, MemoryService(Memory(dsn)) as other:
        for number in range(20):
            one.note(note(number))
            other.note(note(number))
        await one.settled()
        await other.settled()
        assert len(await one.recall("fact", limit=50)) == 20


async def test_leaving_writes_what_waits(dsn: str) -> None:
    async with MemoryService(Memory(dsn)) as service:
        for number in range(5):
            service.note(note(number))
    async with Memory(dsn) as memory:
        assert (await memory.briefing("orchestrator")).counts["recent"] == 5


async def test_memory_that_is_away_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        async with MemoryService(Memory("postgresql://me:hunter2@127.0.0.1:1/agog")) as service:
            for number in range(LONGEST + 5):
                service.note(note(number))
            service.happened(TokensSpent("REQ-1", "backend", 10, 40), NOW)
            assert await service.recall("fact") == ()
            await service.tend(NOW)
            state = service.state()
            assert (state["waiting"], state["given_up"]) == (LONGEST, 6)
            assert "cannot be used" in str(state["away"])
            assert service.briefing is None
    assert caplog.text.count("cannot be used (") == 2, "told once when it began, once when leaving"
    assert "1000 memories were not written" in caplog.text
    assert "hunter2" not in caplog.text


async def test_what_happened_meanwhile_is_written_when_postgres_is_back(
    own_postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    dsn = own_postgres.create_database("outage")
    async with MemoryService(Memory(dsn)) as service:
        service.note(note(0))
        await service.settled()
        own_postgres.kill()
        with caplog.at_level("INFO"):
            service.happened(TokensSpent("REQ-1", "backend", 10, 40), NOW)
            await until(lambda: service.away is not None)
            assert await service.recall("fact") == ()
            await asyncio.to_thread(own_postgres.restart)
            async with asyncio.timeout(PATIENCE):
                await service.settled()
        assert service.away is None
        assert service.lessons.token_factors == {"backend": 4.0}
        assert len(await service.recall("fact")) == 1
    assert caplog.text.count("cannot be used (") == 1
    assert "memory can be used again" in caplog.text


async def test_postgres_that_comes_after_the_start(own_postgres: PostgresServer) -> None:
    dsn = own_postgres.create_database("late")
    own_postgres.kill()
    async with MemoryService(Memory(dsn)) as service:
        assert service.briefing is None
        await asyncio.to_thread(own_postgres.restart)
        await until(lambda: service.briefing is not None)
        assert service.away is None


async def test_a_note_that_nobody_can_write_is_given_up(dsn: str) -> None:
    async with MemoryService(Memory(dsn)) as service:
        service.note(Note("cellar", "x", "n", "1"))  # type: ignore[arg-type]
        service.note(note(2))
        await service.settled()
        assert service.state()["given_up"] == 1
        assert len(await service.recall("fact")) == 1
