"""The NATS half of a worker: batches from the shared consumer, acks back to it, over a connection that may go and come.

What was delivered stays held over a reconnect, since the durable consumer outlives connections: it is stored, and acked
over the next one. One request for a batch is open at a time; messages come the moment they are there, and the next
request goes out while the batch before is being stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import deque
from collections.abc import Coroutine
from itertools import count
from typing import Any, Final

import nats.errors

from pytest_agog.errors import AgogError, NatsUnreachable
from pytest_agog.masking import mask
from pytest_agog.reference.comms.ingest.client import IngestClient
from pytest_agog.reference.comms.ingest.consumer import Consumer, Resume
from pytest_agog.reference.comms.ingest.counters import Counters
from pytest_agog.reference.comms.ingest.deliveries import ACK, NAK, WORKING, Delivery, Held, Incarnation, delivery
from pytest_agog.reference.comms.ingest.state import Health, Pause
from pytest_agog.reference.comms.settings import CommsSettings
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, connect

BATCH: Final = 2_000
MAX_BYTES: Final = 16 * 1024 * 1024
"""Of one request; at least the largest message."""
_EXPIRES: Final = 1.0
"""Seconds that a request waits at the server. Whoever listens to `>` (a recorder, a person who looks) keeps the request
of a worker that was killed alive, so that messages go to nobody until it expires."""
_HEARTBEAT: Final = 0.4
_SILENCE: Final = 3.5
"""Seconds without a heartbeat after which the connection counts as cut."""
_DRAIN: Final = 5.0
_LOOK: Final = 2.0
"""Seconds between two looks at the consumer, for its pending counts."""
_REMEMBERED: Final = 20_000
_NANOSECONDS: Final = 10**9
_STATUS: Final = re.compile(rb"NATS/1\.0 (\d{3}) ?([^\r\n]*)")


class _ConsumerGone(Exception):
    pass


class _Pull:
    """One request for a batch."""

    def __init__(self, inbox: str) -> None:
        self.inbox = inbox.encode()
        self.left = BATCH
        self.ended = asyncio.Event()
        self.code = 0
        self.text = ""


class Intake:
    """Fills `held` until it is cancelled."""

    def __init__(
        self, settings: CommsSettings, consumer: Consumer, held: Held, health: Health, counters: Counters,
        resume: Resume, *, part: str = "nats",
    ) -> None:  # fmt: skip
        self._settings = settings
        self._consumer = consumer
        self._held = held
        self._health = health
        self._counters = counters
        self._resume = resume
        self._part = part
        self._client: IngestClient | None = None
        self._incarnation = Incarnation("", "", 30.0)
        self._pull: _Pull | None = None
        self._heard = 0.0
        self._max_bytes = MAX_BYTES
        self._acked: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._pause = Pause()
        self._leaving = False
        health.expect(part)

    async def run(self) -> None:
        """Connect, ask for batches, and again whenever something breaks."""
        while True:
            try:
                await self._session()
            except (AgogError, jetstream.Refusal, nats.errors.Error, OSError, TimeoutError) as error:
                self._health.bad(self._part, error)
            await self._pause.wait()

    async def ack(self, batch: list[Delivery]) -> None:
        """The batch is committed. An ack that is lost on the way is sent again after the reconnect."""
        replies = [one.reply for one in batch if one.incarnation.consumer_created == self._incarnation.consumer_created]
        self._held.done(batch)
        self._acked.extend(replies)
        await self._send(replies, ACK)

    async def give_back(self) -> None:
        """What is held goes to other workers now, and not after the ack wait.

        The open request is waited for, as whoever listens to `>` would keep it open without us.
        """
        self._leaving = True
        if self._client is None:
            return
        if self._pull is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EXPIRES):
                    await _first(self._pull.ended.wait(), self._client.ended.wait())
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            await self._client.listen_no_more()  # or they would come back here
            await self._send([one.reply for one in self._held.everything()], NAK)
            await self._client.flush(1)

    # --- one connection -------------------------------------------------------------------------------------------
    async def _session(self) -> None:
        client = IngestClient()
        settings = self._settings
        link = await connect(settings.nats_url, creds=settings.nats_creds, client=client)
        # A connection that breaks is made anew here, with all that belongs to it.
        client.options["allow_reconnect"] = False
        try:
            await self._use(link, client)
        finally:
            self._client = None
            self._pull = None
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1):
                    await link.close()

    async def _use(self, link: Link, client: IngestClient) -> None:
        inbox = client.new_inbox()
        self._max_bytes = max(MAX_BYTES, client.max_payload + 65_536)
        await client.listen(f"{inbox}.*", self._arrived)
        while True:
            await self._ready(link, client)
            try:
                await _together(self._pulling(client, inbox), self._keep_working(), self._look(link))
            except _ConsumerGone:
                self._health.bad(self._part, f"consumer {self._settings.consumer} is gone")
            await self._pause.wait()

    async def _ready(self, link: Link, client: IngestClient) -> None:
        """Stream and consumer are there. What the old consumer delivered is stored before a new one is made."""
        try:
            info = await self._consumer.info(link)
        except jetstream.Refusal:
            info = None
        if info is None and len(self._held):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN):
                    await self._held.empty()
        before = self._incarnation
        self._incarnation, made = await self._consumer.ensure(link, self._resume)
        if made:
            self._counters.add(consumers_created=1)
        self._client = client
        if before.consumer_created == self._incarnation.consumer_created:
            await self._send(list(self._acked), ACK)
        else:
            # The same sequences mean other messages now.
            self._acked.clear()
        self._health.good(self._part)

    async def _pulling(self, client: IngestClient, inbox: str) -> None:
        loop = asyncio.get_running_loop()
        for number in count():
            while self._held.waiting >= BATCH or self._held.waiting_bytes >= self._max_bytes:
                await _first(self._held.taken(), client.ended.wait())
                if client.is_closed:
                    raise NatsUnreachable(url=mask(self._settings.nats_url), reason="the connection is lost")
            if self._leaving:
                await loop.create_future()  # until it is cancelled: acks and what is given back still go out
            begun = loop.time()
            pull = self._pull = _Pull(f"{inbox}.{number}")
            body = {
                "batch": BATCH, "max_bytes": self._max_bytes, "expires": int(_EXPIRES * _NANOSECONDS),
                "idle_heartbeat": int(_HEARTBEAT * _NANOSECONDS),
            }  # fmt: skip
            self._heard = begun
            await client.publish(self._consumer.next_subject, json.dumps(body).encode(), reply=f"{inbox}.{number}")
            await self._until_ended(client, pull)
            if pull.left < BATCH:
                self._pause.reset()
            elif loop.time() - begun < _HEARTBEAT:
                await self._pause.wait()  # refused at once, so asking at once again would only keep both busy

    async def _until_ended(self, client: IngestClient, pull: _Pull) -> None:
        loop = asyncio.get_running_loop()
        while not pull.ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._heard + _SILENCE):
                    await _first(pull.ended.wait(), client.ended.wait())
            if client.is_closed:
                raise NatsUnreachable(url=mask(self._settings.nats_url), reason="the connection is lost")
            if loop.time() - self._heard >= _SILENCE:
                raise NatsUnreachable(url=mask(self._settings.nats_url), reason=f"silent for {_SILENCE:g} s")
        if pull.code == 503 or (pull.code == 409 and b"deleted" in pull.text.lower().encode()):
            raise _ConsumerGone
        if pull.code == 409 and "size exceeds" in pull.text.lower():
            self._max_bytes *= 2
        elif pull.code == 409 and pull.left == BATCH and "completed" not in pull.text.lower():
            self._health.bad(self._part, f"the server refused to deliver: {pull.text}")

    # --- what comes -----------------------------------------------------------------------------------------------
    def _arrived(self, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        self._heard = asyncio.get_running_loop().time()
        pull = self._pull
        if not reply:
            self._status(subject, headers)
            return
        try:
            one = delivery(subject, reply, data, self._heard, self._incarnation)
        except ValueError:
            return
        self._held.put(one)
        self._counters.arrived(again=one.deliveries > 1, pending=one.pending)
        if pull is not None:
            pull.left -= 1
            if pull.left <= 0:
                pull.ended.set()

    def _status(self, subject: bytes, headers: bytes | None) -> None:
        found = _STATUS.match(bytes(headers or b""))
        pull = self._pull
        if found is None or pull is None or subject != pull.inbox or found[1] == b"100":
            return
        pull.code, pull.text = int(found[1]), found[2].decode("utf-8", "replace")
        pull.ended.set()

    # --- beside it ------------------------------------------------------------------------------------------------
    async def _keep_working(self) -> None:
        """Tell the server three times per ack wait that what is held is being worked on. [J12]"""
        loop = asyncio.get_running_loop()
        while True:
            step = self._incarnation.ack_wait / 3
            await asyncio.sleep(step)
            held = self._held.older_than(loop.time() - step / 2)
            await self._send([one.reply for one in held], WORKING)

    async def _look(self, link: Link) -> None:
        """How far the consumer is; an absence that no status told of shows here, too."""
        while True:
            with contextlib.suppress(AgogError, jetstream.Refusal):
                info = await self._consumer.info(link)
                if info is None or info["created"] != self._incarnation.consumer_created:
                    raise _ConsumerGone
                self._counters.set(pending=info["num_pending"], ack_pending=info["num_ack_pending"])
                self._health.good(self._part)
            await asyncio.sleep(_LOOK)

    async def _send(self, replies: list[bytes], payload: bytes) -> None:
        if self._client is not None and replies:
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._client.send_all(replies, payload)


async def _first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Until one of them is done; the others are cancelled."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _together(*works: Coroutine[Any, Any, None]) -> None:
    """Side by side until the first ends; the others end with it, and its error is raised."""
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
