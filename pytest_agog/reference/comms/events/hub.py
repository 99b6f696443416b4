"""One listener for all readers of a service: what is stored is read once, encoded once, and handed to who asked for it.

Why a reader gets every row once and in order, whatever is being written meanwhile: `storing.store` takes one lock
before it numbers rows and holds it until they are committed, so whoever can see row n can see every row below n that
there will ever be. The hub reads on from its *position*, the highest row that it has handed out. A reader that joins
is filed first and is told the position p of that moment: it reads rows up to p from the table (from its own cursor on),
and what the hub hands it afterwards is what lies behind p. Nothing lies between the two, and nothing in both. The same
makes a reconnect with `Last-Event-ID` safe at any moment, on any replica: the id is the cursor.

NOTIFY carries nothing but a sequence, once a batch; it only wakes the hub. After Postgres was away the hub listens anew
and reads on from its position, so a notification that nobody heard is no loss.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pytest_agog.errors import PostgresUnreachable
from pytest_agog.reference.comms.events import frames, selecting
from pytest_agog.reference.comms.events.frames import Head
from pytest_agog.reference.comms.ingest.database import let_go, open_connection, told
from pytest_agog.reference.comms.ingest.state import Pause
from pytest_agog.reference.comms.models import Selector
from pytest_agog.wire.tables import NOTIFY_CHANNEL

if TYPE_CHECKING:
    from psycopg import AsyncConnection

TICK: Final = 5.0
"""Seconds after which the hub looks by itself, for rows that were stored without a notification."""
MAX_QUEUED: Final = 1_000_000
"""Bytes that wait for one reader; a slower one reads from the table again."""
_PATIENCE: Final = 15.0
"""Seconds for one look at the table."""
_LOG = logging.getLogger(__name__)


class Subscription:
    """One reader's place with the hub. `take` gives what waits for it."""

    __slots__ = ("_queue", "_size", "behind", "key", "wake")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.wake = asyncio.Event()
        self.behind = False
        """It was too slow: what waited is dropped, and it must read from the table."""
        self._queue: deque[tuple[int, int, bytes]] = deque()
        self._size = 0

    def put(self, first: int, last: int, data: bytes) -> None:
        """Frames of the rows from `first` to `last`, shared with all readers of the same selector."""
        if not self.behind:
            self._queue.append((first, last, data))
            self._size += len(data)
            if self._size > MAX_QUEUED:
                self.behind = True
                self.drop()
        self.wake.set()

    def take(self, cursor: int) -> tuple[int, bytes] | None:
        """Everything that waits behind `cursor`, as one piece, and the row that it ends with.

        A reader that resumes here may have seen more than this hub has: another replica was ahead of it.
        """
        self.wake.clear()
        while self._queue and self._queue[0][1] <= cursor:
            self._size -= len(self._queue.popleft()[2])
        if not self._queue:
            return None
        if self._queue[0][0] <= cursor:
            self.behind = True
            return None
        last = self._queue[-1][1]
        data = b"".join(piece for _, _, piece in self._queue) if len(self._queue) > 1 else self._queue[0][2]
        self.drop()
        return last, data

    def drop(self) -> None:
        """Forget what waits."""
        self._queue.clear()
        self._size = 0


