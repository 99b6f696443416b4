"""Messages as JetStream hands them out, and those of them that this worker holds unacked."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import Final, NamedTuple

ACK: Final = b"+ACK"
NAK: Final = b"-NAK"
WORKING: Final = b"+WPI"
"""Still working on it: starts the ack wait anew. [J12]"""


class Incarnation(NamedTuple):
    """Which stream and which consumer of that name: both may be deleted and made anew, and then count from one."""

    stream_created: str
    """RFC 3339; empty when the user may not ask."""
    consumer_created: str
    ack_wait: float
    """Seconds."""


class Delivery(NamedTuple):
    """One message of the stream, as it was delivered."""

    subject: str
    """With surrogate escapes where it is no UTF-8."""
    data: bytes
    reply: bytes
    """The subject that acks it."""
    seq: int
    deliveries: int
    """1 the first time."""
    stored_ns: int
    """When the server stored it, nanoseconds since 1970."""
    pending: int
    """Messages behind it."""
    received: float
    """Time of the event loop."""
    incarnation: Incarnation

    @property
    def stored_at(self) -> datetime:
        """When the server stored it."""
        return datetime.fromtimestamp(self.stored_ns / 1e9, UTC)

    @property
    def stream_created(self) -> str:
        """The creation time of its stream. A user who may not ask for it knows the message's own time: together with
        the sequence that names the place just as well."""
        return self.incarnation.stream_created or self.stored_at.isoformat()


def delivery(subject: bytes, reply: bytes, data: bytes, received: float, incarnation: Incarnation) -> Delivery:
    """Read the ack subject: `$JS.ACK.{stream}.{consumer}.{deliveries}.{seq}.{consumer seq}.{time}.{pending}`, or the
    newer form with domain and account before the stream (ADR-15).

    Raises:
        ValueError: it is none.
    """
    parts = reply.split(b".")
    if len(parts) < 9:
        raise ValueError("no ack subject")
    at = 4 if len(parts) == 9 else 6
    return Delivery(
        subject.decode("utf-8", "surrogateescape"), data, reply, int(parts[at + 1]), int(parts[at]), int(parts[at + 3]),
        int(parts[at + 4]), received, incarnation,
    )  # fmt: skip


class Held:
    """What was delivered and is not acked: waiting in order, or being stored."""

    def __init__(self) -> None:
        self._all: dict[bytes, Delivery] = {}
        self._waiting: deque[Delivery] = deque()
        self._waiting_bytes = 0
        self._some = asyncio.Event()
        self._taken = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._all)

    @property
    def waiting(self) -> int:
        """How many nobody has begun to store."""
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """Their payloads."""
        return self._waiting_bytes

    def put(self, one: Delivery) -> None:
        """A message has come."""
        self._all[one.reply] = one
        self._waiting.append(one)
        self._waiting_bytes += len(one.data)
        if not self._some.is_set():
            self._some.set()
            self._empty.clear()

    async def take(self, most: int, most_bytes: int) -> list[Delivery]:
        """The next messages in order, one at least; waits for it."""
        await self._some.wait()
        batch: list[Delivery] = []
        size = 0
        while self._waiting and len(batch) < most:
            size += len(self._waiting[0].data)
            if batch and size > most_bytes:
                break
            one = self._waiting.popleft()
            self._waiting_bytes -= len(one.data)
            batch.append(one)
        if not self._waiting:
            self._some.clear()
        self._taken.set()
        return batch

    async def taken(self) -> None:
        """Wait until somebody takes messages."""
        self._taken.clear()
        await self._taken.wait()

    def done(self, batch: list[Delivery]) -> None:
        """They are acked."""
        for one in batch:
            self._all.pop(one.reply, None)
        if not self._all:
            self._empty.set()

    async def empty(self) -> None:
        """Wait until nothing is held."""
        await self._empty.wait()

    def older_than(self, time: float) -> list[Delivery]:
        """What came before `time`."""
        return [one for one in self._all.values() if one.received < time]

    def everything(self) -> list[Delivery]:
        """All of it."""
        return list(self._all.values())
