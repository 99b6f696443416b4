"""The breakers of all agents, shared by all instances through the state bucket. [O14]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from pytest_agog.reference.orchestrator.engine.config import BreakerConfig
from pytest_agog.reference.orchestrator.messaging.bucket import Moved
from pytest_agog.reference.orchestrator.running.books import Books
from pytest_agog.reference.orchestrator.running.breaker import Breaker, Position, dump, load
from pytest_agog.wire import subjects

_PREFIX: Final = "breaker."


class Breakers:
    """Knows which agents rest."""

    def __init__(self, books: Books, config: BreakerConfig) -> None:
        self._books = books
        self._config = config
        self._known: dict[str, tuple[Breaker, int]] = {}
        books.watch(_PREFIX, self._heard)

    def positions(self, now: datetime) -> Mapping[str, Position]:
        """Of the agents whose breaker is not closed."""
        found = {agent: one.position(now, self._config) for agent, (one, _) in self._known.items()}
        return {agent: position for agent, position in found.items() if position != "closed"}

    def position(self, agent: str, now: datetime) -> Position:
        """Of one agent."""
        known = self._known.get(agent)
        return "closed" if known is None else known[0].position(now, self._config)

    def rest_ends(self) -> list[datetime]:
        """When open breakers let an attempt through."""
        from datetime import timedelta

        rest = timedelta(seconds=self._config.rest)
        return [one.opened_at + rest for one, _ in self._known.values() if one.opened_at is not None]

    async def tell(self, agent: str, attempt: str, *, well: bool, now: datetime) -> bool:
        """Count an outcome; returns whether it opened the breaker.

        Raises:
            AgogError: the state cannot be written.
        """
        key = _PREFIX + subjects.token(agent, "agent")
        while True:
            known, revision = self._known.get(agent, (Breaker(), 0))
            told = known.told(attempt, well=well, now=now, config=self._config)
            if told == known or (told.opened_at is None and known == Breaker() and well):
                # An agent that never failed has no key: most of them, most of the time.
                return False
            try:
                revision = await self._books.bucket.put(key, dump(told), after=revision)
            except Moved:
                entry = await self._books.bucket.get(key)
                self._known[agent] = (load(entry.value), entry.revision) if entry else (Breaker(), 0)
                continue
            self._known[agent] = (told, revision)
            return told.opened_at is not None and replace(told, opened_at=known.opened_at) != told

    def _heard(self, key: str, value: bytes | None, revision: int) -> None:
        agent = key.removeprefix(_PREFIX)
        if revision > self._known.get(agent, (Breaker(), 0))[1]:
            self._known[agent] = (load(value) if value else Breaker(), revision)
