"""Messages of a durable consumer, pulled a few at a time, for as long as it takes.

Requests are short (1 s): a request that a killed process left behind would take messages with it as long as somebody
else listens to everything, as recorders do. Who leaves in order waits for its own to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import nats.errors

from pytest_agog.errors import AgogError
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.deliverables.streams import consumer_config
from pytest_agog.wire.streams import ConsumerDefinition

if TYPE_CHECKING:
    from nats.aio.msg import Msg

LOG: Final = logging.getLogger(__name__)
_EXPIRES: Final = 1.0
_SILENCE: Final = _EXPIRES + 3.0
_NANOSECONDS: Final = 10**9
_GONE: Final = frozenset({"404", "409", "503"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and how often it was delivered; it is acked by who has dealt with it."""

    subject: str
    data: bytes
    headers: dict[str, str]
    sequence: int
    delivered: int
    timestamp: Any
    _message: Msg

    @property
    def place(self) -> tuple[str, int]:
        """Subject and sequence."""
        return self.subject, self.sequence

    async def ack(self) -> None:
        """It is dealt with."""
        await self._say(b"+ACK")

    async def again(self, after: float = 0.0) -> None:
        """Deliver it again, to whoever asks, after so many seconds."""
        delay = json.dumps({"delay": int(after * _NANOSECONDS)}).encode()
        await self._say(b"-NAK " + delay if after else b"-NAK")

    async def working(self) -> None:
        """It is being dealt with; do not deliver it to anybody else yet."""
        await self._say(b"+WPI")

    async def refuse(self) -> None:
        """Nobody can deal with it; never deliver it again."""
        await self._say(b"+TERM")

    async def _say(self, what: bytes) -> None:
        # Not connected: it will be delivered again, and whoever gets it finds that it was dealt with.
        with contextlib.suppress(nats.errors.Error):
            await self._message._client.publish(self._message.reply, what)  # noqa: SLF001


class Puller:
    """Pulls from one durable consumer and hands each message to `take`, several at a time."""

    def __init__(
        self, link: Link, consumer: ConsumerDefinition, take: Callable[[Delivery], Awaitable[None]], *, batch: int = 64
    ) -> None:
        self._link = link
        self._consumer = consumer
        self._take = take
        self._batch = batch
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = 0
        self._seen = asyncio.Event()
        self._leaving = False
        self._until = 0.0
        """When the last request ends, on the loop's clock."""

    async def run(self) -> None:
        """Until it is cancelled; what was taken and not finished is delivered again later, to somebody.

        What comes after that is given back at once.
        """
        inbox = self._link.nc.new_inbox()
        subscription = await self._link.nc.subscribe(inbox, cb=self._came)
        try:
            await self._ensure()
            while True:
                if self._asked <= self._batch // 2:
                    await self._ask(inbox)
                self._seen.clear()
                try:
                    async with asyncio.timeout(_SILENCE):
                        await self._seen.wait()
                except TimeoutError:
                    self._asked = 0  # the request was lost with its connection, or with its consumer
                    await self._ensure()
        finally:
            await self._leave()
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _leave(self) -> None:
        self._leaving = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._until):
                while self._asked > 0 and self._link.nc.is_connected:
                    self._seen.clear()
                    await self._seen.wait()

    async def _came(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is not None:
            self._asked = 0
            if (
                not self._leaving
                and status in _GONE
                and "exceeded" not in str((message.headers or {}).get("Description", "")).lower()
            ):
                self._spawn(self._ensure())
            self._seen.set()
            return
        self._asked -= 1
        meta = message.metadata
        delivery = Delivery(
            message.subject, message.data, dict(message.headers or {}), meta.sequence.stream, meta.num_delivered,
            meta.timestamp, message,
        )  # fmt: skip
        if jetstream.ANSWERED in delivery.headers:
            LOG.warning("%s (sequence %d) is a server's answer to a request, and refused", *delivery.place)
            self._spawn(delivery.refuse())
        elif self._leaving:
            await delivery.again()
        else:
            self._spawn(self._take(delivery))
        self._seen.set()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, inbox: str) -> None:
        body = {"batch": self._batch, "expires": int(_EXPIRES * _NANOSECONDS)}
        self._asked = self._batch
        self._until = asyncio.get_running_loop().time() + _EXPIRES
        with contextlib.suppress(nats.errors.Error):
            subject = f"{jetstream.PREFIX}.CONSUMER.MSG.NEXT.{self._consumer.stream}.{self._consumer.name}"
            await self._link.nc.publish(subject, json.dumps(body).encode(), reply=inbox)

    async def _ensure(self) -> None:
        """The consumer is there. [F40]: a durable one, so what comes while nobody listens is kept."""
        wanted = self._consumer
        with contextlib.suppress(AgogError, NoAnswer):
            try:
                await jetstream.call(self._link, f"CONSUMER.INFO.{wanted.stream}.{wanted.name}")
            except jetstream.Refusal as refusal:
                if refusal.err_code not in jetstream.NOT_FOUND:
                    return
            else:
                return
            body = {"stream_name": wanted.stream, "config": consumer_config(wanted), "action": "create"}
            with contextlib.suppress(jetstream.Refusal):
                await jetstream.call(self._link, f"CONSUMER.CREATE.{wanted.stream}.{wanted.name}", body)
