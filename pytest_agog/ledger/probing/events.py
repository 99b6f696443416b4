"""A reader of server-sent events that behaves as browsers do: it resumes with `Last-Event-ID` and never gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pytest_agog.ledger.facts import EventSeen, ReaderConnected, ReaderLost
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.masking import mask

if TYPE_CHECKING:
    import httpx

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0
"""Seconds between two attempts to connect."""
SILENCE: Final = 15.0
"""Seconds without a byte after which a connection counts as dead; heartbeats come every five."""
_RETRIED: Final = frozenset({429, 500, 502, 503, 504})
_PATIENCE: Final = 5.0


@dataclass
class EventParser:
    """Events out of a byte stream, by the rules of the HTML standard (section 9.2.6)."""

    last_id: str | None = None
    """What a reconnect would send."""
    _rest: bytes = b""
    _data: list[str] = field(default_factory=list)
    _event: str = ""
    _id: str | None = None
    _begun: bool = False

    def feed(self, chunk: bytes) -> Iterator[tuple[str | None, str, str]]:
        """Each whole event in what came so far: its own id, its type and its data."""
        if not self._begun and chunk:
            chunk, self._begun = chunk.removeprefix(b"\xef\xbb\xbf"), True
        buffer = self._rest + chunk
        # A CR at the end may be the first half of a CR LF.
        held = b"\r" if buffer.endswith(b"\r") else b""
        lines = buffer.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + held
        for line in lines:
            if line:
                self._field(line.decode("utf-8", "replace"))
            elif (event := self._dispatch()) is not None:
                yield event

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = self.last_id = value

    def _dispatch(self) -> tuple[str | None, str, str] | None:
        data, event, own = self._data, self._event, self._id
        self._data, self._event, self._id = [], "", None
        return (own, event or "message", "\n".join(data)) if data else None


class EventReader:
    """Reads one URL from `start` until `close` and writes what comes into the ledger."""

    def __init__(
        self, ledger: Ledger, name: str, url: str, *, last_event_id: str | None = None, drop_after: int | None = None,
        token: str | None = None,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self.name = name
        self._url = url
        self._last_id = last_event_id
        self._drop_after = drop_after
        self._token = token
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self.status: int | None = None
        """Of the last answer."""
        self.reason = ""
        """Why there is no connection."""

    async def start(self, within: float) -> bool:
        """Connect; whether that came about within so many seconds. It goes on trying either way."""
        self._task = asyncio.create_task(self._read(), name=f"agog-reader-{self.name}")
        try:
            async with asyncio.timeout(within):
                await self._opened.wait()
        except TimeoutError:
            return False
        return self.status == 200 and not self.reason

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        import httpx

        pause = FIRST_PAUSE
        timeout = httpx.Timeout(_PATIENCE, read=SILENCE)
        async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
            while True:
                try:
                    again = await self._once(client)
                except httpx.HTTPError as error:
                    self._say(None, " ".join(str(error).split()) or type(error).__name__)
                    again = True
                if not again:
                    self._opened.set()
                    return
                pause = FIRST_PAUSE if self.status == 200 else min(pause * 2, LONGEST_PAUSE)
                await asyncio.sleep(pause)

    async def _once(self, client: httpx.AsyncClient) -> bool:
        """One connection; whether another is to follow."""
        import httpx

        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        async with client.stream("GET", self._url, headers=headers) as response:
            kind = response.headers.get("content-type", "")
            if response.status_code != 200 or not kind.startswith("text/event-stream"):
                said = (await _beginning(response)).decode("utf-8", "replace")
                self._say(response.status_code, said if response.status_code != 200 else f"it answers with {kind!r}")
                return response.status_code in _RETRIED
            self._say(200, "")
            self._opened.set()
            try:
                await self._events(response)
                why = "the server ended it"
            except (httpx.HTTPError, httpx.StreamError) as error:
                why = " ".join(str(error).split()) or type(error).__name__
            self._ledger.append(ReaderLost(self.name, mask(why)))
            return True

    async def _events(self, response: httpx.Response) -> None:
        parser = EventParser(self._last_id)
        came = 0
        async for chunk in response.aiter_raw():
            for own, event, data in parser.feed(chunk):
                payload = self._ledger.payloads.put(data.encode("utf-8", "surrogatepass"))
                self._ledger.append(EventSeen(self.name, payload, own, event))
                # As a browser: what is dispatched is what a reconnect resumes after.
                if own is not None:
                    self._last_id = own or None
                came += 1
                if self._drop_after is not None and came >= self._drop_after:
                    return

    def _say(self, status: int | None, reason: str) -> None:
        if (status, reason) == (self.status, self.reason) and status != 200:
            return  # the same answer again says nothing new
        self.status, self.reason = status, mask(reason)[:300]
        self._ledger.append(ReaderConnected(self.name, mask(self._url), status, self._last_id, self.reason))


async def _beginning(response: httpx.Response) -> bytes:
    found = b""
    async for chunk in response.aiter_raw():
        found += chunk
        if len(found) > 2000:
            break
    return found
