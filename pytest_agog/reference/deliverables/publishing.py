"""[D1] [D9] Publishing a report so that it is stored exactly once, whatever is repeated.

JetStream drops a repeated message id only within the duplicate window, and would also drop the return of an earlier
revision (A, B, A). So every publish also says which message it expects to be the subject's last one
(`Nats-Expected-Last-Subject-Sequence`): the one this engine saw last, or none. That costs nothing. Only when the server
refuses is the last message read and its digest compared: the same content is there already, within the window or long
after; other content is what this revision follows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pytest_agog.errors import BadInput, PayloadTooLarge, PublishFailed, StoreFull
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.deliverables.locating import Located, Locator
from pytest_agog.reference.deliverables.objects import Objects
from pytest_agog.reference.deliverables.reading import Reader
from pytest_agog.reference.deliverables.watching import Outgoing, Published, PublishWatcher
from pytest_agog.wire import deliverables as wire
from pytest_agog.wire import subjects

EXPECTED_HEADER: Final = "Nats-Expected-Last-Subject-Sequence"
_TRIES: Final = 16
"""Other publishers of one subject can come in between that often."""
_REMEMBERED: Final = 10_000
_RETRY: Final = 0.05
_AGAIN: Final = 2.5
"""Seconds of silence after which the message is sent again."""
_MOST_HEADERS: Final = 2048
"""Bytes: more than the headers of any deliverable take (a subject has at most 420)."""


@dataclass(frozen=True, slots=True)
class _Last:
    """The message that this engine takes to be a subject's last one."""

    sequence: int
    digest: str | None


