"""nats-py's client with a short way for one subscription: bytes go straight to a function.

The usual way parses the headers of every message, decodes its subject and puts it into a queue for a task of its own.
It also stops reading for ever at a subject that is no UTF-8, and breaks the connection at one that holds a vertical
tab; nats-server takes both from anybody who may publish, so one such message would end ingest. [J03]
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from pytest_agog.reference.deliverables.client import SafeClient

Sink = Callable[[bytes, bytes, bytes, bytes | None], None]
"""Takes subject, reply, payload and headers (None without)."""


class IngestClient(SafeClient):
    """A client whose `listen` hands raw messages to a function, and that says when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self._ps = _Parser(self)
        self.ended = asyncio.Event()
        """Set when the connection is closed, whoever closed it."""
        self._raw: Subscription | None = None
        self._raw_sid: int | None = None
        self._sink: Sink | None = None

    async def listen(self, subject: str, sink: Sink) -> None:
        """Hand everything that comes on `subject` to `sink`, which must not raise."""
        self._sink = sink
        self._raw = await self.subscribe(subject, cb=_nothing)
        self._raw_sid = self._raw._id  # noqa: SLF001 - what the parser tells messages apart by

    async def listen_no_more(self) -> None:
        """Nothing comes any more; the server forgets requests that wait for messages."""
        self._sink = None
        if self._raw is not None and not self.is_closed:
            await self._raw.unsubscribe()

    async def send_all(self, subjects: Iterable[bytes], payload: bytes) -> None:
        """Publish `payload` on many subjects with one write."""
        tail = b" %d\r\n%b\r\n" % (len(payload), payload)
        commands = b"".join([b"PUB " + subject + tail for subject in subjects])
        if commands and self.is_connected:
            await self._send_command(commands)
            await self._flush_pending()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any) -> None:
        if sid == self._raw_sid:
            if self._sink is not None:
                self._sink(bytes(subject), bytes(reply), data, headers)
            return
        await super()._process_msg(sid, subject, reply, data, headers)

    async def _close(self, status: int, do_cbs: bool = True) -> None:  # noqa: FBT001, FBT002 - the library's signature
        try:
            await super()._close(status, do_cbs)
        finally:
            if self.is_closed:
                self.ended.set()


async def _nothing(_: Msg) -> None:
    """Never called."""


class _Parser(Parser):
    """Splits lines at what the server splits them at: spaces, and nothing else."""

    async def parse(self, data: bytes = b"") -> None:
        self.buf.extend(data)
        while (end := self.buf.find(b"\r\n")) >= 0:
            line = bytes(self.buf[:end])
            if not line.startswith((b"MSG ", b"HMSG ")):
                del self.buf[: end + 2]
                await self._control(line)
                continue
            fields = line.split(b" ")
            with_headers = fields[0] == b"HMSG"
            try:
                total = int(fields[-1])
                header = int(fields[-2]) if with_headers else 0
                sid = int(fields[2])
            except (ValueError, IndexError):
                raise ProtocolError("nats: malformed MSG") from None
            begin, after = end + 2, end + 2 + total
            if len(self.buf) < after + 2:
                return
            headers = bytes(self.buf[begin : begin + header]) if with_headers else None
            payload = bytes(self.buf[begin + header : after])
            reply = fields[3] if len(fields) == (6 if with_headers else 5) else b""
            del self.buf[: after + 2]
            await self.nc._process_msg(sid, fields[1], reply, payload, headers)  # noqa: SLF001

    async def _control(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        match verb.upper():
            case b"PING":
                await self.nc._process_ping()  # noqa: SLF001
            case b"PONG":
                await self.nc._process_pong()  # noqa: SLF001
            case b"INFO":
                await self.nc._process_info(json.loads(rest))  # noqa: SLF001
            case b"-ERR":
                await self.nc._process_err(rest.decode("utf-8", "replace").strip().lower())  # noqa: SLF001
            case b"+OK":
                pass
            case _:
                raise ProtocolError("nats: unknown protocol")
