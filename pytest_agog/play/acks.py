"""Publishes that wait for their PubAck, many at once: the ledger is told of each answer when it comes.

nats-py's own `publish_async` costs a semaphore with a timeout and a random token for each message; a hundred thousand
messages take three times as long with it.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Final

from pydantic_core import from_json

from pytest_agog.ledger.facts import PublishAcked, PublishRefused
from pytest_agog.ledger.ledger import Ledger

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

ACK_TIMEOUT: Final = 5.0
"""Seconds without any PubAck after which those that are missing count as refused."""
ELECTION_TIMEOUT: Final = 15.0
"""The same in a cluster, where a leader that is too busy to be heard of is replaced within ten seconds."""
WINDOW: Final = 1000
"""Publishes that may wait for their PubAck at once."""
WINDOW_BYTES: Final = 32_000_000
_ECHO: Final = "echo"
NO_STREAM: Final = "no stream takes this subject"


class Refused(Exception):
    """A publish was not acknowledged; the text says why."""


class AckedPublisher:
    """Publishes on one connection and pairs the acknowledgements."""

    def __init__(self, client: Client, ledger: Ledger, patience: float = ACK_TIMEOUT) -> None:
        self._client = client
        self._ledger = ledger
        self._patience = patience
        self._inbox = ""
        self._numbers = itertools.count()
        self._waiting: dict[str, tuple[int, int]] = {}
        """By reply subject: index of the attempt, and its size."""
        self._bytes = 0
        self._heard = asyncio.Event()
        self._echoed = asyncio.Event()
        self._refusal = ""

    async def open(self) -> AckedPublisher:
        """Subscribe to the acknowledgements."""
        self._inbox = self._client.new_inbox() + "."
        await self._client.subscribe(f"{self._inbox}*", cb=self._on_answer, pending_msgs_limit=0, pending_bytes_limit=0)
        return self

    async def send(self, subject: str, data: bytes, headers: dict[str, str] | None, attempt: int) -> None:
        """Publish one message, when fewer than the window wait for their acknowledgement.

        Raises:
            Refused: this one, or one before it, was not acknowledged.
        """
        reply = f"{self._inbox}{next(self._numbers)}"
        self._waiting[reply] = (attempt, len(data))
        self._bytes += len(data)
        try:
            await self._client.publish(subject, data, reply=reply, headers=headers)
        except Exception as error:
            self._end(reply, str(error).removeprefix("nats: ") or type(error).__name__)
        if len(self._waiting) >= WINDOW or self._bytes >= WINDOW_BYTES:
            await self._until(WINDOW // 2, WINDOW_BYTES // 2)
        if self._refusal:
            await self.settle()

    async def settle(self) -> None:
        """Wait for all acknowledgements.

        Raises:
            Refused: one did not come, or was an error; the first one's reason.
        """
        await self._until(0, 0)
        refusal, self._refusal = self._refusal, ""
        if refusal:
            raise Refused(refusal)

    async def echo(self) -> None:
        """Return when the server has taken everything that was published on this connection, core messages too.

        A flush would not do: while the connection is down, the client answers it itself.

        Raises:
            Refused: the server does not answer.
        """
        subject = f"{self._inbox}{_ECHO}"
        self._echoed.clear()
        try:
            await self._client.publish(subject, b"")
            await asyncio.wait_for(self._echoed.wait(), self._patience)
        except TimeoutError:
            raise Refused(f"the server did not answer within {self._patience:g}s") from None

    async def _until(self, messages: int, size: int) -> None:
        """Wait until at most so many messages, of at most so many bytes, have no answer."""
        while len(self._waiting) > messages or self._bytes > size:
            self._heard.clear()
            try:
                await asyncio.wait_for(self._heard.wait(), self._patience)
            except TimeoutError:
                for reply in list(self._waiting):
                    self._end(reply, f"no PubAck within {self._patience:g}s")

    async def _on_answer(self, message: Msg) -> None:
        if message.subject.endswith(_ECHO):
            self._echoed.set()
            return
        self._heard.set()
        found = self._waiting.get(message.subject)
        if found is None:
            return
        if message.headers and message.headers.get("Status") == "503":
            self._end(message.subject, NO_STREAM)
            return
        try:
            answer = from_json(message.data)
            if error := answer.get("error"):
                self._end(message.subject, str(error.get("description", error)))
                return
            fact = PublishAcked(found[0], str(answer["stream"]), int(answer["seq"]), bool(answer.get("duplicate")))
        except (ValueError, KeyError, TypeError, AttributeError):
            self._end(message.subject, "what answered is no stream: the reply is no PubAck")
            return
        self._ledger.append(fact)
        self._end(message.subject)

    def _end(self, reply: str, refusal: str = "") -> None:
        found = self._waiting.pop(reply, None)
        if found is None:
            return
        self._bytes -= found[1]
        if refusal:
            self._ledger.append(PublishRefused(found[0], refusal))
            self._refusal = self._refusal or refusal
