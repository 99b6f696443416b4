"""What agents remember, in five layers in Postgres, found again by words and by meaning. [O20]"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.errors import EmbedderFailed, UsageError
from pytest_agog.masking import mask
from pytest_agog.reference.orchestrator.memory import aging, statements, text, vectors
from pytest_agog.reference.orchestrator.memory.config import MemoryConfig
from pytest_agog.reference.orchestrator.memory.database import Database
from pytest_agog.reference.orchestrator.memory.embedding import BATCH, Embedder
from pytest_agog.reference.orchestrator.memory.layers import LAYERS, Layer, Limits
from pytest_agog.reference.orchestrator.memory.model import Aged, Briefing, Note, Recollection, Remembered
from pytest_agog.reference.orchestrator.memory.ranking import Candidate, ranked
from pytest_agog.reference.orchestrator.memory.statements import remembered
from pytest_agog.reference.orchestrator.memory.summaries import summary

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_CANDIDATES: Final = 60
"""Memories that are ranked, by words and by meaning each."""
_MOST: Final = 100
_CORE: Final = 50
_NEWEST: Final = 5
_CATCH_UP: Final = 256
"""Memories that are embedded afterwards in one go."""


class Memory:
    """The memories of all agents. Several may use one database side by side.

    Every method raises `MemoryAway` while Postgres cannot be used, and connects by itself when it is back.

    Args:
        dsn: Postgres.
        config: the embedder, if there is one.
        limits: how long memories stay in their layers.
    """

    def __init__(self, dsn: str, config: MemoryConfig | None = None, limits: Limits | None = None) -> None:
        self._config = config or MemoryConfig()
        self._limits = limits or Limits()
        url = self._config.embedder_url
        self._embedder = Embedder(self._config, url) if url else None
        self.where = mask(dsn)
        """The address of its Postgres, without the password."""
        self._database = Database(dsn, wants_vectors=self._embedder is not None)
        # A model that is set to other dimensions gives other vectors.
        self._model = text.name(f"{self._config.embedder_model}/{self._config.dimensions}")

    async def __aenter__(self) -> Memory:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect and migrate now, and not with the first question.

        Raises:
            MemoryAway: there is no Postgres, or its tables cannot be made.
        """
        await self._database.open()

    async def close(self) -> None:
        """Let go of all connections."""
        await self._database.close()
        if self._embedder is not None:
            await self._embedder.close()

    def searches(self) -> str:
        """How memories are found: `words`, `words and meaning`, or why not by meaning for now."""
        if self._embedder is None:
            return "words"
        if self._embedder.away is not None:
            return f"words (embedder: {self._embedder.away})"
        return "words and meaning" if self._database.vectors else "words (Postgres has no pgvector)"

    # --- writing ----------------------------------------------------------------------------------------------------
    async def remember(
        self, agent: str, layer: Layer, body: str, *, kind: str, source: str, tags: Iterable[str] = (),
        data: Mapping[str, Any] | None = None, happened: datetime | None = None,
    ) -> int:  # fmt: skip
        """Keep a text; returns its number. What an agent knows of this kind from this source already stays as it is.

        Text is cut at 32,000 characters, and secrets in it are masked.

        Args:
            agent: whose memory.
            layer: where it begins.
            body: the text.
            kind: what sort of thing it is.
            source: what it was learned from, such as an id.
            tags: further words by which it is found.
            data: what it tells a program.
            happened: when it was; now without it.

        Raises:
            MemoryAway: Postgres cannot be used.
            MemoryRefused: Postgres does not take it.
            UsageError: there is no such layer.
        """
        return await self.keep(agent, Note(layer, body, kind, source, tuple(tags), data or {}, happened))

    async def keep(self, agent: str, note: Note) -> int:
        """The same for a note."""
        values = _values(agent, note)

        async def insert(connection: AsyncConnection) -> tuple[int, str, bool]:
            return await _one(connection, statements.REMEMBER, values)

        number, body, new = await self._database.run(insert, "a memory")
        if new:
            await self._embed([(number, body)])
        return number

    async def compost(self, number: int, why: str) -> bool:
        """What failed is kept as a warning, and no longer counts as a lesson. False when there is no such memory.

        Raises:
            MemoryAway, MemoryRefused: it could not be done.
        """

        async def move(connection: AsyncConnection) -> bool:
            values = {"id": number, "why": text.clean(why, text.LONGEST_QUERY)}
            return await (await connection.execute(statements.COMPOST, values)).fetchone() is not None

        return 0 < number < 1 << 63 and await self._database.run(move, "a move to compost")

    forget = compost
    """Nothing that failed is forgotten altogether."""

    async def age(self, now: datetime, agent: str | None = None) -> Aged:
        """Let memories go the way of their age, of one agent or of all; see `aging`. Harmless at any time, by anybody.

        Raises:
            MemoryAway, MemoryRefused: it could not be done.
        """
        total = Aged()
        for one in [text.name(agent)] if agent is not None else await self._agents():

            async def step(connection: AsyncConnection, whose: str = one) -> Aged:
                async with connection.transaction():
                    return await self._age(connection, whose, now)

            done = await self._database.run(step, "ageing")
            total = Aged(total.moved + done.moved, total.summed_up + done.summed_up, total.dropped + done.dropped)
        await self.catch_up()
        return total

    async def _age(self, connection: AsyncConnection, agent: str, now: datetime) -> Aged:
        await connection.execute(statements.LOCK, {"agent": agent})
        rows = await _all(connection, statements.HEADERS, {"agent": agent})
        ageing = aging.plan([aging.Header(*row) for row in rows], now, self._limits)
        moved = 0
        for layer, ids in ageing.moves.items():
            moved += (await connection.execute(statements.MOVE, {"layer": layer, "ids": list(ids)})).rowcount
        summed_up = 0
        for (kind, day), ids in sorted(ageing.summaries.items()):
            summed_up += await self._sum_up(connection, agent, kind, day, ids)
        dropped = 0
        if ageing.drops:
            dropped = (await connection.execute(statements.DROP, {"ids": list(ageing.drops)})).rowcount
        return Aged(moved, summed_up, dropped)

    async def _sum_up(
        self, connection: AsyncConnection, agent: str, kind: str, day: date, ids: Sequence[int]
    ) -> int:  # fmt: skip
        memories = [remembered(row) for row in await _all(connection, statements.TO_SUM_UP, {"ids": list(ids)})]
        if not memories:
            return 0
        values = _values(agent, summary(kind, day, memories))
        earlier = await _all(connection, statements.EARLIER, values)
        if earlier:
            values = _values(agent, summary(kind, day, memories, earlier[0][0]))
        (number,) = await _one(connection, statements.SUM_UP, values)
        if self._database.vectors:
            await connection.execute(statements.STALE, {"id": number})
        await connection.execute(statements.DROP, {"ids": [one.id for one in memories if one.id != number]})
        return len(memories)

    async def _agents(self) -> list[str]:
        async def read(connection: AsyncConnection) -> list[str]:
            return [str(row[0]) for row in await _all(connection, statements.AGENTS, {})]

        return await self._database.run(read, "a question for agents")

    # --- recalling --------------------------------------------------------------------------------------------------
    async def recall(
        self, agent: str, query: str, *, limit: int = 8, layers: Iterable[Layer] | None = None,
        now: datetime | None = None,
    ) -> tuple[Recollection, ...]:  # fmt: skip
        """What the agent remembers that has to do with the question, best first; see `ranking`.

        Any text is a question. Words in quotes stay together, a word after a minus is not sought. Without an embedder,
        and while it is away (`searches()` says so), words alone decide, and `closeness` is None.

        Raises:
            MemoryAway, MemoryRefused: it could not be asked.
            UsageError: there is no such layer.
        """
        asked = text.query(query)
        vector = await self._vector(asked)
        values: dict[str, object] = {
            "agent": text.name(agent), "layers": [_layer(one) for one in (LAYERS if layers is None else layers)],
            "any": text.any_of(asked), "whole": text.apart(asked), "candidates": _CANDIDATES, "model": self._model,
        }  # fmt: skip

        async def search(connection: AsyncConnection) -> list[Candidate]:
            if vector is None or self._database.vectors is None:
                rows = await _all(connection, statements.BY_WORDS, values)
            else:
                statement = vectors.qualified(statements.BY_MEANING, self._database.vectors).as_string(connection)
                rows = await _all(connection, statement, {**values, "vector": vectors.literal(vector)})
            return [Candidate(remembered(row), row[11], row[12], row[13]) for row in rows]

        found = await self._database.run(search, "a question")
        return ranked(found, now or datetime.now(UTC), min(limit, _MOST))

    async def of_kinds(self, agent: str, kinds: Iterable[str], last: int) -> tuple[Remembered, ...]:
        """The last ones of each kind (and lane, where they have one), the newest first, without compost.

        Raises:
            MemoryAway, MemoryRefused: it could not be asked.
        """
        values = {"agent": text.name(agent), "kinds": list(kinds), "last": last}

        async def read(connection: AsyncConnection) -> tuple[Remembered, ...]:
            return tuple(remembered(row) for row in await _all(connection, statements.OF_KINDS, values))

        return await self._database.run(read, "a question for lessons")

    async def briefing(self, agent: str) -> Briefing:
        """Patterns, the newest of each other layer, and how much there is.

        Raises:
            MemoryAway, MemoryRefused: it could not be asked.
        """
        values = {"agent": text.name(agent), "core": _CORE, "others": _NEWEST}

        async def read(connection: AsyncConnection) -> Briefing:
            held = [remembered(row) for row in await _all(connection, statements.NEWEST, values)]
            counts = {str(layer): int(number) for layer, number in await _all(connection, statements.COUNTS, values)}
            by_layer = {layer: tuple(one for one in held if one.layer == layer) for layer in LAYERS}
            core = by_layer.pop("core")
            return Briefing(agent, core, by_layer, {layer: counts.get(layer, 0) for layer in LAYERS})

        return await self._database.run(read, "a question for patterns")

    # --- meaning ----------------------------------------------------------------------------------------------------
    async def catch_up(self) -> int:
        """Embed what was written while the embedder was away; returns how much. Does nothing while it is still away.

        Raises:
            MemoryAway, MemoryRefused: Postgres could not be asked.
        """
        await self._database.open()
        if self._embedder is None or self._embedder.rests or self._database.vectors is None:
            return 0

        async def read(connection: AsyncConnection) -> list[tuple[int, str]]:
            values = {"model": self._model, "limit": _CATCH_UP}
            return [(int(row[0]), str(row[1])) for row in await _all(connection, statements.WITHOUT_VECTOR, values)]

        waiting = await self._database.run(read, "a question for what has no vector")
        done = 0
        for first in range(0, len(waiting), BATCH):
            done += await self._embed(waiting[first : first + BATCH])
        return done

    async def _embed(self, held: Sequence[tuple[int, str]]) -> int:
        schema = self._database.vectors
        if self._embedder is None or schema is None or self._embedder.rests:
            return 0
        try:
            made = await self._embedder.embed([body for _, body in held], "document")
        except EmbedderFailed:
            return 0  # it has told; `catch_up` comes back to them
        found = [(number, body, vector) for (number, body), vector in zip(held, made, strict=True)]

        async def put(connection: AsyncConnection) -> None:
            await vectors.put(connection, schema, self._model, found)

        await self._database.run(put, "a vector")
        return len(found)

    async def _vector(self, asked: str) -> list[float] | None:
        if self._embedder is None or self._embedder.rests or not asked.strip():
            return None
        try:
            return (await self._embedder.embed([asked], "query"))[0]
        except EmbedderFailed:
            return None


def _values(agent: str, note: Note) -> dict[str, object]:
    from psycopg.types.json import Jsonb

    tags = list(dict.fromkeys(text.name(tag) for tag in note.tags))[: text.MOST_TAGS]
    return {
        "agent": text.name(agent), "layer": _layer(note.layer), "kind": text.name(note.kind),
        "source": text.name(note.source), "body": text.clean(note.text), "tags": Jsonb(tags),
        "data": Jsonb(text.data(dict(note.data))), "happened": note.happened,
    }  # fmt: skip


def _layer(word: str) -> str:
    if word not in LAYERS:
        raise UsageError(f"There is no layer {word!r} of memory. Use one of {', '.join(LAYERS)}.")
    return word


async def _all(connection: AsyncConnection, statement: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(statement.encode(), values)).fetchall()


async def _one(connection: AsyncConnection, statement: str, values: Mapping[str, object]) -> tuple[Any, ...]:
    (row,) = await _all(connection, statement, values)
    return row
