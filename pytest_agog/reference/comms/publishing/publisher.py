"""[C1] The publisher: each message is stored (PubAck), or spooled, or refused with the cause; never silently gone.

One task sends everything, in the order in which it was submitted: what is submitted while others are on their way goes
with the next window, many messages at once. A message that cannot be delivered now is appended to the spool, and as
long as anything waits there, whatever follows waits behind it. Message ids make it harmless to send one twice.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pytest_agog.errors import AgogError, NatsUnreachable, UsageError
from pytest_agog.reference.comms.publishing.delivering import Delivery, Drained, Fate, Spooled, Stored
from pytest_agog.reference.comms.publishing.drafting import Outgoing, draft
from pytest_agog.reference.comms.publishing.speaker import Speaker
from pytest_agog.reference.comms.publishing.spool import Spool

DEFAULT_URL: Final = "nats://127.0.0.1:4222"
PATIENCE: Final = 5.0
"""Seconds for which a message in flight waits for its ack, or for a lost connection, before it is spooled."""
RETRY: Final = 0.5
"""Seconds between attempts to deliver what waits, while nothing new is submitted."""
_WINDOW: Final = 256
_WINDOW_BYTES: Final = 4 * 10**6


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a message, and where it is now."""

    subject: str
    fate: Stored | Spooled

    @property
    def stored(self) -> bool:
        """Whether JetStream holds it."""
        return isinstance(self.fate, Stored)


@dataclass(frozen=True, slots=True)
class Published:
    """A message that is safe: stored, or on this machine's disk."""

    message_id: str
    copies: tuple[Copy, ...]

    @property
    def stored(self) -> bool:
        """Whether JetStream holds every copy."""
        return all(copy.stored for copy in self.copies)


@dataclass(slots=True)
class Counts:
    """What became of the messages that one publisher was given. [C11]"""

    published: int = 0
    """Stored, all copies of them."""
    spooled: int = 0
    """On this machine's disk when their fate was told; `waiting` are those that still are."""
    failed: int = 0
    """Refused, or lost because the spool is unusable; who published them has the error."""


@dataclass(slots=True)
class _Job:
    """What one submission waits for."""

    copies: list[Outgoing]
    future: asyncio.Future[Published]
    drained: asyncio.Future[Drained] | None = field(default=None)


class CommsPublisher:
    """Publishes as one speaker. An async context manager; leaving it delivers what was submitted."""

    def __init__(
        self, url: str = DEFAULT_URL, *, speaker: Speaker, creds: Path | None = None, spool: Spool | None = None,
        patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        self.speaker = speaker
        self.spool = spool or Spool.for_server(url, os.environ)
        self._delivery = Delivery(url, creds, self.spool, patience)
        self._jobs: list[_Job] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.counts = Counts()

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, *, url: str | None = None, creds: Path | None = None,
        speaker: Speaker | None = None, patience: float = PATIENCE,
    ) -> CommsPublisher:  # fmt: skip
        """As the variables say: NATS_URL, NATS_CREDS, those of `Speaker`, AGOG_SPOOL_DIR.

        Raises:
            BadInput, SpoolUnusable: a variable is wrong.
        """
        environ = os.environ if environ is None else environ
        url = url or environ.get("NATS_URL") or DEFAULT_URL
        if creds is None and (named := environ.get("NATS_CREDS")):
            creds = Path(named)
        speaker = speaker or Speaker.from_environment(environ)
        return cls(url, speaker=speaker, creds=creds, spool=Spool.for_server(url, environ), patience=patience)

    @property
    def waiting(self) -> int:
        """How many messages of this publisher are spooled and not delivered yet."""
        return self._delivery.waiting

    @property
    def trouble(self) -> str:
        """Why messages are spooled."""
        return self._delivery.trouble

    async def publish(self, content: str, **fields: Any) -> Published:
        """Publish, and return once the message is stored or spooled; see `drafting.draft` for the fields.

        Raises:
            BadInput, IdentityMissing, InvalidToken: the message cannot be built.
            PayloadTooLarge, StreamMissing, StoreFull, CredentialsRefused, PublishFailed: it was refused.
            SpoolFull, SpoolUnusable: NATS is away, and so is the spool.
        """
        return await self.submit(content, **fields)

    def submit(self, content: str, **fields: Any) -> asyncio.Future[Published]:
        """Hand in a message; its place in the order is taken when this returns. Await the result to know its fate."""
        copies = draft(self.speaker, content, **fields)
        return self._enqueue(_Job(copies, asyncio.get_running_loop().create_future())).future

    async def drain(self) -> Drained:
        """Deliver what waits in the spool, whoever spooled it.

        Raises:
            NatsUnreachable, and whatever else stands in the way.
        """
        loop = asyncio.get_running_loop()
        drained: asyncio.Future[Drained] = loop.create_future()
        self._enqueue(_Job([], loop.create_future(), drained))
        return await drained

    def _enqueue(self, job: _Job) -> _Job:
        if self._closing or self._task is None:
            raise UsageError("the publisher is not open; use it as a context manager.")
        self._jobs.append(job)
        self._wake.set()
        return job

    # --- the sending task -----------------------------------------------------------------------------------------
    async def _run(self) -> None:
        while True:
            if not self._jobs:
                if self._closing:
                    return
                await self._await_work()
                continue
            jobs = self._window()
            try:
                await self._handle(jobs)
            except Exception as error:
                self.counts.failed += sum(job.drained is None and not job.future.done() for job in jobs)
                for job in jobs:
                    _fail(job, error)

    async def _await_work(self) -> None:
        self._wake.clear()
        if self._jobs or self._closing:
            return
        try:
            async with asyncio.timeout(RETRY if self._delivery.waiting else None):
                await self._wake.wait()
        except TimeoutError:
            await self._delivery.catch_up()

    def _window(self) -> list[_Job]:
        count = size = 0
        for job in self._jobs:
            size += sum(len(copy.payload) for copy in job.copies)
            if count and (count >= _WINDOW or size > _WINDOW_BYTES or job.drained is not None):
                break
            count += 1
            if job.drained is not None:
                break
        taken, self._jobs = self._jobs[:count], self._jobs[count:]
        return taken

    async def _handle(self, jobs: list[_Job]) -> None:
        if (drained := jobs[0].drained) is not None:
            result = await self._delivery.drain()
            if not drained.done():
                drained.set_result(result)
            return
        fates = iter(await self._delivery.deliver([copy for job in jobs for copy in job.copies]))
        for job in jobs:
            own: list[tuple[Outgoing, Fate]] = [(copy, next(fates)) for copy in job.copies]
            refusal = next((fate for _, fate in own if isinstance(fate, AgogError)), None)
            if refusal is not None:
                self.counts.failed += 1
            elif any(isinstance(fate, Spooled) for _, fate in own):
                self.counts.spooled += 1
            else:
                self.counts.published += 1
            if refusal is not None:
                _fail(job, refusal)
            elif not job.future.done():
                copies = (Copy(copy.subject, fate) for copy, fate in own if not isinstance(fate, AgogError))
                job.future.set_result(Published(job.copies[0].message_id, tuple(copies)))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Deliver or spool what was submitted, try once more what waits, and let go of the connection."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._delivery.waiting:
            await self._delivery.catch_up()
        await self._delivery.close()


def _fail(job: _Job, error: Exception) -> None:
    future: asyncio.Future[Any] = job.future if job.drained is None else job.drained
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever does not wait for it shall not be warned about it


__all__ = ["DEFAULT_URL", "PATIENCE", "CommsPublisher", "Copy", "Counts", "NatsUnreachable", "Published"]
