from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from pytest_agog.errors import EmbedderFailed
from pytest_agog.reference.orchestrator.memory.config import MemoryConfig
from pytest_agog.reference.orchestrator.memory.embedding import REST, Embedder
from pytest_agog.reference.orchestrator.memory.memory import Memory
from tests.reference.orchestrator.memory.ollama import DIMENSIONS, Mood, Ollama, vector

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
RAPID = "rapid growth of the zebra herd near green hills"


async def keep(memory: Memory, *bodies: str) -> None:
    for body in bodies:
        await memory.remember("roy", "long_term", body, kind="n", source=body, happened=NOW)


async def test_meaning_finds_what_words_do_not(dsn: str, ollama: Ollama) -> None:
    async with Memory(dsn, ollama.config()) as memory:
        await keep(memory, "the automobile is fast", "zebras graze on green hills")
        (found,) = await memory.recall("roy", "rapid car")
        assert found.memory.text == "the automobile is fast"
        assert found.words == 0
        assert found.closeness is not None
        assert found.closeness > 0.5
        assert memory.searches() == "words and meaning"
    assert "search_document: the automobile is fast" in ollama.asked
    assert "search_query: rapid car" in ollama.asked
    async with Memory(dsn) as blind:
        assert await blind.recall("roy", "rapid car") == ()


async def test_words_and_meaning_together_decide(dsn: str, ollama: Ollama) -> None:
    async with Memory(dsn, ollama.config()) as memory:
        await keep(memory, "automobile fast", "car rapid", RAPID)
        found = await memory.recall("roy", "rapid car", now=NOW)
    assert [one.memory.text for one in found] == ["car rapid", "automobile fast", RAPID]
    closeness = {one.memory.text: one.closeness for one in found}
    assert closeness["car rapid"] == pytest.approx(1.0)
    assert closeness["automobile fast"] == pytest.approx(1.0)


async def test_without_the_embedder_words_decide_and_later_it_catches_up(
    dsn: str, ollama: Ollama, caplog: pytest.LogCaptureFixture
) -> None:
    ollama.mood = "broken"
    async with Memory(dsn, ollama.config()) as memory:
        with caplog.at_level("WARNING"):
            await keep(memory, "automobile fast", "green hills")
            (found,) = await memory.recall("roy", "automobile")
        assert found.closeness is None
        assert memory.searches() == "words (embedder: status 500)"
        assert caplog.text.count("memory searches by words alone") == 1
        assert ollama.asked == []
    ollama.mood = "well"
    async with Memory(dsn, ollama.config()) as memory:
        assert await memory.recall("roy", "rapid") == ()
        # Two of this test, and the three patterns that are there from the start.
        assert await memory.catch_up() == 5
        assert await memory.catch_up() == 0
        assert [one.memory.text for one in await memory.recall("roy", "rapid")] == ["automobile fast"]


async def test_an_old_server_is_asked_one_by_one(dsn: str, ollama: Ollama) -> None:
    ollama.mood = "old"
    async with Memory(dsn, ollama.config()) as memory:
        await keep(memory, "automobile fast")
        assert len(await memory.recall("roy", "rapid")) == 1


async def test_vectors_of_another_model_are_not_compared(dsn: str, ollama: Ollama) -> None:
    async with Memory(dsn, ollama.config(embedder_model="one")) as memory:
        await keep(memory, "automobile fast")
    assert "automobile fast" in ollama.asked
    async with Memory(dsn, ollama.config(embedder_model="two")) as memory:
        assert await memory.recall("roy", "rapid") == ()
        await memory.age(NOW)
        assert len(await memory.recall("roy", "rapid")) == 1


async def test_what_is_known_is_not_embedded_again(dsn: str, ollama: Ollama) -> None:
    async with Memory(dsn, ollama.config()) as memory:
        await keep(memory, "automobile fast", "automobile fast")
    assert ollama.asked == ["search_document: automobile fast"]


async def test_pgvector_in_a_schema_of_its_own(dsn: str, ollama: Ollama) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA extensions")
        connection.execute("CREATE EXTENSION vector SCHEMA extensions")
    async with Memory(dsn, ollama.config()) as memory:
        await keep(memory, "automobile fast")
        assert len(await memory.recall("roy", "rapid")) == 1


async def test_one_who_may_not_have_pgvector_searches_words(
    dsn: str, ollama: Ollama, caplog: pytest.LogCaptureFixture
) -> None:
    role = dsn.rpartition("/")[2].partition("?")[0] + "_owner"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'".encode())
        connection.execute(f"GRANT CREATE ON DATABASE {role.removesuffix('_owner')} TO {role}".encode())
        (trusted,) = connection.execute(
            "SELECT trusted FROM pg_available_extension_versions WHERE name = 'vector' AND version ="
            " (SELECT default_version FROM pg_available_extensions WHERE name = 'vector')"
        ).fetchall()[0]
    async with Memory(psycopg.conninfo.make_conninfo(dsn, user=role, password="x"), ollama.config()) as memory:
        await keep(memory, "automobile fast")
        assert len(await memory.recall("roy", "automobile")) == 1
        assert memory.searches() == ("words and meaning" if trusted else "words (Postgres has no pgvector)")
    assert ("pgvector" in caplog.text) is not trusted


async def test_many_instances_prepare_at_once(dsn: str, ollama: Ollama) -> None:
    memories = [Memory(dsn, ollama.config()) for _ in range(5)]
    await asyncio.gather(*(memory.open() for memory in memories))
    await asyncio.gather(*(keep(memory, "automobile fast", "car rapid") for memory in memories))
    assert len(await memories[0].recall("roy", "quick")) == 2
    for memory in memories:
        await memory.close()


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("broken", "status 500"), ("no model", "not found, try pulling it first"), ("nonsense", "no vectors"),
        ("short", "3 dimensions, [memory] dimensions is 64"), ("zeros", "all zeros"),
    ],
)  # fmt: skip
async def test_an_embedder_that_fails(ollama: Ollama, mood: Mood, reason: str) -> None:
    ollama.mood = mood
    clock = [1000.0]
    embedder = Embedder(ollama.config(), ollama.url, lambda: clock[0])
    with pytest.raises(EmbedderFailed) as caught:
        await embedder.embed(["a"], "document")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    ollama.mood, asked = "well", len(ollama.asked)
    with pytest.raises(EmbedderFailed):
        await embedder.embed(["a"], "document")
    assert len(ollama.asked) == asked, "it was asked while it rests"
    clock[0] += REST
    (found,) = await embedder.embed(["a"], "document")
    assert found == pytest.approx(vector("a"))
    assert embedder.away is None
    await embedder.close()


async def test_no_embedder_there() -> None:
    config = MemoryConfig(embedder_url="http://me:hunter2@127.0.0.1:1/", dimensions=DIMENSIONS)
    embedder = Embedder(config, config.embedder_url or "")
    with pytest.raises(EmbedderFailed) as caught:
        await embedder.embed(["a"], "query")
    assert "hunter2" not in str(caught.value)
    await embedder.close()


async def test_many_texts_go_in_batches(ollama: Ollama) -> None:
    embedder = Embedder(ollama.config(), ollama.url)
    texts = [f"word{number}" for number in range(40)]
    assert await embedder.embed(texts, "document") == [pytest.approx(vector(text)) for text in texts]
    await embedder.close()
