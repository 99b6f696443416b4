"""Reports that are too large for a message: read from the object store, without a consumer. [D10]"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from pytest_agog.ledger import jetstream
from pytest_agog.ledger.facts import ObjectSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording.line import Line
from pytest_agog.ledger.recording.reader import Unreadable, read_subject
from pytest_agog.masking import mask
from pytest_agog.wire import subjects
from pytest_agog.wire.deliverables import Deliverable, ObjectReference, digest, same_digest

LARGEST: Final = 256_000_000
"""Bytes; an object above this is not read into the ledger."""
_BUCKET: Final = re.compile(r"[A-Za-z0-9_-]+")
_DELIVERABLES: Final = subjects.DELIVERABLES + "."
_MENTIONS_OBJECT: Final = b'"object"'


@dataclass(frozen=True, slots=True)
class ObjectContent:
    """An object's bytes, or why it cannot be read."""

    data: bytes | None
    reason: str = ""


def reference_in(payload: bytes) -> ObjectReference | None:
    """The reference to an object that a deliverable carries instead of its content, if it does."""
    if _MENTIONS_OBJECT not in payload:
        return None
    try:
        return Deliverable.model_validate_json(payload).object
    except ValidationError:
        return None


async def read_object(line: Line, reference: ObjectReference) -> ObjectContent:
    """Read the object and compare size and digest with the reference.

    Raises:
        LineBroken: the connection is gone.
        Unreadable: JetStream does not answer for the bucket.
    """
    if not _BUCKET.fullmatch(reference.bucket):
        return ObjectContent(None, f"{reference.bucket!r} is no name of a bucket")
    stream = f"OBJ_{reference.bucket}"
    encoded = base64.urlsafe_b64encode(reference.name.encode("utf-8", "replace")).decode()
    question = json.dumps({"last_by_subj": f"$O.{reference.bucket}.M.{encoded}"}).encode()
    reply = await line.request(jetstream.message_get(stream), question)
    try:
        message = jetstream.from_message_get(jetstream.parse(reply.data))
    except (ValueError, KeyError) as error:
        return ObjectContent(None, f"bucket {reference.bucket} cannot be read: {error}")
    if message is None:
        return ObjectContent(None, f"bucket {reference.bucket} holds no object {reference.name!r}")
    try:
        info = jetstream.parse(message.data)
        nuid, size, deleted = str(info["nuid"]), int(info.get("size", 0)), bool(info.get("deleted"))
    except (ValueError, KeyError, TypeError):
        return ObjectContent(None, f"object {reference.name!r} has no readable description")
    if deleted:
        return ObjectContent(None, f"object {reference.name!r} was deleted")
    if size > LARGEST:
        return ObjectContent(None, f"object {reference.name!r} has {size} bytes, at most {LARGEST} are read")
    if not _BUCKET.fullmatch(nuid):
        return ObjectContent(None, f"object {reference.name!r} has no readable description")
    data = b"".join(await read_subject(line, stream, f"$O.{reference.bucket}.C.{nuid}"))
    if not same_digest(digest(data), reference.digest):
        return ObjectContent(
            None, f"object {reference.name!r} has {len(data)} bytes with digest {digest(data)}, not {reference.digest}"
        )
    return ObjectContent(data)


class Objects:
    """The objects that recorded deliverables refer to; each is recorded once."""

    def __init__(self, ledger: Ledger, line: Line) -> None:
        self._ledger = ledger
        self._line = line
        self._wanted: dict[tuple[str, str], ObjectReference] = {}
        self._seen: set[tuple[str, str]] = set()
        self._failed: dict[tuple[str, str], str] = {}

    def look(self, subject: str, payload: bytes) -> None:
        """Remember the object that a deliverable's `payload` refers to, if it does."""
        if subject.startswith(_DELIVERABLES) and (reference := reference_in(payload)) is not None:
            name = (reference.bucket, reference.name)
            if name not in self._seen:
                self._wanted[name] = reference

    async def read(self, *, final: bool) -> None:
        """Read what is wanted. What cannot be read is tried again, and written down when this is the `final` try.

        Raises:
            LineBroken: the connection is gone.
        """
        for name, reference in list(self._wanted.items()):
            try:
                content = await read_object(self._line, reference)
            except Unreadable as error:
                content = ObjectContent(None, mask(str(error)))
            if content.data is not None:
                del self._wanted[name]
                self._seen.add(name)
                self._ledger.append(ObjectSeen(*name, self._ledger.payloads.put(content.data)))
            elif final and self._failed.get(name) != content.reason:
                self._failed[name] = content.reason
                self._ledger.append(ObjectSeen(*name, None, content.reason))