_NONE: Final = _Last(0, None)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A report on its way."""

    subject: str
    digest: str
    payload: bytes
    located: Located


class _LimitChanged(Exception):
    """The stream takes less than it did when it was last looked at."""


class Publisher:
    """Publishes reports."""

    def __init__(
        self, link: Link, locator: Locator, reader: Reader, objects: Objects, watcher: PublishWatcher, *,
        object_threshold: int | None, object_store: bool,
    ) -> None:  # fmt: skip
        self._link = link
        self._locator = locator
        self._reader = reader
        self._objects = objects
        self._watcher = watcher
        self._threshold = object_threshold
        self._object_store = object_store
        self._last: dict[str, _Last] = {}

    async def publish(
        self, agent: str, task_type: str, feature: str, content: str, metadata: dict[str, Any] | None
    ) -> Published:
        """See `DeliverableEngine.publish`."""
        subject = subjects.deliverable(agent, task_type, feature)
        try:
            data = content.encode("utf-8")
        except UnicodeEncodeError as error:
            raise BadInput(f"the report for {subject} is no valid Unicode text: {error.reason}") from None
        extra = metadata or {}
        whole = {
            **extra, "agent": agent, "taskType": task_type, "feature": feature,
            "timestamp": extra.get("timestamp") or wire.now(),
        }  # fmt: skip
        digest = wire.digest(data)
        for last_try in (False, True):
            located = await self._locator.find(subject)
            payload = await self._payload(subject, content, data, digest, whole, located)
            try:
                return await self._store(_Draft(subject, digest, payload, located))
            except _LimitChanged as error:
                if last_try:
                    raise PublishFailed(subject=subject, reason=str(error)) from None
        raise AssertionError("the second try returns or raises")

    async def _payload(
        self, subject: str, content: str, data: bytes, digest: str, metadata: dict[str, Any], located: Located
    ) -> bytes:
        try:
            payload = wire.payload(content, metadata)
        except ValueError as error:
            raise BadInput(f"the metadata of {subject} cannot be written as JSON: {error}") from None
        if len(payload) + _MOST_HEADERS <= self._limits(located)[0][0]:
            return payload
        if self._fits(subject, digest, payload, located) is None:
            return payload
        if self._object_store:
            reference = await self._objects.put(data, digest, subject, replicas=located.replicas)
            payload = wire.payload_by_reference(reference, metadata)
        if refusal := self._fits(subject, digest, payload, located, by_reference=self._object_store):
            raise refusal
        return payload

    def _fits(
        self, subject: str, digest: str, payload: bytes, located: Located, *, by_reference: bool = False
    ) -> PayloadTooLarge | None:
        """None, or why the message is too large. Headers count; sequences in them may have 20 digits."""
        longest = _headers(subject, digest, 2**64 - 1, 2**64 - 1)
        size = wire.encoded_size(payload, longest)
        limit, limiter = self._limits(located, by_reference=by_reference)[0]
        if size <= limit:
            return None
        return PayloadTooLarge(subject=subject, size=size, limiter=limiter, limit=limit)

    def _limits(self, located: Located, *, by_reference: bool = False) -> list[tuple[int, str]]:
        """What limits a message, and who; the least first."""
        limits = [(self._link.nc.max_payload, "server (max_payload)")]
        if located.max_msg_size >= 0:
            limits.append((located.max_msg_size, f"stream {located.name} (max_msg_size)"))
        if self._threshold is not None and not by_reference:
            limits.append((self._threshold, "engine (object_threshold)"))
        limits.sort()
        return limits

    async def _store(self, draft: _Draft) -> Published:
        known = self._last.get(draft.subject, _NONE)
        # A repeat is sent as if nothing were there: the server refuses it, and then its last message decides.
        expected = _NONE if known.digest == draft.digest else known
        after: int | None = None
        attempt = _Attempt(self._watcher, draft)
        try:
            for _ in range(_TRIES):
                answer = await self._send(draft, attempt.headers(after, expected.sequence))
                if isinstance(answer, jetstream.Refusal):
                    stored = await self._reader.last(draft.subject)
                    expected = _NONE if stored is None else _Last(stored.sequence, stored.digest)
                    if expected.digest is not None and wire.same_digest(expected.digest, draft.digest):
                        return self._stored(draft, attempt, draft.located.name, expected.sequence, duplicate=True)
                elif answer.get("duplicate"):
                    # The id was used for an earlier revision; the last one is another (we said so, the server agreed).
                    attempt.acked(str(answer["stream"]), int(answer["seq"]), duplicate=True)
                    after = expected.sequence
                else:
                    return self._stored(draft, attempt, str(answer["stream"]), int(answer["seq"]), duplicate=False)
        except BaseException as error:
            attempt.refused(str(error) or type(error).__name__)
            raise
        attempt.refused("the subject's last message changed every time")
        raise PublishFailed(subject=draft.subject, reason=f"others published {_TRIES} times in between")

    def _stored(self, draft: _Draft, attempt: _Attempt, stream: str, sequence: int, *, duplicate: bool) -> Published:
        attempt.acked(stream, sequence, duplicate=duplicate)
        if len(self._last) >= _REMEMBERED:
            self._last.clear()
        self._last[draft.subject] = _Last(sequence, draft.digest)
        return Published(draft.subject, subjects.to_url(draft.subject), stream, sequence, duplicate)

    async def _send(self, draft: _Draft, headers: dict[str, str]) -> dict[str, Any] | jetstream.Refusal:
        """The PubAck, or the refusal because the subject's last message is another one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._link.timeout
        while True:
            within = min(max(deadline - loop.time(), _RETRY), _AGAIN)
            try:
                message = await self._link.request(draft.subject, draft.payload, headers, within=within)
            except NoAnswer:
                if loop.time() + _RETRY < deadline:
                    continue  # whoever was asked may be gone; what was stored all the same is not stored again
                reason = (
                    f"no answer within {self._link.timeout:g} s; a server whose disk is full falls silent like this"
                )
                raise PublishFailed(subject=draft.subject, reason=reason) from None
            if message.headers and message.headers.get("Status") == jetstream.NO_RESPONDERS:
                self._locator.forget(draft.located.name)
                # StreamMissing where there is none any more; otherwise it has no leader, after a restart or a loss.
                located = await self._locator.find(draft.subject, patience=max(deadline - loop.time(), _RETRY))
                reason = f"stream {located.name} is there, but had no leader for {self._link.timeout:g} s"
                failure: Exception = PublishFailed(subject=draft.subject, reason=reason)
            else:
                answer: dict[str, Any] = json.loads(message.data)
                if "error" not in answer:
                    return answer
                refusal = jetstream.Refusal.of(answer["error"])
                if refusal.err_code in jetstream.WRONG_LAST_SEQUENCE:
                    return refusal
                failure = self._failure(draft, refusal)
                if refusal.err_code not in jetstream.UNAVAILABLE:
                    raise failure
            if loop.time() + _RETRY >= deadline:
                raise failure
            await asyncio.sleep(_RETRY)

    def _failure(self, draft: _Draft, refusal: jetstream.Refusal) -> Exception:
        self._locator.forget(draft.located.name)
        if refusal.err_code in jetstream.MESSAGE_TOO_LARGE:
            return _LimitChanged(refusal.description)
        if refusal.err_code in jetstream.STORE_FULL:
            return StoreFull(stream=draft.located.name, subject=draft.subject, reason=refusal.description)
        return PublishFailed(subject=draft.subject, reason=f"{refusal.description}, error {refusal.err_code}")


class _Attempt:
    """Tells the watcher: one attempt for each message id, however often its message is sent."""

    def __init__(self, watcher: PublishWatcher, draft: _Draft) -> None:
        self._watcher = watcher
        self._draft = draft
        self._number: int | None = None
        self._id = ""

    def headers(self, after: int | None, expected: int) -> dict[str, str]:
        """The headers of the message that is sent next."""
        headers = _headers(self._draft.subject, self._draft.digest, after, expected)
        if self._number is None or headers[wire.MSG_ID_HEADER] != self._id:
            self._id = headers[wire.MSG_ID_HEADER]
            self._number = self._watcher.attempted(Outgoing(self._draft.subject, self._draft.payload, headers))
        return headers

    def acked(self, stream: str, sequence: int, *, duplicate: bool) -> None:
        self._end(lambda number: self._watcher.acked(number, stream, sequence, duplicate))

    def refused(self, reason: str) -> None:
        self._end(lambda number: self._watcher.refused(number, reason))

    def _end(self, tell: Callable[[int], None]) -> None:
        number, self._number = self._number, None
        if number is not None:
            tell(number)


def _headers(subject: str, digest: str, after: int | None, expected: int) -> dict[str, str]:
    return {**wire.headers(subject, digest, after), EXPECTED_HEADER: str(expected)}
