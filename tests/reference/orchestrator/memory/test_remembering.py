from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pytest_agog.errors import MemoryAway, UsageError
from pytest_agog.reference.orchestrator.memory.layers import LAYERS
from pytest_agog.reference.orchestrator.memory.memory import Memory
from pytest_agog.reference.orchestrator.memory.model import Recollection

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ODD = [
    "", "\0", "a\0b", "\ud800 lone", "'; DROP TABLE agog_memory.memories; --", "a & | ! ( <-> b", "-", '"', '"""', "!!",
    "or or or", "%s %(agent)s {vectors}", "\\", "😀" * 3000, "x" * 1_000_000, "word " * 200_000, "the of and", "-gone",
    ":*", "a:* & b", "<script>", "\u202e", "\n\r\t", "C:\\dir\\file.py",
]  # fmt: skip


def texts(found: tuple[Recollection, ...]) -> list[str]:
    return [one.memory.text for one in found]


async def test_what_is_remembered_is_recalled(memory: Memory) -> None:
    number = await memory.remember(
        "roy", "recent", "Pagination of orders needs a cursor", kind="note", source="REQ-1", tags=("api",),
        data={"lane": "backend"}, happened=NOW,
    )  # fmt: skip
    (found,) = await memory.recall("roy", "how do we paginate orders?")
    assert (found.memory.id, found.memory.agent, found.memory.layer) == (number, "roy", "recent")
    assert (found.memory.kind, found.memory.source, found.memory.tags) == ("note", "REQ-1", ("api",))
    assert (found.memory.data, found.memory.happened) == ({"lane": "backend"}, NOW)
    assert found.closeness is None
    assert memory.searches() == "words"


async def test_the_same_is_remembered_once(memory: Memory) -> None:
    first = await memory.remember("roy", "recent", "first", kind="note", source="s")
    assert await memory.remember("roy", "core", "second", kind="note", source="s") == first
    others = {
        await memory.remember("jen", "recent", "second", kind="note", source="s"),
        await memory.remember("roy", "recent", "second", kind="other", source="s"),
        await memory.remember("roy", "recent", "second", kind="note", source="t"),
    }
    assert len(others | {first}) == 4
    assert texts(await memory.recall("roy", "first")) == ["first"]


async def test_long_sources_are_told_apart(memory: Memory) -> None:
    one = await memory.remember("roy", "recent", "a", kind="note", source="x" * 5000 + "1")
    other = await memory.remember("roy", "recent", "b", kind="note", source="x" * 5000 + "2")
    again = await memory.remember("roy", "recent", "c", kind="note", source="x" * 5000 + "1")
    assert one == again != other


async def test_many_at_once_from_several_instances(dsn: str) -> None:
    async with Memory(dsn) as one, Memory(dsn) as other:
        numbers = await asyncio.gather(*(
            memory.remember("roy", "recent", f"fact {number % 20}", kind="note", source=f"s{number % 20}")
            for number in range(100) for memory in (one, other)
        ))  # fmt: skip
        assert len(set(numbers)) == 20
        assert (await other.briefing("roy")).counts["recent"] == 20


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
async def test_any_text_is_taken(memory: Memory, odd: str) -> None:
    number = await memory.remember(
        odd, "recent", f"needle {odd}", kind=odd, source=odd, tags=(odd,), data={odd: [odd, float("nan")], "n": 10**400}
    )
    assert await memory.remember(odd, "recent", "other", kind=odd, source=odd) == number
    found = await memory.recall(odd, "needle")
    assert [one.memory.id for one in found] == [number]
    assert len(found[0].memory.text) <= 32_000
    assert len((await memory.recall(odd, odd, layers=["recent"])) or found) == 1
    assert len(await memory.recall("orchestrator", "parallel dependency budget")) == 3


async def test_secrets_are_masked(memory: Memory, dsn: str) -> None:
    await memory.remember(
        "roy", "recent", "use postgresql://me:hunter2@host/db", kind="note", source="password=hunter2",
        data={"url": "nats://me:hunter2@host"},
    )  # fmt: skip
    with psycopg.connect(dsn) as connection:
        (whole,) = connection.execute("SELECT string_agg(m::text, '') FROM agog_memory.memories m").fetchall()[0]
    assert "hunter2" not in whole


async def test_the_best_comes_first(memory: Memory) -> None:
    async def keep(body: str, layer: str = "long_term", days: float = 0, source: str | None = None) -> None:
        await memory.remember(
            "roy", layer, body, kind="n", source=source or body, happened=NOW - timedelta(days=days)  # type: ignore[arg-type]
        )  # fmt: skip

    await keep("Database migrations run before the service starts")
    await keep("Migrations are numbered")
    await keep("Tokens are counted by lane")
    found = await memory.recall("roy", "database migrations", now=NOW)
    assert texts(found) == ["Database migrations run before the service starts", "Migrations are numbered"]
    assert found[0].words == 1.0 > found[1].words > 0

    for layer in LAYERS:
        await keep("retry storms", layer, source=f"storm {layer}")
    found = await memory.recall("roy", "retry storms", now=NOW)
    assert [one.memory.layer for one in found] == ["core", "recent", "long_term", "medium_term", "compost"]
    await keep("flaky browser", days=100, source="old")
    await keep("flaky browser", days=1, source="young")
    assert [one.memory.source for one in await memory.recall("roy", "flaky", now=NOW)] == ["young", "old"]


