"""Sending messages in order, many at once, and waiting for each one's PubAck."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_agog.errors import AgogError, NatsUnreachable, PayloadTooLarge, PublishFailed, StoreFull, StreamMissing
from pytest_agog.reference.comms.publishing.drafting import Outgoing
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.client import SafeClient
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer, connect

RETRY: Final = 0.05


@dataclass(frozen=True, slots=True)
class Ack:
    """What JetStream said."""

    stream: str
    sequence: int
    duplicate: bool


class NotNow(Exception):
    """The server cannot be reached any more; the message may or may not be stored."""


class _NoLeader(Exception):
    """Nobody serves the subject at the moment."""

    def __init__(self, failure: AgogError) -> None:
        super().__init__(str(failure))
        self.failure = failure


class _OneConnection(SafeClient):
    """A client that ends with its connection: a reconnect would send what it had buffered before what was lost."""

    def __init__(self) -> None:
        super().__init__()
        self.on_end: Callable[[], Awaitable[None]] | None = None

    async def _close(self, status: int, do_cbs: bool = True) -> None:  # noqa: FBT001, FBT002 - the library's signature
        try:
            with contextlib.suppress(OSError):
                await super()._close(status, do_cbs)
        finally:
            if self._transport is not None:
                # The library leaves it open when the last flush fails.
                self._transport.close()  # type: ignore[no-untyped-call]
            if self.is_closed and self.on_end is not None:
                await self.on_end()


class Sender:
    """One connection; it does not come back once it is lost."""

    def __init__(self, link: Link, patience: float) -> None:
        self._link = link
        self._patience = patience
        self._proven = False

    @classmethod
    async def connect(cls, url: str, creds: Path | None, patience: float) -> Sender:
        """Connect, or say at once why not.

        Raises:
            NatsUnreachable, CredentialsRefused, CredentialsUnreadable, NatsUrlInvalid: as `connecting.connect`.
        """
        client = _OneConnection()
        link = await connect(url, creds=creds, within=patience, client=client)
        client.options["allow_reconnect"] = False

        async def ended() -> None:
            await link.on_disconnect()
            await link.on_close()

        client.on_end = ended
        return cls(link, patience)

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""
        return self._link.nc.is_connected

    async def send(self, messages: Sequence[Outgoing]) -> list[Ack | AgogError | NotNow]:
        """Send all of them in order, and wait for each answer: an ack, a refusal, or that the server is away."""
        if not messages:
            return []
        head: list[Ack | AgogError | NotNow] = []
        if not self._proven:
            # Once one was stored, the stream is there and has a leader: what follows keeps its order.
            head = [await self._one(messages[0])]
            self._proven = isinstance(head[0], Ack)
            if isinstance(head[0], NotNow | StreamMissing):
                return head * len(messages)  # what holds for the first holds for all
        rest = await asyncio.gather(*(self._one(message) for message in messages[len(head) :]))
        self._proven = self._proven and all(isinstance(answer, Ack) for answer in rest)
        return [*head, *rest]

    async def _one(self, message: Outgoing) -> Ack | AgogError | NotNow:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        limit = self._link.nc.max_payload
        if message.size > limit:
            return PayloadTooLarge(
                subject=message.subject, size=message.size, limiter="server (max_payload)", limit=limit
            )
        while True:
            try:
                return await self._once(message, max(deadline - loop.time(), RETRY))
            except _NoLeader as error:
                if not self.alive:
                    return NotNow("the connection is lost")
                if loop.time() + RETRY >= deadline:
                    return error.failure
            except NoAnswer:
                return NotNow(f"no answer within {self._patience:g} s")
            except NatsUnreachable as error:
                return NotNow(str(error.details.get("reason", error)))
            except AgogError as error:
                return error
            await asyncio.sleep(RETRY)

    async def _once(self, message: Outgoing, within: float) -> Ack:
        answer = await self._link.request(message.subject, message.payload, message.headers, within=within)
        if answer.headers and answer.headers.get("Status") == jetstream.NO_RESPONDERS:
            raise _NoLeader(StreamMissing(subject=message.subject))
        try:
            told: dict[str, Any] = json.loads(answer.data)
            if "error" not in told:
                return Ack(str(told["stream"]), int(told["seq"]), bool(told.get("duplicate")))
        except (ValueError, KeyError, TypeError):
            raise PublishFailed(
                subject=message.subject, reason="the answer is no PubAck; somebody else serves this subject"
            ) from None
        refusal = jetstream.Refusal.of(told["error"])
        if refusal.err_code in jetstream.MESSAGE_TOO_LARGE:
            raise PayloadTooLarge(
                subject=message.subject, size=message.size, limiter="stream (max_msg_size)", limit="less"
            )
        if refusal.err_code in jetstream.STORE_FULL:
            raise StoreFull(stream="agent-comms", subject=message.subject, reason=refusal.description)
        failed = PublishFailed(subject=message.subject, reason=f"{refusal.description}, error {refusal.err_code}")
        if refusal.err_code in jetstream.UNAVAILABLE:
            raise _NoLeader(failed)
        raise failed

    async def close(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(OSError):
            await self._link.close()
