"""A stream into a file and back, by JetStream's own snapshots: messages with headers, sequences and times, and the
positions of its consumers. [X5]

`STREAM.SNAPSHOT` answers with configuration and state, then the server sends the stream in chunks to an inbox; a chunk
that has a reply subject is acknowledged, which lets the server go on, so neither side holds more than a window of it in
memory. An empty message ends it, with status 204 when all went well. `STREAM.RESTORE` answers with a subject that takes
the chunks one by one, and makes the stream when an empty one comes.

KV buckets and object stores are streams, so this copies them, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import nats.errors

from pytest_agog.errors import AgogError, JetStreamRefused
from pytest_agog.reference.deliverables import jetstream

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from pytest_agog.reference.deliverables.connecting import Link

CHUNK: Final = 128 * 1024
"""Bytes; every server takes messages of this size."""
_BEGIN: Final = 60.0
"""Seconds in which a server must begin; it checks the whole stream first."""
_STALL: Final = 30.0
"""Seconds without a chunk, or without the answer to one, after which a copy has failed."""
_END: Final = 600.0
"""Seconds in which a server must have built a stream from its chunks."""
_FIRST: Final = 1.0
"""Seconds for the first of them, which is sent again so many times."""
_TRIES: Final = 10
_LISTENS: Final = 5.0
"""Seconds in which all servers of a cluster must have heard who takes the chunks."""
_LOOK: Final = 0.05
_COMPLETE: Final = (None, "204")
Tell = Callable[[int], None]
"""Is told how many bytes have gone by."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was written."""

    config: dict[str, Any]
    state: dict[str, Any]
    size: int
    """Bytes of the file."""
    digest: str
    """SHA-256, in hex."""


async def save(link: Link, stream: str, path: Path, tell: Tell) -> Snapshot:
    """Write `stream` to the new file `path`.

    Raises:
        JetStreamRefused: the server would not, stopped in the midst, or found messages that are damaged.
        OSError: the file cannot be written.
    """
    loop = asyncio.get_running_loop()
    with path.open("xb") as file:
        receiver = _Receiver(link, stream, file, tell, loop.create_future())
        inbox = link.nc.new_inbox()
        subscription = await link.nc.subscribe(inbox, cb=receiver.take)
        try:
            request = {"deliver_subject": inbox, "no_consumers": False, "chunk_size": CHUNK, "jsck": True}
            answer = await _ask(link, f"STREAM.SNAPSHOT.{stream}", request, _BEGIN, f"a copy of stream {stream}")
            await receiver.end()
        finally:
            receiver.stop()
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()
    return Snapshot(answer["config"], answer["state"], receiver.size, receiver.digest.hexdigest())


class _Receiver:
    """Writes chunks down as they come."""

    def __init__(self, link: Link, stream: str, file: BinaryIO, tell: Tell, done: asyncio.Future[str | None]) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self._link = link
        self._stream = stream
        self._file = file
        self._tell = tell
        self._done = done
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, message: Msg) -> None:
        if self._done.done():
            return
        if not message.data:
            self._done.set_result((message.headers or {}).get("Status"))
            return
        try:
            self._file.write(message.data)
        except OSError as error:
            self._done.set_exception(error)
            return
        self.digest.update(message.data)
        self.size += len(message.data)
        if message.reply:
            await self._link.nc.publish(message.reply)
        self._wait_anew()
        self._tell(self.size)

    async def end(self) -> None:
        self._wait_anew()
        status = await self._done
        if status not in _COMPLETE:
            raise _refused(self._link, f"a copy of stream {self._stream}", f"it ended with status {status}")

    def _wait_anew(self) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(_STALL, self._expire)

    def _expire(self) -> None:
        if not self._done.done():
            reason = f"nothing came for {_STALL:g} s"
            self._done.set_exception(_refused(self._link, f"a copy of stream {self._stream}", reason))

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


async def bring_back(
    link: Link, config: Mapping[str, Any], state: Mapping[str, Any], path: Path, tell: Tell
) -> dict[str, Any]:
    """Make the stream again that `path` holds; returns what the server says of it. There must be none of that name.

    Raises:
        JetStreamRefused: the server would not.
        OSError: the file cannot be read.
    """
    name = str(config["name"])
    what = f"restoring stream {name}"
    answer = await _ask(link, f"STREAM.RESTORE.{name}", {"config": dict(config), "state": dict(state)}, _BEGIN, what)
    sent = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if sent:
                await _put(link, answer["deliver_subject"], chunk, _STALL, what)
            else:
                await _put_first(link, answer["deliver_subject"], chunk, what)
            sent += len(chunk)
            tell(sent)
    return await _put(link, answer["deliver_subject"], b"", _END, what)


async def _put(link: Link, subject: str, chunk: bytes, patience: float, what: str) -> dict[str, Any]:
    answer = await _request(link, subject, chunk, patience, what, until=_LISTENS)
    return _read(link, answer, what) if answer else {}


async def _put_first(link: Link, subject: str, chunk: bytes, what: str) -> None:
    """In a cluster the first chunk may be sent before this server knows that another one waits for it.

    Nobody says so when somebody listens to everything, as recorders do. Whoever does get a chunk answers at once, so
    one without an answer is sent again.
    """
    for _ in range(_TRIES):
        try:
            answer = (await link.nc.request(subject, chunk, timeout=_FIRST)).data
        except nats.errors.TimeoutError:
            continue
        except nats.errors.Error:
            break
        if answer:
            _read(link, answer, what)
        return
    await _put(link, subject, chunk, _STALL, what)


async def _ask(link: Link, verb: str, body: dict[str, Any], patience: float, what: str) -> dict[str, Any]:
    answer = await _request(link, f"{jetstream.PREFIX}.{verb}", json.dumps(body).encode(), patience, what)
    return _read(link, answer, what)


async def _request(
    link: Link, subject: str, payload: bytes, patience: float, what: str, *, until: float = 0.0
) -> bytes:
    """Once: what is sent again after a reconnect would begin a second copy, or put a chunk there twice.

    Only what nobody listened to is sent again, for `until` seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + until
    while True:
        try:
            return (await link.nc.request(subject, payload, timeout=patience)).data
        except nats.errors.NoRespondersError:
            if loop.time() >= deadline:
                raise _refused(link, what, "nobody takes it") from None
            await asyncio.sleep(_LOOK)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            reason = str(error).removeprefix("nats: ") or type(error).__name__
            raise _refused(link, what, reason) from None


def _read(link: Link, data: bytes, what: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(data)
    except ValueError:
        raise _refused(link, what, "its answer is no JSON") from None
    if error := answer.get("error"):
        raise jetstream.Refusal.of(error).as_error(what, url=link.url)
    return answer


def _refused(link: Link, what: str, reason: str) -> AgogError:
    return JetStreamRefused(url=link.url, what=what, reason=reason)
