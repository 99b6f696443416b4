"""A JetStream KV bucket with compare-and-set, over the engine's link. [O21] (NATS ADR-8)"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from pytest_agog.errors import JetStreamRefused
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.deliverables.tailing import Start, Tail

_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_GONE: Final = ("DEL", "PURGE")
_PATIENCE: Final = 10.0


class Moved(Exception):
    """Somebody else wrote the key in between; read it and decide again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value and its revision, the sequence of the message that holds it."""

    key: str
    value: bytes
    revision: int


class Bucket:
    """One bucket. `open` brings it about."""

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self.name = name
        self.stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."

    async def open(self, *, replicas: int | None = None) -> None:
        """Create the bucket if it is not there. One that is there stays as it is. `replicas` as for streams.

        Raises:
            JetStreamRefused: it cannot be created.
        """
        try:
            await jetstream.call(self._link, f"STREAM.INFO.{self.stream}")
        except jetstream.Refusal as refusal:
            if refusal.err_code not in jetstream.NOT_FOUND:
                raise self._failure("looking for", refusal) from None
        else:
            return
        config = {
            "name": self.stream, "subjects": [f"{self._prefix}>"], "max_msgs_per_subject": 1, "discard": "new",
            "storage": "file", "retention": "limits", "num_replicas": self._link.copies(replicas), "allow_direct": True,
            "allow_rollup_hdrs": True, "deny_delete": True, "max_consumers": -1, "max_msgs": -1, "max_bytes": -1,
            "max_age": 0, "max_msg_size": -1, "duplicate_window": 120 * 10**9,
        }  # fmt: skip
        try:
            await jetstream.call(self._link, f"STREAM.CREATE.{self.stream}", config)
        except jetstream.Refusal as refusal:
            if refusal.err_code != _IN_USE:
                raise self._failure("creating", refusal) from None

    async def get(self, key: str) -> Entry | None:
        """The newest value, from the leader; None when there is none."""
        found = await self._last(key)
        if found is None or any(f"KV-Operation: {operation}" in found[1] for operation in _GONE):
            return None
        return found[0]

    async def _last(self, key: str) -> tuple[Entry, str] | None:
        """The key's last message and its headers."""
        try:
            answer = await jetstream.call(
                self._link, f"STREAM.MSG.GET.{self.stream}", {"last_by_subj": self._prefix + key}
            )
        except jetstream.Refusal as refusal:
            if refusal.err_code in jetstream.NOT_FOUND:
                return None
            raise self._failure("reading", refusal) from None
        message = answer["message"]
        headers = base64.b64decode(message.get("hdrs", "")).decode("utf-8", "replace")
        return Entry(key, base64.b64decode(message.get("data", "")), int(message["seq"])), headers

    async def put(self, key: str, value: bytes, *, after: int | None = None) -> int:
        """Write the key and return its new revision.

        `after` is the revision that it must have now, 0 for none; without it, whatever it has.

        Raises:
            Moved: it has another one.
        """
        headers = {"Nats-Msg-Id": uuid4().hex}
        if after is not None:
            headers[_EXPECTED] = str(after)
        answer = await self._send(key, value, headers)
        error = answer.get("error")
        if not error:
            return int(answer["seq"])
        refusal = jetstream.Refusal.of(error)
        if refusal.err_code in jetstream.WRONG_LAST_SEQUENCE:
            # A write whose answer was lost is sent again by the link: then the last one is this very write.
            now = await self._last(key)
            if now is not None and headers["Nats-Msg-Id"] in now[1]:
                return now[0].revision
            raise Moved(key)
        raise self._failure("writing", refusal)

    async def delete(self, key: str, *, after: int) -> None:
        """Remove the key, if its revision is still `after`; otherwise leave it."""
        await self._send(key, b"", {_EXPECTED: str(after), "KV-Operation": "DEL"})

    def tail(self, pattern: str = ">") -> Tail:
        """A reader of all values that fit, those that are there first; see `value_of`."""
        return Tail(self._link, self.stream, self._prefix + pattern, Start())

    def key_of(self, subject: str) -> str:
        """The key that a message of a tail is about."""
        return subject.removeprefix(self._prefix)

    async def _send(self, key: str, value: bytes, headers: dict[str, str] | None) -> dict[str, Any]:
        try:
            message = await self._link.request(self._prefix + key, value, headers, within=_PATIENCE)
        except NoAnswer:
            raise JetStreamRefused(
                url=self._link.url, what=f"writing {key}", reason=f"no answer within {_PATIENCE:g} s"
            ) from None
        if message.headers and message.headers.get("Status") == jetstream.NO_RESPONDERS:
            raise JetStreamRefused(
                url=self._link.url, what=f"writing {key}", reason=f"no stream takes bucket {self.name}"
            )
        answer: dict[str, Any] = json.loads(message.data)
        return answer

    def _failure(self, doing: str, refusal: jetstream.Refusal) -> Exception:
        return refusal.as_error(f"{doing} bucket {self.name}", url=self._link.url, stream=self.stream)


_IN_USE: Final = 10058


def is_gone(headers: dict[str, str]) -> bool:
    """Whether a message of a tail says that its key was removed."""
    return headers.get("KV-Operation") in _GONE
