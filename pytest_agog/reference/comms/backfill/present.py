"""What is there of a run already, and which message of an artifact each row stands for.

A row stands for the message whose id it has. Every other row was published live under an id of its publisher's choice:
it stands for one message with its kind and content, the first that has no row yet. So a live row answers for one
message, never for the whole run [J21], and of two equal messages each needs a row.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Final, LiteralString

from pytest_agog.reference.comms.backfill.identity import Speaker

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_PAGE: Final = 5_000
_ROWS: Final[LiteralString] = """
    SELECT seq, kind, attrs->>'message_id', sha256(convert_to(content, 'UTF8')), channel IS NOT DISTINCT FROM 'general'
    FROM workflow_comms.agent_messages
    WHERE seq > %(after)s AND agent_id = %(agent_id)s
      AND (run_id = %(run_id)s
           OR (%(run_id)s::text IS NULL OR run_id IS NULL)
              AND workflow_uid = %(uid)s AND workflow_namespace = %(namespace)s)
    ORDER BY seq LIMIT %(page)s
"""
Told = tuple[str, bytes]
"""Kind, and SHA-256 of the content."""


def told(kind: str, content: str) -> Told:
    """What two copies of a message have in common, whoever published them."""
    return kind, hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()


class Present:
    """The rows of one agent in one run. Memory: some hundred bytes for each."""

    def __init__(self, speaker: Speaker, ids: frozenset[str]) -> None:
        self._speaker = speaker
        self._ids = ids
        self._after = 0
        self._by_id: set[tuple[str, Told]] = set()
        self._others: Counter[Told] = Counter()
        self._general: defaultdict[Told, deque[str]] = defaultdict(deque)
        self._with_copy: set[str] = set()

    async def look(self, connection: AsyncConnection) -> None:
        """Learn what was stored since the last look."""
        while True:
            rows = await (
                await connection.execute(
                    _ROWS,
                    {
                        "after": self._after,
                        "agent_id": self._speaker.agent_id,
                        "run_id": self._speaker.run_id,
                        "uid": self._speaker.uid,
                        "namespace": self._speaker.namespace,
                        "page": _PAGE,
                    },
                )
            ).fetchall()
            for seq, kind, name, digest, general in rows:
                self._after = seq
                self._add((kind, bytes(digest)), name, general=general)
            if len(rows) < _PAGE:
                return

    def _add(self, what: Told, name: str | None, *, general: bool) -> None:
        if general:
            if name and name not in self._ids:
                self._general[what].append(name)
            return
        if name:
            self._with_copy.add(name)
        if name in self._ids:
            self._by_id.add((name or "", what))
        else:
            self._others[what] += 1

    def has(self, name: str, what: Told) -> bool:
        """Whether a row stands for this message; a live row of foreign id is used up by that."""
        if (name, what) in self._by_id:
            return True
        if self._others[what] > 0:
            self._others[what] -= 1
            return True
        del self._others[what]
        return False

    def shared_id(self, what: Told) -> str | None:
        """The id of a copy that stands on the global channel alone: the run's copy is the same event, and bears it."""
        waiting = self._general.get(what)
        while waiting:
            name = waiting.popleft()
            if name not in self._with_copy:
                return name
        return None