class Hub:
    """Listens as long as `run` runs."""

    def __init__(self, dsn: str, report: Callable[[str | None], None]) -> None:
        self._dsn = dsn
        self._report = report
        self._position: int | None = None
        self._listening = False
        self._readers: defaultdict[Hashable, set[Subscription]] = defaultdict(set)

    @property
    def position(self) -> int | None:
        """The highest row that was handed out; None before Postgres was there for the first time."""
        return self._position

    @property
    def listening(self) -> bool:
        """Whether Postgres is there, so that a reader may be taken."""
        return self._listening and self._position is not None

    @property
    def readers(self) -> int:
        """How many there are."""
        return sum(map(len, self._readers.values()))

    def join(self, selector: Selector) -> tuple[Subscription, int]:
        """File a reader, and the position up to which it reads from the table itself."""
        assert self._position is not None, "ask `listening` first"
        subscription = Subscription(selecting.key(selector))
        self._readers[subscription.key].add(subscription)
        return subscription, self._position

    def rejoin(self, subscription: Subscription) -> int:
        """A reader that was too slow begins again: the position up to which it reads from the table."""
        assert self._position is not None
        subscription.drop()
        subscription.behind = False
        return self._position

    def leave(self, subscription: Subscription) -> None:
        """The reader is gone."""
        readers = self._readers[subscription.key]
        readers.discard(subscription)
        if not readers:
            del self._readers[subscription.key]

    async def run(self) -> None:
        """Listen until cancelled; what goes wrong with Postgres is tried again."""
        import psycopg

        pause = Pause()
        while True:
            try:
                await self._listen(pause)
            except psycopg.errors.UndefinedTable:
                _LOG.debug("the tables are not there yet")  # whoever migrates tells of what is wrong with that
            except (psycopg.Error, PostgresUnreachable, OSError, TimeoutError) as error:
                said = told(error)
                _LOG.debug("the listener lost Postgres: %s", said)
                self._report(said)
            except Exception:  # a fault of ours: readers would wait for ever without a listener
                _LOG.exception("the listener begins anew")
                self._report("the listener failed")
            finally:
                self._listening = False
            await pause.wait()

    async def _listen(self, pause: Pause) -> None:
        from psycopg.sql import SQL, Identifier

        connection = await open_connection(self._dsn, name="agog-comms listener")
        try:
            await connection.execute("SET statement_timeout = '10s'; SET timezone = 'UTC'")
            await connection.execute(SQL("LISTEN {}").format(Identifier(NOTIFY_CHANNEL)))
            if self._position is None:
                row = await (
                    await connection.execute("SELECT coalesce(max(seq), 0) FROM workflow_comms.agent_messages")
                ).fetchone()
                self._position = int(row[0]) if row is not None else 0
            while True:
                await self._catch_up(connection)
                self._listening = True
                pause.reset()
                self._report(None)
                # What was told while rows were read is kept, and ends the wait at once.
                async for _ in connection.notifies(timeout=TICK, stop_after=1):
                    pass
        finally:
            await let_go(connection)

    async def _catch_up(self, connection: AsyncConnection) -> None:
        """Hand out everything behind the position. Rows that nobody asked for are passed over unread."""
        assert self._position is not None
        while True:
            async with asyncio.timeout(_PATIENCE):
                found = await frames.heads(connection, self._position)
            for heads in _by_weight(found):
                data: dict[int, bytes] = {}
                while wanted := [head.seq for head in heads if head.seq not in data and self._is_wanted(head)]:
                    # A reader that joins meanwhile counts on these rows too, so its rows are looked for once more.
                    async with asyncio.timeout(_PATIENCE):
                        data |= dict.fromkeys(wanted, b"") | await frames.of(connection, wanted)
                self._hand_out(heads, data)
                # From here on a reader that joins reads these rows itself: no await stands in between.
                self._position = heads[-1].seq
            if len(found) < frames.PAGE:
                return

    def _is_wanted(self, head: Head) -> bool:
        return any(key in self._readers for key in head.keys)

    def _hand_out(self, heads: Sequence[Head], data: Mapping[int, bytes]) -> None:
        pieces: defaultdict[Hashable, list[int]] = defaultdict(list)
        for head in heads:
            for key in head.keys:
                if key in self._readers:
                    pieces[key].append(head.seq)
        for key, rows in pieces.items():
            shared = b"".join(data[seq] for seq in rows)
            for subscription in self._readers[key]:
                subscription.put(rows[0], rows[-1], shared)


def _by_weight(heads: Sequence[Head]) -> Iterator[Sequence[Head]]:
    """Pieces of `heads` whose contents together are not too large for memory."""
    start = weight = 0
    for place, head in enumerate(heads):
        if weight + head.size > frames.WEIGHT and place > start:
            yield heads[start:place]
            start, weight = place, 0
        weight += head.size
    if start < len(heads):
        yield heads[start:]


@contextlib.asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Hub]:
    """The hub, while it listens."""
    task = asyncio.create_task(hub.run(), name="agog-comms-hub")
    try:
        yield hub
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
