"""An ordered reader of one stream: no gap, no repeat, whatever happens to its consumer.

It pulls from an ephemeral consumer of its own. When that one is gone (server restarted, deleted, leader moved) or a
sequence is missing, it makes another that starts after the last message it handed out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import nats.errors

from pytest_agog.errors import AgogError, JetStreamDisabled, NatsUnreachable
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.stored import Stored

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_BATCH: Final = 128
_BATCH_BYTES: Final = 32 * 10**6
_EXPIRES: Final = 30.0
_HEARTBEAT: Final = 1.0
_SILENCE: Final = 2.5
"""Seconds without a heartbeat after which the consumer counts as gone."""
_RETRY: Final = 0.05
_NANOSECONDS: Final = 10**9
_PULL_ENDED: Final = frozenset({"404", "408"})


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: a sequence, or a time (the first message at or after it)."""

    sequence: int = 1
    time: datetime | None = None

    def policy(self) -> dict[str, Any]:
        """As the consumer's configuration says it."""
        if self.time is not None:
            start = self.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
            return {"deliver_policy": "by_start_time", "opt_start_time": start}
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": max(1, self.sequence)}


class Tail:
    """Messages of `stream` that fit `pattern`, from `start` on."""

    def __init__(self, link: Link, stream: str, pattern: str, start: Start, *, headers_only: bool = False) -> None:
        self._link = link
        self._stream = stream
        self._pattern = pattern
        self._start = start
        self._headers_only = headers_only
        self._consumer = ""
        self._delivered = 0
        self._asked = 0
        self._queue: asyncio.Queue[Msg] = asyncio.Queue()
        self._subscription: Any = None
        self._inbox = ""
        self.waiting = 0
        """Messages that were there when the consumer was made and were not handed out yet."""

    async def open(self) -> Tail:
        """Make the consumer; what is published from now on will be handed out.

        Raises:
            JetStreamRefused: the consumer cannot be made.
        """
        try:
            await self._create()
        except jetstream.Refusal as refusal:
            raise refusal.as_error(f"reading stream {self._stream}", url=self._link.url) from None
        return self

    async def next(self) -> Stored:
        """The next message; waits for it as long as it takes."""
        while True:
            if self._asked <= 0:
                await self._pull()
            try:
                async with asyncio.timeout(_SILENCE):
                    message = await self._queue.get()
            except TimeoutError:
                await self._recreate()
                continue
            status = (message.headers or {}).get("Status")
            if status is None:
                if (stored := self._take(message)) is not None:
                    return stored
                await self._recreate()
            elif status in _PULL_ENDED or "MaxBytes" in (message.headers or {}).get("Description", ""):
                self._asked = 0
            elif status != "100":
                await self._recreate()

    def _take(self, message: Msg) -> Stored | None:
        """The message, or None when one before it is missing."""
        meta = message.metadata
        self._asked -= 1
        if meta.sequence.consumer != self._delivered + 1:
            return None
        self._delivered += 1
        self.waiting = meta.num_pending
        self._start = Start(sequence=meta.sequence.stream + 1)
        stamp = meta.timestamp if meta.timestamp.tzinfo else meta.timestamp.replace(tzinfo=UTC)
        headers = message.headers or {}
        return Stored(message.subject, self._stream, meta.sequence.stream, stamp.isoformat(), headers, message.data)

    async def _create(self) -> None:
        await self._drop()
        name = f"agog-{uuid4().hex[:16]}"
        config = {
            "name": name, "ack_policy": "none", "max_deliver": 1, "mem_storage": True, "num_replicas": 1,
            "inactive_threshold": 60 * _NANOSECONDS, "filter_subject": self._pattern,
            "headers_only": self._headers_only, **self._start.policy(),
        }  # fmt: skip
        inbox = self._link.nc.new_inbox()
        queue: asyncio.Queue[Msg] = asyncio.Queue()
        self._subscription = await self._link.nc.subscribe(inbox, cb=queue.put)
        verb = f"CONSUMER.CREATE.{self._stream}.{name}.{self._pattern}"
        answer = await jetstream.call(self._link, verb, {"stream_name": self._stream, "config": config})
        self._queue, self._inbox, self._consumer = queue, inbox, name
        self._delivered = self._asked = 0
        self.waiting = int(answer.get("num_pending", 0))

    async def _recreate(self) -> None:
        """Make another consumer; as long as that fails for want of a server or a leader, try again."""
        while True:
            try:
                await self._create()
            except (NatsUnreachable, JetStreamDisabled):
                if self._link.nc.is_closed:
                    raise
            except jetstream.Refusal as refusal:
                if refusal.err_code not in jetstream.UNAVAILABLE:
                    raise refusal.as_error(f"reading stream {self._stream}", url=self._link.url) from None
            else:
                return
            await asyncio.sleep(_RETRY)

    async def _pull(self) -> None:
        body = {
            "batch": _BATCH, "max_bytes": max(_BATCH_BYTES, 2 * self._link.nc.max_payload),
            "expires": int(_EXPIRES * _NANOSECONDS), "idle_heartbeat": int(_HEARTBEAT * _NANOSECONDS),
        }  # fmt: skip
        self._asked = _BATCH
        # Not connected: the silence that follows is noticed and the consumer made anew.
        with contextlib.suppress(nats.errors.Error):
            subject = f"{jetstream.PREFIX}.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
            await self._link.nc.publish(subject, json.dumps(body).encode(), reply=self._inbox)

    async def _drop(self) -> None:
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await self._subscription.unsubscribe()
            self._subscription = None

    async def close(self) -> None:
        """Delete the consumer."""
        await self._drop()
        consumer, self._consumer = self._consumer, ""
        if consumer and self._link.nc.is_connected:
            with contextlib.suppress(AgogError, jetstream.Refusal):
                await jetstream.call(self._link, f"CONSUMER.DELETE.{self._stream}.{consumer}")
