"""Reading reports: the last message of a subject, or one by its sequence; checked against its digest."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import from_json

from pytest_agog.errors import AgogError, DeliverableUnreadable, DigestMismatch, JetStreamRefused, ObjectUnreadable
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.deliverables.locating import Located, Locator
from pytest_agog.reference.deliverables.objects import Objects
from pytest_agog.reference.deliverables.stored import Report, Stored
from pytest_agog.wire import deliverables as wire
from pytest_agog.wire import subjects

_DIRECT: Final = "$JS.API.DIRECT.GET"


class _Gone:
    """Nobody answers for the stream."""


class Reader:
    """Reads messages of the deliverable streams: by direct get with one replica, from the leader otherwise."""

    def __init__(self, link: Link, locator: Locator, objects: Objects) -> None:
        self._link = link
        self._locator = locator
        self._objects = objects

    async def last(self, subject: str) -> Stored | None:
        """The last message of `subject`, or None.

        Raises:
            StreamMissing: no stream takes `subject`.
        """
        located = await self._locator.find(subject)
        if located.direct:
            found = await self._direct(located, f"{_DIRECT}.{located.name}.{subject}", b"")
            if not isinstance(found, _Gone):
                return found
            # Nobody answers: the stream is gone, is another one now, or no longer allows direct gets.
            self._locator.forget(located.name)
            located = await self._locator.find(subject)
        return await self._from_leader(located, {"last_by_subj": subject})

    async def at(self, subject: str, sequence: int) -> Stored | None:
        """The message with `sequence` in the stream of `subject`, if that is its subject."""
        located = await self._locator.find(subject)
        found = await self._from_leader(located, {"seq": sequence})
        return found if found is not None and found.subject == subject else None

    async def report(self, stored: Stored) -> Report:
        """The report that `stored` is or refers to.

        Raises:
            DeliverableUnreadable: it is none.
            ObjectUnreadable: the object that it refers to cannot be read.
            DigestMismatch: [D11] the content is not what was published.
        """
        url = subjects.to_url(stored.subject)
        try:
            value = from_json(stored.data)
        except ValueError as error:
            raise DeliverableUnreadable(url=url, sequence=stored.sequence, reason=f"no JSON: {error}") from None
        if not isinstance(value, dict):
            raise DeliverableUnreadable(url=url, sequence=stored.sequence, reason="no JSON object")
        metadata = value.get("metadata")
        content = value.get("content")
        if isinstance(content, str):
            self._verify(url, content.encode("utf-8"), stored.digest)
        elif isinstance(value.get("object"), dict):
            content = await self._fetch_object(url, stored, value["object"])
        else:
            raise DeliverableUnreadable(url=url, sequence=stored.sequence, reason="it has neither content nor object")
        return Report(
            stored.subject, stored.stream, stored.sequence, datetime.fromisoformat(stored.time), stored.digest,
            metadata if isinstance(metadata, dict) else {}, content,
        )  # fmt: skip

    async def _fetch_object(self, url: str, stored: Stored, value: dict[str, Any]) -> str:
        try:
            reference = wire.ObjectReference.model_validate(value)
        except ValidationError as error:
            reason = f"its object has no usable {error.errors()[0]['loc'][0]}"
            raise DeliverableUnreadable(url=url, sequence=stored.sequence, reason=reason) from None
        data = await self._objects.get(reference, url)
        self._verify(url, data, reference.digest)
        self._verify(url, data, stored.digest)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise ObjectUnreadable(url=url, name=reference.name, bucket=reference.bucket, reason="no UTF-8") from None

    def _verify(self, url: str, data: bytes, expected: str | None) -> None:
        if expected is None:
            return
        actual = wire.digest(data)
        if actual != expected and not wire.same_digest(actual, expected):
            raise DigestMismatch(url=url, actual=actual, expected=expected)

    async def _direct(self, located: Located, subject: str, body: bytes) -> Stored | _Gone | None:
        """The message, None when there is no such message, or `_Gone` when nobody answers."""
        try:
            message = await self._link.request(subject, body)
        except NoAnswer:
            raise self._silent(subject) from None
        headers = message.headers or {}
        status = headers.get("Status")
        if status is None or "Nats-Sequence" in headers:
            return Stored(
                headers["Nats-Subject"], located.name, int(headers["Nats-Sequence"]), headers["Nats-Time-Stamp"],
                headers, message.data,
            )  # fmt: skip
        if status == "404":
            return None
        if status == jetstream.NO_RESPONDERS:
            return _Gone()
        reason = headers.get("Description") or f"status {status}"
        raise JetStreamRefused(url=self._link.url, what=subject, reason=reason)

    async def _from_leader(self, located: Located, body: dict[str, Any]) -> Stored | None:
        try:
            answer = await jetstream.call(self._link, f"STREAM.MSG.GET.{located.name}", body)
        except jetstream.Refusal as refusal:
            if refusal.err_code in jetstream.NOT_FOUND:
                return None
            self._locator.forget(located.name)
            raise refusal.as_error(f"reading stream {located.name}", url=self._link.url) from None
        message = answer["message"]
        return Stored(
            message["subject"], located.name, int(message["seq"]), message["time"],
            parse_headers(base64.b64decode(message.get("hdrs", ""))), base64.b64decode(message.get("data", "")),
        )  # fmt: skip

    def _silent(self, what: str) -> AgogError:
        return JetStreamRefused(url=self._link.url, what=what, reason=f"no answer within {self._link.timeout:g} s")


def parse_headers(block: bytes) -> dict[str, str]:
    r"""The headers of an encoded block (`NATS/1.0\r\nName: value\r\n…`)."""
    found: dict[str, str] = {}
    for line in block.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            found[name.strip().decode("ascii", "replace")] = value.strip().decode("utf-8", "replace")
    return found