@pytest.mark.parametrize(
    ("question", "finds"),
    [
        ("users.py", True), ("src/api", True), ("REQ-API-7", True), ("api-7", True), ("conflicted", True),
        ("conflicts with zebras", True), ("zebras", False), ("the of and", False), ("-conflict", False),
        ("überfluss", True),
        ('"conflict in src"', True), ("hotfix", True), ("", False),
    ],
)  # fmt: skip
async def test_how_words_are_found(memory: Memory, question: str, finds: bool) -> None:
    body = "REQ-API-7 met a conflict in src/api/users.py; Überfluss"
    await memory.remember("roy", "recent", body, kind="n", source="s", tags=("hotfix",))
    assert bool(await memory.recall("roy", question)) is finds


async def test_layers_and_limit(memory: Memory) -> None:
    for number in range(10):
        await memory.remember("roy", LAYERS[number % 5], f"thing {number}", kind="n", source=str(number))
    assert len(await memory.recall("roy", "thing")) == 8
    assert len(await memory.recall("roy", "thing", limit=3)) == 3
    assert await memory.recall("roy", "thing", limit=0) == ()
    assert {one.memory.layer for one in await memory.recall("roy", "thing", layers=["core", "compost"])} == {
        "core", "compost"
    }  # fmt: skip
    assert await memory.recall("roy", "thing", layers=[]) == ()
    with pytest.raises(UsageError, match="no layer 'cellar'"):
        await memory.recall("roy", "thing", layers=["cellar"])  # type: ignore[list-item]


async def test_memories_are_an_agents_own(memory: Memory) -> None:
    await memory.remember("roy", "core", "roys secret recipe", kind="n", source="s")
    assert await memory.recall("jen", "secret recipe") == ()


async def test_what_failed_becomes_compost(memory: Memory) -> None:
    number = await memory.remember("roy", "core", "spawn five at once", kind="n", source="s")
    assert await memory.compost(number, "it met conflicts\0")
    (found,) = await memory.recall("roy", "spawn five")
    assert (found.memory.layer, found.memory.why) == ("compost", "it met conflicts")
    assert not await memory.compost(10**9, "no such")
    assert not await memory.compost(-(10**30), "no such")


async def test_the_orchestrator_knows_three_patterns_from_the_start(memory: Memory) -> None:
    briefing = await memory.briefing("orchestrator")
    assert [one.source for one in briefing.core if one.pinned] == [
        "seed:budget-blowout", "seed:forgotten-dependency", "seed:parallel-overload"
    ]  # fmt: skip
    assert briefing.counts == {"core": 3, "long_term": 0, "medium_term": 0, "recent": 0, "compost": 0}
    (first, *_) = await memory.recall("orchestrator", "may a frontend begin before its backend API is there?")
    assert first.memory.source == "seed:forgotten-dependency"


async def test_a_briefing_tells_the_newest(memory: Memory) -> None:
    for number in range(7):
        happened = NOW + timedelta(minutes=number)
        await memory.remember("roy", "recent", str(number), kind="n", source=str(number), happened=happened)
    briefing = await memory.briefing("roy")
    assert [one.text for one in briefing.newest["recent"]] == ["6", "5", "4", "3", "2"]
    assert str(briefing) == "roy remembers: core 0, long_term 0, medium_term 0, recent 7, compost 0"


async def test_nobody_there() -> None:
    async with Memory("postgresql://me:hunter2@127.0.0.1:1/agog") as memory:
        with pytest.raises(MemoryAway, match="refused") as caught:
            await memory.recall("roy", "anything")
    assert "hunter2" not in str(caught.value)


async def test_it_is_made_anew_when_the_database_was_emptied(memory: Memory, dsn: str) -> None:
    await memory.remember("roy", "recent", "apples", kind="n", source="s")
    with psycopg.connect(dsn) as connection:
        connection.execute("DROP SCHEMA agog_memory CASCADE")
    await memory.remember("roy", "recent", "pears", kind="n", source="s")
    assert texts(await memory.recall("roy", "apples and pears")) == ["pears"]


async def test_a_connection_that_broke_is_replaced(memory: Memory, dsn: str) -> None:
    await memory.remember("roy", "recent", "apples", kind="n", source="1")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'agog memory' AND datname = current_database()"
        )
    await memory.remember("roy", "recent", "pears", kind="n", source="2")
    assert len(await memory.recall("roy", "apples and pears")) == 2


async def test_one_who_may_make_no_schema_can_use_it(memory: Memory, dsn: str) -> None:
    await memory.open()
    role = dsn.rpartition("/")[2].partition("?")[0] + "_reader"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'".encode())
        connection.execute(f"GRANT USAGE ON SCHEMA agog_memory TO {role}".encode())
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA agog_memory TO {role}".encode())
    parameters = psycopg.conninfo.make_conninfo(dsn, user=role, password="x")
    async with Memory(parameters) as other:
        await other.remember("roy", "recent", "by a guest", kind="n", source="1")
        assert texts(await other.recall("roy", "guest")) == ["by a guest"]
