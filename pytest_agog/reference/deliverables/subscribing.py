"""[D7] Deliverables as they come, by agent, type or feature, with replay."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from pytest_agog.errors import AmbiguousReplay, StreamMissing, UsageError
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.locating import Locator
from pytest_agog.reference.deliverables.reading import Reader
from pytest_agog.reference.deliverables.stored import Report, Stored
from pytest_agog.reference.deliverables.tailing import Start, Tail
from pytest_agog.wire import subjects

_AHEAD: Final = 4
"""Messages a stream's reader may be ahead of who consumes them: reports are large."""


def pattern(agent: str, task_type: str, feature: str) -> str:
    """The subject filter; each part is a token or `*`."""
    parts = {"agent": agent, "type": task_type, "feature": feature}
    return ".".join((subjects.DELIVERABLES, *(p if p == "*" else subjects.token(p, what) for what, p in parts.items())))


class Subscription:
    """An asynchronous iterator of reports. Several streams are read side by side; each keeps its own order."""

    def __init__(self, reader: Reader, tails: list[Tail]) -> None:
        self._reader = reader
        self._tails = tails
        self._queue: asyncio.Queue[Stored | BaseException] = asyncio.Queue(maxsize=_AHEAD)
        self._tasks = [asyncio.create_task(self._pump(tail)) for tail in tails]
        self._closed = False

    async def _pump(self, tail: Tail) -> None:
        try:
            while True:
                await self._queue.put(await tail.next())
        except Exception as error:  # it reaches whoever iterates, instead of dying in a task
            await self._queue.put(error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Report:
        if self._closed:
            raise StopAsyncIteration
        if self._queue.empty() and all(task.done() for task in self._tasks):
            raise StopAsyncIteration  # each of them told why it ended
        item = await self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return await self._reader.report(item)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop reading and delete the consumers."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(*(tail.close() for tail in self._tails))


async def subscribe(
    link: Link, locator: Locator, reader: Reader, subject_filter: str, *,
    from_time: datetime | None, from_sequence: int | None,
) -> Subscription:  # fmt: skip
    """See `DeliverableEngine.subscribe`."""
    if from_time is not None and from_sequence is not None:
        raise UsageError("Give from_time or from_sequence, not both.")
    if from_time is not None and from_time.tzinfo is None:
        raise UsageError("from_time needs a time zone, such as datetime.now(UTC).")
    streams = await locator.matching(subject_filter)
    if not streams:
        raise StreamMissing(subject=subject_filter)
    if from_sequence is not None and len(streams) > 1:
        raise AmbiguousReplay(pattern=subject_filter, streams=", ".join(stream.name for stream in streams))
    tails: list[Tail] = []
    try:
        for stream in streams:
            sequence = stream.last_sequence + 1 if from_sequence is None else from_sequence
            start = Start(time=from_time) if from_time is not None else Start(sequence=sequence)
            tails.append(await Tail(link, stream.name, subject_filter, start).open())
    except BaseException:
        for tail in tails:
            await tail.close()
        raise
    return Subscription(reader, tails)
