"""Runs that share an external NATS take turns: a lock in a key-value bucket that its holder renews. [X4]

The bucket forgets a key after `EXPIRY` seconds. The holder writes it again every third of that time with
compare-and-set, so a run that died holds up others for `EXPIRY` seconds at most, on whatever machine it ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import time
from typing import TYPE_CHECKING

from pytest_agog.errors import CredentialsRefused, ServiceBusy, TurnLost
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.kv import KeyValue

BUCKET = "agog_lock"
KEY = "run"
EXPIRY = 30.0
"""Seconds."""
_RETRY = 0.5


class Turn:
    """An async context manager: inside it, no other run has the service.

    Raises:
        ServiceBusy: others kept it for `patience` seconds.
        CredentialsRefused: this user may not make or write the bucket.
        TurnLost: on leaving, when the lock was lost meanwhile and nothing else went wrong.
    """

    def __init__(self, client: Client, url: str, *, patience: float = 600.0, expiry: float = EXPIRY) -> None:
        self._client = client
        self._url = mask(url)
        self._patience = patience
        self._expiry = expiry
        self._token = secrets.token_hex(16)
        self._bucket: KeyValue | None = None
        self._revision = 0
        self._beat: asyncio.Task[None] | None = None
        self.lost: str | None = None
        """Why the lock is no longer ours, or None."""

    async def __aenter__(self) -> Turn:
        bucket = await self._open()
        deadline = time.monotonic() + self._patience
        while not await self._take(bucket):
            if time.monotonic() > deadline:
                raise ServiceBusy(
                    service=self._url, holder=await self._holder(bucket), seconds=self._patience, expiry=self._expiry
                )
            await self._wait_for_change(bucket)
        self._bucket = bucket
        self._beat = asyncio.create_task(self._renew(bucket))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._beat is not None:
            self._beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beat
        if self._bucket is not None and self.lost is None:
            # When this fails the lock expires by itself.
            with contextlib.suppress(Exception):
                await self._bucket.delete(KEY, last=self._revision)
        if self.lost is not None and kind is None:
            raise TurnLost(service=self._url, reason=self.lost)

    async def _open(self) -> KeyValue:
        from nats.errors import Error
        from nats.js.api import KeyValueConfig
        from nats.js.errors import BucketNotFoundError

        stream = self._client.jetstream(timeout=2)
        try:
            try:
                return await stream.key_value(BUCKET)
            except BucketNotFoundError:
                return await stream.create_key_value(KeyValueConfig(bucket=BUCKET, history=1, ttl=self._expiry))
        except (Error, TimeoutError) as error:
            raise CredentialsRefused(
                url=self._url, reason=f"the bucket {BUCKET}, in which runs take turns, cannot be used: {error}"
            ) from error

    async def _take(self, bucket: KeyValue) -> bool:
        from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

        try:
            self._revision = await bucket.create(KEY, self._mine())
        except (KeyWrongLastSequenceError, KeyNotFoundError):
            # Somebody has it, or had it until a moment ago.
            return False
        return True

    async def _wait_for_change(self, bucket: KeyValue) -> None:
        """Until the key is deleted; expiring is told to nobody, so only for half a second."""
        watcher = await bucket.watch(KEY, include_history=False)
        try:
            async with asyncio.timeout(_RETRY):
                async for entry in watcher:
                    if entry is not None and entry.operation is not None:
                        return
        except TimeoutError:
            return
        finally:
            await watcher.stop()  # type: ignore[no-untyped-call]

    async def _holder(self, bucket: KeyValue) -> str:
        try:
            entry = await bucket.get(KEY)
            holder = json.loads(entry.value or b"{}")
            return f"process {holder['pid']} on {holder['host']}"
        except Exception:
            return "unknown"

    async def _renew(self, bucket: KeyValue) -> None:
        """Write the key again and again. Being late is no loss as long as nobody else took it."""
        from nats.errors import Error
        from nats.js.errors import KeyWrongLastSequenceError

        while True:
            await asyncio.sleep(self._expiry / 3)
            try:
                self._revision = await bucket.update(KEY, self._mine(), last=self._revision)
            except KeyWrongLastSequenceError:
                if not await self._still_mine(bucket):
                    self.lost = "it expired while the server could not be reached"
                    return
            except (Error, TimeoutError):
                continue

    async def _still_mine(self, bucket: KeyValue) -> bool:
        """After an update that was refused: our own, whose answer was lost; or an expired key, to be taken again."""
        from nats.js.errors import KeyNotFoundError

        try:
            entry = await bucket.get(KEY)
        except KeyNotFoundError:
            return await self._take(bucket)
        if self._token.encode() not in (entry.value or b""):
            return False
        self._revision = entry.revision or 0
        return True

    def _mine(self) -> bytes:
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "token": self._token, "since": time.time()}
        return json.dumps(holder).encode()
