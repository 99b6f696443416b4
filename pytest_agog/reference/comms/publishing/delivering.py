"""Where messages go: to the server while it is there and nothing waits, else into the spool; and from there on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_agog.errors import AgogError, NatsUnreachable, PayloadTooLarge, ServiceBusy
from pytest_agog.masking import mask
from pytest_agog.reference.comms.publishing.drafting import Outgoing
from pytest_agog.reference.comms.publishing.sending import Ack, NotNow, Sender
from pytest_agog.reference.comms.publishing.spool import Spool

_WINDOW: Final = 256
_WINDOW_BYTES: Final = 4 * 10**6
_STEP: Final = 0.03
"""Seconds between two looks at what nothing tells: a port that refuses, a lock that another process holds."""
_PAUSE: Final = 0.5
"""Seconds for which a server that was away is not asked again while messages come."""


@dataclass(frozen=True, slots=True)
class Stored:
    """JetStream holds it. Stream and sequence are None when another process delivered it from the spool."""

    stream: str | None
    sequence: int | None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Spooled:
    """It waits on this machine's disk."""

    path: Path
    reason: str


Fate = Stored | Spooled | AgogError


@dataclass(frozen=True, slots=True)
class Drained:
    """What one delivery from the spool did."""

    delivered: int
    refused: int
    """How many can never be stored, and were set aside."""


class Delivery:
    """The connection and the spool of one publisher. Its methods are called one after another, never at once."""

    def __init__(self, url: str, creds: Path | None, spool: Spool, patience: float) -> None:
        self._url = url
        self._creds = creds
        self._spool = spool
        self._patience = patience
        self._sender: Sender | None = None
        self._not_before = 0.0
        self._own: set[tuple[str, str]] = set()
        """Id and subject of what this publisher spooled."""
        self._delivered: dict[tuple[str, str], Fate] = {}
        """How those of them that are under way ended."""
        self.trouble = ""
        """Why messages are spooled."""

    @property
    def waiting(self) -> int:
        """How many of this publisher's messages are spooled and not delivered, by whomever."""
        if self._own and not self._spool.waiting():
            self._own.clear()
        return len(self._own)

    async def deliver(self, messages: Sequence[Outgoing]) -> list[Fate]:
        """The fate of each message, in order."""
        fates: dict[int, Fate] = {}
        in_flight = await self._ready()
        if in_flight and self._sender is not None:
            for index, answer in enumerate(await self._sender.send(messages)):
                if isinstance(answer, NotNow):
                    self.trouble = f"NATS at {mask(self._url)}: {answer}"
                else:
                    fates[index] = _stored(answer)
        lost = [index for index in range(len(messages)) if index not in fates]
        if lost:
            late = await self._set_by([messages[index] for index in lost], recover=in_flight)
            fates.update(zip(lost, late, strict=True))
        return [fates[index] for index in range(len(messages))]

    async def _set_by(self, messages: list[Outgoing], *, recover: bool) -> list[Fate]:
        """Spool them; with `recover` a connection that was lost has until its patience ends to come back."""
        try:
            await asyncio.to_thread(self._spool.append, messages)
        except AgogError as error:
            return [error for _ in messages]
        keys = [(message.message_id, message.subject) for message in messages]
        self._own.update(keys)
        self._delivered.clear()
        if recover:
            await self._recover()
        empty = not self.waiting
        spooled = Spooled(self._spool.path, self.trouble)
        gone = Stored(None, None)
        return [self._delivered.get(key) or (gone if empty or key not in self._own else spooled) for key in keys]

    async def _recover(self) -> None:
        await self._drop()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while True:
            self._not_before = 0.0
            if await self._ready() or loop.time() + _STEP >= deadline:
                return
            await asyncio.sleep(_STEP)

    async def catch_up(self) -> None:
        """Try to deliver what waits; trouble is no error here."""
        try:
            await self._ready()
        except AgogError as error:
            self._away(str(error))

    async def drain(self) -> Drained:
        """Deliver everything that waits.

        Raises:
            NatsUnreachable, CredentialsRefused, StreamMissing, …: what stands in the way.
        """
        if not self._spool.waiting():
            return Drained(0, 0)
        await self._connected()
        return await self._drain()

    async def _ready(self) -> bool:
        """Whether the server is there and nothing waits before what comes next."""
        if asyncio.get_running_loop().time() < self._not_before and not (self._sender and self._sender.alive):
            return False
        try:
            await self._connected()
            if self._spool.waiting():
                await self._drain()
        except NatsUnreachable as error:
            self._away(f"NATS at {error.details.get('url')}: {error.details.get('reason')}")
            return False
        except AgogError as error:
            if not self._spool.waiting() and self._sender is None:
                raise  # refused credentials, say: nobody comes back from that by waiting
            self._away(str(error))
            return False
        return True

    def _away(self, reason: str) -> None:
        self.trouble = reason
        self._not_before = asyncio.get_running_loop().time() + _PAUSE

    async def _connected(self) -> Sender:
        if self._sender is not None and not self._sender.alive:
            await self._drop()
        if self._sender is None:
            self._sender = await Sender.connect(self._url, self._creds, self._patience)
        return self._sender

    async def _drain(self) -> Drained:
        delivered = refused = 0
        async with self._draining():
            while waiting := await asyncio.to_thread(self._spool.read, _WINDOW, _WINDOW_BYTES):
                sender = await self._connected()
                messages = [one.message for one in waiting if one.message is not None]
                answers = iter(await sender.send(messages))
                aside: list[tuple[bytes, str]] = []
                failure: Exception | None = None
                end = 0
                for one in waiting:
                    answer = next(answers) if one.message is not None else None
                    if isinstance(answer, NotNow) or (
                        isinstance(answer, AgogError) and not isinstance(answer, PayloadTooLarge)
                    ):
                        failure = answer
                        break
                    end = one.end
                    if one.message is None or answer is None or isinstance(answer, PayloadTooLarge):
                        aside.append((one.line, str(answer or "the line is no message")))
                    else:
                        delivered += 1
                    if one.message is not None and answer is not None:
                        self._note(one.message, _stored(answer))
                await asyncio.to_thread(self._spool.set_aside, aside)
                refused += len(aside)
                if end:
                    await asyncio.to_thread(self._spool.delivered, end)
                if isinstance(failure, NotNow):
                    await self._drop()
                    raise NatsUnreachable(url=mask(self._url), reason=str(failure))
                if failure is not None:
                    raise failure
        return Drained(delivered, refused)

    def _note(self, message: Outgoing, fate: Fate) -> None:
        key = (message.message_id, message.subject)
        if key in self._own:
            self._own.discard(key)
            self._delivered[key] = fate

    @asynccontextmanager
    async def _draining(self) -> AsyncIterator[None]:
        """One process delivers at a time; so its order is kept.

        Raises:
            ServiceBusy: another one did not end in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while (handle := self._spool.try_draining()) is None:
            if loop.time() >= deadline:
                raise ServiceBusy(
                    f"another process delivers from {self._spool.path}, and did not end within {self._patience:g} s. "
                    "Wait for it, then publish or drain again."
                )
            await asyncio.sleep(_STEP)
        try:
            yield
        finally:
            self._spool.end_draining(handle)

    async def _drop(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.close()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._drop()


def _stored(answer: Ack | AgogError | NotNow) -> Fate:
    if isinstance(answer, AgogError):
        return answer
    return Stored(answer.stream, answer.sequence, answer.duplicate) if isinstance(answer, Ack) else Stored(None, None)
