"""[D10] Reports that are too large for a message: an object store bucket, in the layout that every NATS client reads.

The object's name is unique per digest, since overwriting an object purges the chunks that a reader may be reading. It
also holds the week in which it was stored: the bucket forgets objects after 15 days, so an object that is named by a
message of this week outlives that message's 7 days, and identical content of a later week gets an object of its own.

The bucket takes no `Nats-Rollup`: whoever may store one object could otherwise empty the whole bucket with that header,
and none but `system` may purge. Two who store the same object at the same time leave two descriptions of it; readers
take the later one, and the chunks of both are there. [J24]
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any, Final
from uuid import uuid4

from pytest_agog.errors import AgogError, ObjectUnreadable, PublishFailed
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.deliverables.tailing import Start, Tail
from pytest_agog.wire import deliverables as wire
from pytest_agog.wire import subjects
from pytest_agog.wire.streams import DAY, OBJECT_BUCKET, OBJECT_CHUNK

_WEEK: Final = 7 * DAY
_KEPT: Final = 15 * DAY
_WINDOW: Final = 8
"""Chunks in flight."""
_CHUNK_TIMEOUT: Final = 10.0
_HEADROOM: Final = 1024
"""Bytes of a message that are not chunk."""


class Objects:
    """The bucket `agog_deliverables`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._there = False

    async def put(self, data: bytes, digest: str, subject: str, *, replicas: int = 1) -> wire.ObjectReference:
        """Store `data` unless it is there already; returns where it is.

        Raises:
            StoreFull, JetStreamRefused, PublishFailed: it cannot be stored.
        """
        await self._ensure(replicas)
        name = f"{_hex(digest)}.{int(time.time() // _WEEK)}"
        reference = wire.ObjectReference(bucket=OBJECT_BUCKET, name=name, digest=digest, size=len(data))
        if await self._info(OBJECT_BUCKET, name) is None:
            await self._write(name, data, digest, subject)
        return reference

    async def _write(self, name: str, data: bytes, digest: str, subject: str) -> None:
        chunk = max(1, min(OBJECT_CHUNK, self._link.nc.max_payload - _HEADROOM))
        nuid = uuid4().hex[:22]
        chunks = range(0, len(data), chunk)
        # All on one connection: they are stored in the order in which they leave, whenever their acks come.
        for first in range(0, len(chunks), _WINDOW):
            window = chunks[first : first + _WINDOW]
            await asyncio.gather(
                *(
                    self._publish(f"$O.{OBJECT_BUCKET}.C.{nuid}", data[begin : begin + chunk], subject)
                    for begin in window
                )
            )
        info = {
            "name": name, "bucket": OBJECT_BUCKET, "nuid": nuid, "size": len(data), "chunks": len(chunks),
            "digest": digest, "mtime": wire.now(), "options": {"max_chunk_size": chunk},
        }  # fmt: skip
        await self._publish(_meta(OBJECT_BUCKET, name), json.dumps(info).encode(), subject)

    async def get(self, reference: wire.ObjectReference, url: str) -> bytes:
        """The bytes of the object; the caller compares the digest.

        Raises:
            ObjectUnreadable: it is gone, or chunks of it are.
        """
        # Bucket and nuid come out of a message: they must not reach another subject.
        bucket = subjects.token(reference.bucket, "bucket")
        info = await self._info(bucket, reference.name)
        if info is None or info.get("deleted"):
            raise self._unreadable(reference, url, "it is not there")
        wanted = int(info.get("chunks", 0))
        pattern = f"$O.{bucket}.C.{subjects.token(str(info.get('nuid')), 'nuid')}"
        tail = Tail(self._link, f"OBJ_{reference.bucket}", pattern, Start())
        try:
            await tail.open()
            # In a cluster the consumer may stand on a replica that lags behind; the leader knows.
            if tail.waiting < wanted and (held := await self._held(bucket, pattern)) < wanted:
                raise self._unreadable(reference, url, f"{held} of its {wanted} chunks are there")
            return await _join(tail, wanted)
        except TimeoutError:
            raise self._unreadable(reference, url, f"a chunk did not come within {_CHUNK_TIMEOUT:g} s") from None
        finally:
            await tail.close()

    async def _held(self, bucket: str, pattern: str) -> int:
        """How many chunks the leader of the bucket's stream holds."""
        try:
            info = await jetstream.call(self._link, f"STREAM.INFO.OBJ_{bucket}", {"subjects_filter": pattern})
        except jetstream.Refusal as refusal:
            raise refusal.as_error(f"reading bucket {bucket}", url=self._link.url) from None
        return sum(int(count) for count in (info["state"].get("subjects") or {}).values())

    async def _info(self, bucket: str, name: str) -> dict[str, Any] | None:
        # From the leader: whether the object is there must not depend on which replica answers.
        try:
            answer = await jetstream.call(
                self._link, f"STREAM.MSG.GET.OBJ_{bucket}", {"last_by_subj": _meta(bucket, name)}
            )
        except jetstream.Refusal as refusal:
            if refusal.err_code in jetstream.NOT_FOUND:
                return None
            raise refusal.as_error(f"reading bucket {bucket}", url=self._link.url) from None
        found: dict[str, Any] = json.loads(base64.b64decode(answer["message"].get("data", "")) or b"{}")
        return found

    async def _ensure(self, replicas: int) -> None:
        if not self._there:
            await ensure_bucket(self._link, replicas)
            self._there = True

    async def _publish(self, subject: str, data: bytes, what: str) -> None:
        try:
            message = await self._link.request(subject, data)
        except NoAnswer:
            raise PublishFailed(subject=what, reason=f"no answer for a chunk within {self._link.timeout:g} s") from None
        if message.headers and message.headers.get("Status") == jetstream.NO_RESPONDERS:
            self._there = False
            raise PublishFailed(subject=what, reason=f"bucket {OBJECT_BUCKET} is gone")
        answer = json.loads(message.data)
        if error := answer.get("error"):
            raise jetstream.Refusal.of(error).as_error(what, url=self._link.url, stream=f"OBJ_{OBJECT_BUCKET}")

    def _unreadable(self, reference: wire.ObjectReference, url: str, reason: str) -> AgogError:
        return ObjectUnreadable(url=url, name=reference.name, bucket=reference.bucket, reason=reason)


