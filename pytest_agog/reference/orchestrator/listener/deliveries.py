"""Messages of the durable consumer `host-listener`: pulled one by one, by whoever has a free slot. [O10] [F45]

A request is sent for one message only when there is a slot for it, so nothing waits in a process for another agent to
end. Requests are short (1 s): one that a killed process left behind would take a message with it as long as somebody
else listens to everything, as recorders do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import nats.errors

from pytest_agog.errors import AgogError
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.deliverables.streams import consumer_config, init_streams
from pytest_agog.reference.orchestrator.listener.waiting import first
from pytest_agog.reference.orchestrator.messaging.unacked import unacked
from pytest_agog.wire import streams

if TYPE_CHECKING:
    from nats.aio.msg import Msg

LOG: Final = logging.getLogger(__name__)
CONSUMER: Final = next(one for one in streams.CONSUMERS if one.name == "host-listener")
_EXPIRES: Final = 1.0
_SILENCE: Final = _EXPIRES + 3.0
_NANOSECONDS: Final = 10**9
_NOTHING_CAME: Final = frozenset({"404", "408"})
_NO_STREAM: Final = 10059
_PAUSE: Final = 0.5
"""Seconds between two tries when the consumer cannot be had."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message, as it was delivered to us once."""

    data: bytes
    sequence: int
    delivered: int
    reply: str
    _link: Link

    @classmethod
    def of(cls, message: Msg, link: Link) -> Delivery:
        """A message of the consumer."""
        meta = message.metadata
        return cls(message.data, meta.sequence.stream, meta.num_delivered, message.reply, link)

    async def ack(self) -> None:
        """It is dealt with. Returns when the server has heard it, or does not answer: then it is delivered again."""
        with contextlib.suppress(AgogError, NoAnswer):
            await self._link.request(self.reply, b"+ACK", within=2.0)

    async def again(self, after: float = 0.0) -> None:
        """Deliver it again, to whoever asks, after so many seconds."""
        delay = json.dumps({"delay": int(after * _NANOSECONDS)}).encode()
        await self._say(b"-NAK " + delay if after else b"-NAK")

    async def refuse(self) -> None:
        """Nobody can deal with it; never deliver it again."""
        await self._say(b"+TERM")

    async def working(self, within: float) -> bool:
        """It is being dealt with, do not deliver it to anybody else; whether the server has heard it."""
        try:
            await self._link.request(self.reply, b"+WPI", within=within)
        except (AgogError, NoAnswer):
            return False
        return True

    async def _say(self, what: bytes) -> None:
        # Not connected: it will be delivered again anyway.
        with contextlib.suppress(nats.errors.Error):
            await self._link.nc.publish(self.reply, what)


@dataclass(frozen=True, slots=True)
class Reread(Delivery):
    """A message that was read from the stream: nobody waits for our ack, the consumer will ask for its own."""

    async def ack(self) -> None:
        """Its own delivery is acked when it comes."""

    async def again(self, after: float = 0.0) -> None:
        """It comes again anyway."""

    async def refuse(self) -> None:
        """It is refused when it comes."""

    async def working(self, within: float) -> bool:
        """Nobody waits."""
        return True


