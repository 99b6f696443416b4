"""How a request may arrive: neither endlessly large nor endlessly slowly, whoever sends it. [C10]

Nobody needs a token to send half a request, so this stands before the door.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_REASONS: Final = {
    408: ("Request Timeout", "the request did not arrive in time"),
    413: ("Content Too Large", "the request is too large"),
    431: ("Request Header Fields Too Large", "the head of the request is too large"),
}


class Arriving(HttpToolsProtocol):
    """One connection. Its parser keeps what is not complete, so what may be incomplete is bounded."""

    largest_head: ClassVar[int] = 65_536
    """Bytes of request line and headers."""
    largest: ClassVar[int] = 1_048_576
    """Bytes of a whole request. Nothing here takes more than a small form."""
    patience: ClassVar[float] = 20.0
    """Seconds in which a request must have arrived, from the connection or from its first byte."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head = True
        self._incomplete = True
        self._bytes = 0
        self._named = 0
        self._refusal = 400
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._incomplete and not self._is_idle():
            return  # it is being answered
        self._wait()  # also for what comes after a request and begins none: uvicorn has stopped its own clock then
        self._bytes += len(data)
        if self._in_head and self._bytes > self.largest_head:
            self._refuse(431)
        elif self._bytes > self.largest:
            self._refuse(413)

    def on_message_begin(self) -> None:
        self._in_head = self._incomplete = True
        self._bytes = self._named = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._incomplete = False
        self._rest()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser could not read, or `_count` did not let pass."""
        if self._refusal == 400:
            super().send_400_response(msg)
        else:
            self._refuse(self._refusal)

    def _is_idle(self) -> bool:
        """Whether nothing is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    def _count(self, size: int) -> None:
        """A head may come in one piece, too."""
        self._named += size
        if self._named > self.largest_head:
            self._refusal = 431
            raise ValueError("a head that is too large")  # the parser stops, and says so

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.patience, self._refuse, 408)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int) -> None:
        """Say so, unless this request is answered already or an answer is under way; the connection ends."""
        self._rest()
        if self.transport.is_closing():
            return
        if self._in_head and self._is_idle():
            reason, told = _REASONS[status]
            head = (
                f"HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain; charset=utf-8\r\n"
                f"content-length: {len(told)}\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + told.encode())
        self.transport.close()