async def ensure_bucket(link: Link, replicas: int, *, update: bool = False) -> None:
    """Create the bucket for large reports, if it is not there.

    `update` closes a bucket that somebody else created to rollups; only `system` may do that.

    Raises:
        AgogError: it cannot be looked at, created or changed.
    """
    stream = f"OBJ_{OBJECT_BUCKET}"
    config = {
        "name": stream, "subjects": [f"$O.{OBJECT_BUCKET}.C.>", f"$O.{OBJECT_BUCKET}.M.>"], "storage": "file",
        "retention": "limits", "discard": "new", "max_age": int(_KEPT * 10**9), "num_replicas": replicas,
        "allow_rollup_hdrs": False, "allow_direct": True, "max_msgs": -1, "max_bytes": -1, "max_msg_size": -1,
    }  # fmt: skip
    try:
        there = (await jetstream.call(link, f"STREAM.INFO.{stream}"))["config"]
    except jetstream.Refusal as refusal:
        if refusal.err_code not in jetstream.NOT_FOUND:
            raise refusal.as_error(f"bucket {OBJECT_BUCKET}", url=link.url, stream=stream) from None
        verb = "CREATE"
    else:
        if not update or not there.get("allow_rollup_hdrs"):
            return
        verb, config = "UPDATE", {**there, "allow_rollup_hdrs": False}
    try:
        await jetstream.call(link, f"STREAM.{verb}.{stream}", config)
    except jetstream.Refusal as refusal:
        raise refusal.as_error(f"bucket {OBJECT_BUCKET}", url=link.url, stream=stream) from None


async def _join(tail: Tail, chunks: int) -> bytes:
    parts = []
    for _ in range(chunks):
        async with asyncio.timeout(_CHUNK_TIMEOUT):
            parts.append((await tail.next()).data)
    return b"".join(parts)


def _meta(bucket: str, name: str) -> str:
    return f"$O.{bucket}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"


def _hex(digest: str) -> str:
    text = digest.partition("=")[2]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