class Source:
    """The consumer, and the pulling from it."""

    def __init__(self, link: Link, *, ack_wait: float | None, replicas: int | None = None) -> None:
        self._link = link
        self._wanted = CONSUMER if ack_wait is None else replace(CONSUMER, ack_wait=ack_wait)
        self._explicit = ack_wait is not None
        self._replicas = replicas
        self.ack_wait = self._wanted.ack_wait
        """Of the consumer as it is."""

    async def ensure(self) -> None:
        """The consumer is there, and with the ack wait that was asked for, if one was. Streams too. [F40]

        Raises:
            AgogError, NoAnswer: not now.
        """
        stream, name = self._wanted.stream, self._wanted.name
        try:
            try:
                config = await self._config()
            except jetstream.Refusal as refusal:
                if refusal.err_code not in jetstream.NOT_FOUND:
                    raise
                if refusal.err_code == _NO_STREAM:
                    await init_streams(self._link, replicas=self._replicas)
                body = {"stream_name": stream, "config": consumer_config(self._wanted)}
                with contextlib.suppress(jetstream.Refusal):  # it is there by now, otherwise the next look says why
                    await jetstream.call(self._link, f"CONSUMER.CREATE.{stream}.{name}", {**body, "action": "create"})
                config = await self._config()
            wait = int(self._wanted.ack_wait * _NANOSECONDS)
            if self._explicit and config["ack_wait"] != wait:
                body = {"stream_name": stream, "config": {**config, "ack_wait": wait}}
                await jetstream.call(self._link, f"CONSUMER.DURABLE.CREATE.{stream}.{name}", body)
                config = await self._config()
        except jetstream.Refusal as refusal:
            raise refusal.as_error(f"consumer {name}", url=self._link.url, stream=stream) from None
        self.ack_wait = config["ack_wait"] / _NANOSECONDS

    async def _config(self) -> dict[str, Any]:
        answer = await jetstream.call(self._link, f"CONSUMER.INFO.{self._wanted.stream}.{self._wanted.name}")
        config: dict[str, Any] = answer["config"]
        return config

    async def left(self) -> list[Delivery]:
        """What a killed listener may have had in hand: handed out and not acked. [O16]"""
        try:
            found = await unacked(self._link, self._wanted)
        except AgogError as error:
            LOG.warning("what was not acked cannot be read, and comes after the ack wait: %s", error)
            return []
        return [Reread(one.data, one.sequence, 1, "", self._link) for one in found]

    async def slot(self, take: Callable[[Delivery], Awaitable[None]], stop: asyncio.Event) -> None:
        """Pull a message, deal with it, pull the next, until it shall stop; what it has in hand is dealt with first."""
        queue: asyncio.Queue[Msg] = asyncio.Queue()
        busy = False

        async def came(message: Msg) -> None:
            if busy and (message.headers or {}).get("Status") is None:
                await Delivery.of(message, self._link).again()  # an answer that came after we had given it up
            elif not busy:
                queue.put_nowait(message)

        inbox = self._link.nc.new_inbox()
        subscription = await self._link.nc.subscribe(inbox, cb=came)
        try:
            while not stop.is_set():
                message = await self._next(queue, inbox, stop)
                if message is not None and jetstream.ANSWERED in (message.headers or {}):
                    LOG.warning("%s: a server's answer to a request starts nobody", message.subject)
                    await Delivery.of(message, self._link).refuse()
                elif message is not None:
                    busy = True
                    await take(Delivery.of(message, self._link))
                    busy = False
        finally:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()
            while not queue.empty():
                if ((message := queue.get_nowait()).headers or {}).get("Status") is None:
                    await Delivery.of(message, self._link).again()

    async def _next(self, queue: asyncio.Queue[Msg], inbox: str, stop: asyncio.Event) -> Msg | None:
        """The next message; None when none came, and the consumer is there again."""
        asked = asyncio.get_running_loop().time()
        if queue.empty():
            body = {"batch": 1, "expires": int(_EXPIRES * _NANOSECONDS)}
            with contextlib.suppress(nats.errors.Error):
                subject = f"{jetstream.PREFIX}.CONSUMER.MSG.NEXT.{self._wanted.stream}.{self._wanted.name}"
                await self._link.nc.publish(subject, json.dumps(body).encode(), reply=inbox)
        await first(_filled(queue), stop)
        if stop.is_set():
            # The request is let end: whoever listens to `>` would keep it open without us. What comes is given back.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(asked + _EXPIRES):
                    await _filled(queue)
            return None
        message = queue.get_nowait() if not queue.empty() else None
        # Silence: the request was lost with its connection, or with its consumer.
        status = (message.headers or {}).get("Status") if message is not None else "silence"
        if status is not None and status not in _NOTHING_CAME:
            try:
                await self.ensure()
            except (AgogError, NoAnswer) as error:
                LOG.info("the consumer %s cannot be had: %s", self._wanted.name, error)
                await first(asyncio.sleep(_PAUSE), stop)
        return message if status is None else None


async def _filled(queue: asyncio.Queue[Msg]) -> None:
    """Wait until something is in the queue, without taking it out, or until too long nothing came."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SILENCE):
            queue.put_nowait(await queue.get())
