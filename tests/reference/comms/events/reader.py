"""A reader of events on a bare socket, so that a test decides when bytes are read and when the connection is cut."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

PATIENCE: Final = 30.0
EVENTS: Final = "/api/agents/events"


@dataclass
class Event:
    """One frame with data."""

    id: int
    data: dict[str, Any]


@dataclass
class Reader:
    """A connection whose answer has begun."""

    stream: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    headers: dict[str, str]
    comments: list[str] = field(default_factory=list)
    _text: bytes = b""

    async def frame(self) -> str | None:
        """The next frame as it is, comments too; None when the answer is over."""
        while b"\n\n" not in self._text:
            if not (piece := await self._piece()):
                return None
            self._text += piece
        frame, self._text = self._text.split(b"\n\n", 1)
        return frame.decode()

    async def event(self) -> Event | None:
        """The next frame with data; comments are put aside."""
        while (frame := await self.frame()) is not None:
            if frame.startswith(":"):
                self.comments.append(frame)
                continue
            number, name, data = frame.split("\n")
            assert (number[:4], name, data[:6]) == ("id: ", "event: message", "data: ")
            return Event(int(number.removeprefix("id: ")), json.loads(data.removeprefix("data: "), parse_constant=_no))
        return None

    async def take(self, number: int) -> list[Event]:
        """So many events."""
        found: list[Event] = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < number:
                event = await self.event()
                assert event is not None, f"ended after {len(found)} of {number}"
                found.append(event)
        return found

    async def ids(self, number: int) -> list[int]:
        return [event.id for event in await self.take(number)]

    async def body(self) -> bytes:
        """The rest."""
        found = b""
        while piece := await self._piece():
            found += piece
        return found

    async def _piece(self) -> bytes:
        """One chunk; nothing at the end, however it comes about."""
        try:
            if "chunked" not in self.headers.get("transfer-encoding", ""):
                left = int(self.headers.get("content-length", "0"))
                data = await self.stream.readexactly(left)
                self.headers["content-length"] = "0"
                return data
            size = int((await self.stream.readline()).strip() or b"0", 16)
            return (await self.stream.readexactly(size + 2))[:-2]
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    def cut(self) -> None:
        """Gone at once."""
        self.writer.transport.abort()


def _no(constant: str) -> object:
    raise AssertionError(f"{constant} is no JSON")


@asynccontextmanager
async def asking(
    url: str,
    query: str = "",
    *,
    method: str = "GET",
    path: str = EVENTS,
    last_event_id: int | str | None = None,
    buffer: int | None = None,
    **parameters: object,
) -> AsyncIterator[Reader]:
    """An answer from its head on. `query` goes as it is; `buffer` bytes wait in the kernel, about."""
    place = urlsplit(url)
    made = socket.socket()
    if buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, (place.hostname or "", place.port or 0))
    stream, writer = await asyncio.open_connection(sock=made, limit=buffer or 2**16)
    try:
        target = f"{path}?{query or urlencode(parameters)}"
        resume = "" if last_event_id is None else f"Last-Event-ID: {last_event_id}\r\n"
        writer.write(f"{method} {target} HTTP/1.1\r\nHost: {place.netloc}\r\n{resume}\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            head = (await stream.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = (line.split(": ", 1) for line in head[1:] if line)
        yield Reader(stream, writer, int(head[0].split()[1]), {name.lower(): value for name, value in fields})
    finally:
        writer.transport.abort()
