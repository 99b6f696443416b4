"""The recorder's line to NATS: one connection, one subscription to `>`, and requests answered through it.

Replies come through the subscription to `>` like everything else. So they stand in one order with the messages that
crossed the wire before them (a reply is a barrier; nats-py's `flush` is none, its PING may overtake a SUB), and the
server sends each of them once.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from pytest_agog.ledger.jetstream import API
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

Connect = Callable[[], "Awaitable[Client]"]
REPLY_TIMEOUT: Final = 2.0
"""Seconds without any reply after which the line counts as broken."""
OWN_INBOXES: Final = "_INBOX.agog_"
"""How the subjects begin to which replies for the harness go: what is read there was handed to no agent. No client
makes such a name by itself: theirs have letters and digits only."""
_ECHO_TIMEOUT: Final = 0.5
_RETRY: Final = 0.05


_T = TypeVar("_T")


class LineBroken(Exception):
    """The connection is gone, or the server does not answer; open the line again and repeat."""


class Silent(LineBroken):
    """The connection stands, but who was asked does not answer (JetStream without a leader); ask again later."""


class Line:
    """One connection that sees everything.

    `on_message` gets what is not a reply to one of our requests; it must be quick and must not raise.
    """

    def __init__(self, connect: Connect, on_message: Callable[[Msg], None]) -> None:
        self._connect = connect
        self._on_message = on_message
        self._client: Client | None = None
        self._inbox = ""
        self.jetstream = False
        """Whether there is JetStream to ask."""
        self._retired: set[asyncio.Task[None]] = set()
        self._number = 0
        self._handlers: dict[str, Callable[[Msg], None]] = {}

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as the client knows."""
        return self._client is not None and self._client.is_connected

    @property
    def batches(self) -> bool:
        """Whether the server answers direct get in batches (2.11 and newer)."""
        if self._client is None:
            return False
        version = self._client.connected_server_version
        return bool((version.major, version.minor) >= (2, 11))

    @property
    def url(self) -> str:
        """The connected server's URL, masked."""
        found = self._client.connected_url if self._client is not None else None
        return mask(found.geturl()) if found is not None else ""

    @property
    def client_id(self) -> int | None:
        """The server's number for this connection."""
        return self._client.client_id if self._client is not None else None

    async def open(self) -> None:
        """Connect and subscribe; returns when the server has the subscription.

        Raises:
            LineBroken: it did not answer. What `connect` raises comes through.
        """
        self._retire()
        client = self._client = await self._connect()
        # The line is mended by opening another one, at once and under a new inbox.
        client.options["allow_reconnect"] = False
        self._inbox = f"{OWN_INBOXES}{secrets.token_hex(8)}."
        try:
            self.jetstream = await _has_jetstream(client)
            # No limits on what waits: a message that is dropped here would be a hole in the record.
            await client.subscribe(">", cb=self._receive, pending_msgs_limit=0, pending_bytes_limit=0)
        except Exception as error:
            raise LineBroken(mask(str(error))) from error
        await self.mark()

    async def reopen(self, stopping: Callable[[], bool]) -> None:
        """Open again, trying every 50 ms until it stands or `stopping` says so."""
        while not stopping():
            try:
                await self.open()
            except Exception:
                await asyncio.sleep(_RETRY)
            else:
                return

    async def close(self) -> None:
        """Let go of the connection; returns when it is gone."""
        self._retire()
        if self._retired:
            await asyncio.wait(self._retired)

    def _retire(self) -> None:
        """Close the connection aside: a client whose server was killed may take seconds to give up."""
        client, self._client = self._client, None
        self._handlers.clear()
        if client is not None:
            task = asyncio.get_running_loop().create_task(_close(client))
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)

    async def mark(self, timeout: float = REPLY_TIMEOUT) -> None:  # noqa: ASYNC109 - of a wait that polls
        """Return when everything that the server had sent before this call has been handled.

        Raises:
            LineBroken: it did not come back within `timeout` seconds.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        subject = self._expect(lambda _: _resolve(done))
        try:
            await self._send(subject, b"", "")
            await self._wait(done, timeout)
        finally:
            self._handlers.pop(subject, None)

    async def request(self, subject: str, payload: bytes = b"") -> Msg:
        """The one reply to a request.

        Raises:
            LineBroken: there was none.
        """
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        reply = self._expect(lambda msg: _resolve(answer, msg))
        try:
            await self._send(subject, payload, reply)
            try:
                return await self._wait(answer, REPLY_TIMEOUT)
            except LineBroken:
                await self._blame()
                raise
        finally:
            self._handlers.pop(reply, None)

    async def collect(self, subject: str, payload: bytes, take: Callable[[Msg], bool]) -> None:
        """Hand each reply to `take` as it arrives, until that says True (no more come).

        Raises:
            LineBroken: no reply came for `REPLY_TIMEOUT` seconds. What `take` raises comes through.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        last = loop.time()

        def handle(msg: Msg) -> None:
            nonlocal last
            last = loop.time()
            try:
                if take(msg):
                    _resolve(done)
            except Exception as error:
                if not done.done():
                    done.set_exception(error)

        reply = self._expect(handle)
        try:
            await self._send(subject, payload, reply)
            while not done.done():
                # The deadline moves with every reply: a long batch is no silence.
                quiet = loop.time() - last
                if quiet >= REPLY_TIMEOUT or not self.alive:
                    await self._blame()
                await asyncio.wait([done], timeout=min(_RETRY, REPLY_TIMEOUT - quiet))
            done.result()
        finally:
            self._handlers.pop(reply, None)

    def _expect(self, handler: Callable[[Msg], None]) -> str:
        self._number += 1
        subject = f"{self._inbox}{self._number}"
        self._handlers[subject] = handler
        return subject

    async def _send(self, subject: str, payload: bytes, reply: str) -> None:
        if self._client is None or not self._client.is_connected:
            raise LineBroken("not connected")
        try:
            await self._client.publish(subject, payload, reply=reply)
        except Exception as error:
            raise LineBroken(mask(str(error))) from error

    async def say_no_responders(self, reply: str) -> None:
        """Tell a requester that nobody listens, as the server would: a status line, which nats-py's `publish` cannot
        write."""
        client = self._client
        if client is None or not client.is_connected or any(character.isspace() for character in reply):
            return
        status = b"NATS/1.0 503\r\n\r\n"
        with contextlib.suppress(Exception):  # a requester that is not told waits for its timeout
            await client._send_command(b"HPUB %s %d %d\r\n%s\r\n" % (reply.encode(), len(status), len(status), status))  # noqa: SLF001
            await client._flush_pending()  # noqa: SLF001

    async def _blame(self) -> NoReturn:
        """Who is at fault when no reply came: the line, or who was asked."""
        await self.mark(_ECHO_TIMEOUT)
        raise Silent("JetStream does not answer")

    async def _wait(self, answer: asyncio.Future[_T], timeout: float) -> _T:  # noqa: ASYNC109 - of a wait that polls
        waited = 0.0
        while not answer.done():
            if waited >= timeout or not self.alive:
                raise LineBroken("no reply")
            await asyncio.wait([answer], timeout=_RETRY)
            waited += _RETRY
        return answer.result()

    async def _receive(self, msg: Msg) -> None:
        if msg.subject.startswith(self._inbox):
            handler = self._handlers.get(msg.subject)
            if handler is not None:
                handler(msg)
        else:
            self._on_message(msg)


def _resolve(future: asyncio.Future[_T], value: _T | None = None) -> None:
    if not future.done():
        future.set_result(value)  # type: ignore[arg-type]  # None only where the future carries none


async def _close(client: Client) -> None:
    # nats-py's reconnecting task can swallow the cancellation that `close` sends (when its `wait_for` ends at the same
    # moment) and then never ends; with no attempts left it gives up by itself.
    client.options["max_reconnect_attempts"] = 1
    # The farewell to a server that was killed fails; there is nothing left to save.
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.close(), REPLY_TIMEOUT)


async def _has_jetstream(client: Client) -> bool:
    """Whether JetStream is enabled for the client's account.

    The server's greeting tells (no request can race with its start). A server without JetStream may still reach others
    that have it; that is asked before the subscription to `>` stands, which is interest in every subject and thereby
    the end of "no responders".
    """
    from nats.errors import NoRespondersError

    if client._server_info.get("jetstream"):  # noqa: SLF001 - nats-py shows it nowhere else
        return True
    try:
        await client.request(f"{API}.INFO", b"", timeout=REPLY_TIMEOUT)
    except NoRespondersError:
        return False
    return True
