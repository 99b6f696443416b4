"""The books: every requirement's record as the bucket holds it, and the one way to change one.

All instances read the same bucket. A change is a pure step; when another instance was faster it is decided again on
what that one wrote. What a step wants to send is in the record itself and is sent after the write. [O21]
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic_core import to_json

from pytest_agog.errors import BadInput
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.orchestrator.engine.working import dispatched
from pytest_agog.reference.orchestrator.messaging.bucket import Bucket, Moved, is_gone
from pytest_agog.reference.orchestrator.messaging.sending import publish
from pytest_agog.reference.orchestrator.running.clock import Clock
from pytest_agog.reference.orchestrator.state.record import Record, dump, load, showing
from pytest_agog.wire.orchestration import STATE_KEY, state_key
from pytest_agog.wire.streams import STATE_BUCKET

LOG: Final = logging.getLogger(__name__)
Step = Callable[[Record], Record | None]
"""What is to become of a record; None or the same record when there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record and the revision of its key."""

    record: Record
    revision: int


class Books:
    """Open it, then read `records` and change them with `apply`."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self.link = link
        self.bucket = Bucket(link, STATE_BUCKET)
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._records: dict[str, Record] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._others: list[tuple[str, Callable[[str, bytes | None, int], None]]] = []
        self.changed = asyncio.Event()
        """Set when a record changed, whoever changed it; whoever waits for it clears it."""
        self.version = 0
        """Counts changes."""
        self.stated_version = 0
        """Counts those of what requirements say; a plan holds as long as it stays the same."""

    @property
    def records(self) -> Mapping[str, Record]:
        """All records by id, as far as is known here."""
        return MappingProxyType(self._records)

    def watch(self, prefix: str, told: Callable[[str, bytes | None, int], None]) -> None:
        """Tell of the keys that begin with `prefix` and are no record: key, value (None: removed) and revision."""
        self._others.append((prefix, told))

    async def open(self, *, replicas: int | None = None) -> None:
        """Bring the bucket about and read all that is in it.

        Raises:
            JetStreamRefused, NatsUnreachable: the bucket cannot be had.
        """
        await self.bucket.open(replicas=replicas)
        self._tail = await self.bucket.tail().open()
        while self._tail.waiting:
            await self._read_one()

    async def follow(self) -> None:
        """Read on, for ever."""
        while True:
            await self._read_one()

    async def close(self) -> None:
        """Stop reading."""
        await self._tail.close()

    # --- changing -------------------------------------------------------------------------------------------------
    async def create(self, record: Record) -> bool:
        """Take a new record in; False when its key is there already. [F13]

        Raises:
            AgogError: the bucket cannot be written.
        """
        record = showing(record)
        async with self._lock(record.id):
            try:
                revision = await self.bucket.put(state_key(record.id), dump(record), after=0)
            except Moved:
                return False
            self._keep(record, revision)
        await self.flush(record.id)
        return True

    async def apply(self, identity: str, step: Step) -> Record | None:
        """The record after `step`, stored and told; None when there is no such record.

        Raises:
            AgogError: the bucket cannot be written, or a message not be sent. What was stored is told later.
        """
        async with self._lock(identity):
            record = await self._stored(identity, step)
        if record is not None and record.outbox:
            await self.flush(identity)
            record = self._records.get(identity, record)
        return record

    async def flush(self, identity: str) -> None:
        """Send what a record still has to send.

        Raises:
            AgogError: a message cannot be sent.
        """
        async with self._lock(identity):
            while (kept := self._kept.get(identity)) is not None and kept.record.outbox:
                effects = kept.record.outbox
                await asyncio.gather(
                    *(publish(self.link, one.subject, to_json(one.payload), msg_id=one.msg_id) for one in effects)
                )
                await self._stored(identity, self._sent(frozenset(one.msg_id for one in effects)))

    def _sent(self, ids: frozenset[str]) -> Step:
        return lambda record: dispatched(record.told(ids), self._clock.now())

    async def _stored(self, identity: str, step: Step) -> Record | None:
        kept = self._kept.get(identity) or await self._fetch(identity)
        while kept is not None:
            changed = step(kept.record)
            if changed is None or changed == kept.record:
                return kept.record
            changed = showing(changed)
            try:
                revision = await self.bucket.put(state_key(identity), dump(changed), after=kept.revision)
            except Moved:
                kept = await self._fetch(identity)
                continue
            self._keep(changed, revision)
            return changed
        return None

    async def _fetch(self, identity: str) -> Kept | None:
        entry = await self.bucket.get(state_key(identity))
        if entry is None:
            return None
        record = load(entry.value)
        self._keep(record, entry.revision)
        return Kept(record, entry.revision)

    # --- reading --------------------------------------------------------------------------------------------------
    async def _read_one(self) -> None:
        message = await self._tail.next()
        key = self.bucket.key_of(message.subject)
        value = None if is_gone(message.headers) else message.data
        if not key.startswith(f"{STATE_KEY}."):
            for prefix, told in self._others:
                if key.startswith(prefix):
                    told(key, value, message.sequence)
            return
        identity = key.removeprefix(f"{STATE_KEY}.")
        if value is None:
            self._forget(identity)
            return
        if (known := self._kept.get(identity)) is not None and known.revision >= message.sequence:
            return  # most of what is read is what was just written here
        try:
            self._keep(load(value), message.sequence)
        except BadInput as error:
            LOG.warning("%s: %s", key, error)

    def _keep(self, record: Record, revision: int) -> None:
        known = self._kept.get(record.id)
        if known is not None and known.revision >= revision:
            return
        if known is None or known.record.stated != record.stated:
            self.stated_version += 1
        self._kept[record.id] = Kept(record, revision)
        self._records[record.id] = record
        self.version += 1
        self.changed.set()

    def _forget(self, identity: str) -> None:
        self._kept.pop(identity, None)
        self._records.pop(identity, None)
        self.version += 1
        self.stated_version += 1
        self.changed.set()

    def _lock(self, identity: str) -> asyncio.Lock:
        return self._locks.setdefault(identity, asyncio.Lock())
