"""Text that grows becomes messages of whole lines, bounded in size and in time."""

from __future__ import annotations

import asyncio
import codecs
from collections import deque
from typing import Any, Final

from pytest_agog.errors import AgogError
from pytest_agog.reference.comms.publishing.publisher import CommsPublisher, Published

MOST: Final = 65_536
"""Characters in one message. Escaped they take at most 400 kB, which every server takes."""
LINGER: Final = 0.2
"""Seconds for which a line may wait for others to come along."""
_OUTSTANDING: Final = 64
"""Messages under way before whoever writes has to wait."""


class Lines:
    """Bytes in, texts of whole lines out; what was put together again is what came in.

    Bytes that are no UTF-8, and NUL, which Postgres cannot store, become U+FFFD. Line ends stay as they are.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""

    def feed(self, data: bytes) -> list[str]:
        """Take `data`; the messages that are full by now."""
        self._text += self._decoder.decode(data).replace("\0", "\ufffd")
        full: list[str] = []
        begin = 0
        while len(self._text) - begin >= self._most:
            end = self._text.rfind("\n", begin, begin + self._most) + 1 or begin + self._most
            full.append(self._text[begin:end])
            begin = end
        self._text = self._text[begin:]
        return full

    @property
    def has_line(self) -> bool:
        """Whether a whole line waits."""
        return "\n" in self._text

    def take(self) -> str:
        """The whole lines that wait; an incomplete one stays."""
        end = self._text.rfind("\n") + 1
        taken, self._text = self._text[:end], self._text[end:]
        return taken

    def finish(self) -> str:
        """Everything that is left, an incomplete last line too."""
        rest = self._text + self._decoder.decode(b"", final=True)
        self._text = ""
        self._decoder.reset()
        return rest


class Tally:
    """What became of messages of which nobody waits for each one."""

    def __init__(self) -> None:
        self.published = 0
        self.refused = 0
        self.failure: Exception | None = None
        """The first refusal."""
        self._under_way: deque[asyncio.Future[Published]] = deque()

    async def add(self, future: asyncio.Future[Published]) -> None:
        """Count it once it is done; waits while too many are under way."""
        self._under_way.append(future)
        while self._under_way and (self._under_way[0].done() or len(self._under_way) > _OUTSTANDING):
            await self._settle(self._under_way.popleft())

    async def settle(self) -> None:
        """Wait for all of them."""
        while self._under_way:
            await self._settle(self._under_way.popleft())

    async def _settle(self, future: asyncio.Future[Published]) -> None:
        try:
            await future
        except AgogError as error:
            self.refused += 1
            self.failure = self.failure or error
        else:
            self.published += 1


class LineFeed:
    """Publishes what it is fed as messages of whole lines."""

    def __init__(
        self, publisher: CommsPublisher, tally: Tally, *, linger: float = LINGER, most: int = MOST, **fields: Any
    ) -> None:  # fmt: skip
        self._publisher = publisher
        self._tally = tally
        self._linger = linger
        self._fields = fields
        self._lines = Lines(most)
        self._timer: asyncio.TimerHandle | None = None
        self._late: list[asyncio.Future[Published]] = []
        self._failure: AgogError | None = None
        """What the timer met; it has nobody to tell."""

    async def feed(self, data: bytes) -> None:
        """Take `data`. Waits while too much is under way.

        Raises:
            AgogError: a message could not be built, now or when time was up for the one before.
        """
        for text in self._lines.feed(data):
            self._submit(text)
        if self._lines.has_line and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._linger, self._ring)
        await self._hand_over()

    async def finish(self) -> None:
        """Publish everything that is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._submit(self._lines.finish())
        await self._hand_over()

    def _ring(self) -> None:
        self._timer = None
        try:
            self._submit(self._lines.take())
        except AgogError as error:
            self._failure = error

    def _submit(self, text: str) -> None:
        if text:
            self._late.append(self._publisher.submit(text, **self._fields))

    async def _hand_over(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        late, self._late = self._late, []
        for future in late:
            await self._tally.add(future)
