"""From a message of agent comms to the row that it becomes, or to the reason why it cannot become one.

Nothing here raises: a bad message is a `Rejection`, so that it cannot hold up its neighbours. [C3, J03]
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from pydantic_core import from_json

from pytest_agog.errors import BadInput
from pytest_agog.wire.comms import ALIASES, GENERAL, PREFIXES, Address, parse_subject
from pytest_agog.wire.times import parse_time

MAX_KEY_BYTES: Final = 1000
"""The longest text in an indexed column: two of them and a sequence fit into an entry of a btree (2,704 bytes)."""
DEFAULT_ROLE: Final = "assistant"


class Reason(StrEnum):
    """Why a message cannot be stored."""

    SUBJECT = "subject"
    """Not a subject of agent comms."""
    NOT_JSON = "not-json"
    """Empty, cut off, no UTF-8, lone surrogates, NaN, or nested more than 200 levels deep."""
    NOT_AN_OBJECT = "not-an-object"
    WRONG_TYPE = "wrong-type"
    """A field with a column holds something else than text."""
    NUL = "nul"
    """Postgres stores no NUL character."""
    UNICODE = "unicode"
    """The subject is no valid Unicode text."""
    TIMESTAMP = "timestamp"
    """No RFC 3339 time, or one that does not exist."""
    NUMBER = "number"
    """A number that no double and no column can hold."""
    TOO_LONG = "too-long"
    """An indexed field of more than 1,000 bytes."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that goes to `workflow_comms.rejected_messages`."""

    reason: Reason
    detail: str
    """One line for people; never holds the content."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `workflow_comms.agent_messages`, apart from what Postgres itself fills in."""

    workflow_uid: str | None
    workflow_name: str | None
    workflow_namespace: str | None
    run_id: str | None
    step_id: str | None
    agent_id: str | None
    channel: str | None
    stage: str | None
    role: str
    kind: str
    content: str
    timestamp: datetime
    attrs: dict[str, Any]
    dedupe_key: str
    stream_seq: int | None


class _Refused(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        self.rejection = Rejection(reason, detail)


_FIELDS: Final = tuple(
    (name, ALIASES[name][0], ALIASES[name][1:]) for name in ALIASES if name not in ("attrs", "content")
)
_FALLBACKS: Final = ALIASES["content"][1:]
_IDENTITY: Final = ("workflow_uid", "workflow_name", "workflow_namespace", "agent_id")
_IDENTITY_KEYS: Final = tuple(key for name in _IDENTITY for key in ALIASES[name])
_NUMERIC_TOO: Final = frozenset({"message_id", "run_id", "step_id"})
"""Ids that some publishers send as whole numbers."""
_INDEXED: Final = ("run_id", "workflow_uid", "workflow_namespace", "agent_id", "channel")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def normalise(
    subject: str,
    data: bytes,
    *,
    stream_created: str,
    stream_seq: int,
    stored_at: datetime,
    prefixes: tuple[str, ...] = PREFIXES,
) -> Row | Rejection:
    """The row of a message, or why it has none.

    Identity in the subject wins over the payload's; what the payload lacks comes from the subject, and its time from
    `stored_at`, the server's. `stream_created` and `stream_seq` tell messages without an id apart.
    """
    try:
        address = _address(subject, prefixes)
        payload = _payload(data)
        if b"\\u0000" in data:
            _refuse_nul(payload)
        return _row(address, payload, stream_created, stream_seq, stored_at)
    except _Refused as refused:
        return refused.rejection


@lru_cache(maxsize=4096)
def _known_address(subject: str, prefixes: tuple[str, ...]) -> Address:
    return parse_subject(subject, prefixes=prefixes)


def _address(subject: str, prefixes: tuple[str, ...]) -> Address:
    try:
        if "\0" in subject:
            raise _Refused(Reason.NUL, "the subject holds a NUL character, which Postgres cannot store")
        subject.encode("utf-8")
        return _known_address(subject, prefixes)
    except UnicodeEncodeError:
        raise _Refused(Reason.UNICODE, "the subject is no valid Unicode text") from None
    except BadInput as error:
        raise _Refused(Reason.SUBJECT, str(error)) from None


def _payload(data: bytes) -> dict[str, Any]:
    try:
        payload = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise _Refused(Reason.NOT_JSON, str(error)) from None
    if not isinstance(payload, dict):
        raise _Refused(Reason.NOT_AN_OBJECT, f"the payload is {_type(payload)}, not an object")
    return payload


def _row(
    address: Address, payload: dict[str, Any], stream_created: str, stream_seq: int, stored_at: datetime
) -> Row:  # fmt: skip
    if not address.general:
        for key in _IDENTITY_KEYS:
            payload.pop(key, None)  # whatever it claims to be, the subject says who speaks [J09]
    values = {name: _take(payload, name, first, others) for name, first, others in _FIELDS}
    if not address.general:
        for name in _IDENTITY:
            values[name] = getattr(address, name)
        if values["channel"] == GENERAL:
            values["channel"] = None  # the copy on the global channel is a row of its own
    else:
        values["channel"] = GENERAL
    kind = values["kind"] or address.kind
    for name in _INDEXED:
        value = values[name]
        if value is not None and len(value) > MAX_KEY_BYTES // 4 and len(value.encode()) > MAX_KEY_BYTES:
            raise _Refused(Reason.TOO_LONG, f"{name} has {len(value.encode())} bytes, at most {MAX_KEY_BYTES} fit")
    timestamp = stored_at if values["timestamp"] is None else _time(values["timestamp"])
    content = _content(payload)
    message_id = values["message_id"]
    attrs = _attrs(payload, message_id)
    if message_id:
        key = dedupe_key(
            values["workflow_namespace"], values["workflow_uid"], values["agent_id"], values["channel"], kind,
            message_id, content,
        )  # fmt: skip
    else:
        key = dedupe_key_by_position(stream_created, stream_seq)
    return Row(
        workflow_uid=values["workflow_uid"],
        workflow_name=values["workflow_name"],
        workflow_namespace=values["workflow_namespace"],
        run_id=values["run_id"],
        step_id=values["step_id"],
        agent_id=values["agent_id"],
        channel=values["channel"],
        stage=values["stage"],
        role=values["role"] or DEFAULT_ROLE,
        kind=kind,
        content=content,
        timestamp=timestamp,
        attrs=attrs,
        dedupe_key=key,
        stream_seq=stream_seq,
    )


def _take(payload: dict[str, Any], name: str, first: str, others: tuple[str, ...]) -> str | None:
    """The field's text, taken out of `payload`; the keys behind the one that was used stay for `attrs`."""
    value = payload.pop(first, None)
    if value is None:
        for key in others:
            if (value := payload.pop(key, None)) is not None:
                break
        else:
            return None
    if isinstance(value, str):
        return value or None if name != "message_id" else value
    if name in _NUMERIC_TOO and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _Refused(Reason.WRONG_TYPE, f"{name} is {_type(value)}, not text")


def _content(payload: dict[str, Any]) -> str:
    """The content, exactly as it came; without any, the first alias that holds text, else nothing. [J02, J06]"""
    value = payload.pop("content", None)
    if isinstance(value, str):
        return value
    if value is not None:
        raise _Refused(Reason.WRONG_TYPE, f"content is {_type(value)}, not text")
    for key in _FALLBACKS:
        if isinstance(text := payload.get(key), str):
            if key != "status":  # a status is a field of its own, too
                del payload[key]
            return text
    return ""


def _attrs(payload: dict[str, Any], message_id: str | None) -> dict[str, Any]:
    """What has no column, in snake_case, falsy values too. [J07]"""
    given = payload.pop("attrs", None)
    if given is None:
        attrs: dict[str, Any] = {}
    elif isinstance(given, dict):
        attrs = given
    else:
        raise _Refused(Reason.WRONG_TYPE, f"attrs is {_type(given)}, not an object")
    for key, value in payload.items():
        name = key if key.islower() else _snake(key)
        attrs[key if name != key and name in payload else name] = value
    if message_id is not None:
        attrs["message_id"] = message_id
    if attrs:
        _refuse_odd_numbers(attrs)
    return attrs


@lru_cache(maxsize=1024)
def _snake(key: str) -> str:
    return _HUMP.sub("_", key).lower()


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise _Refused(Reason.TIMESTAMP, f"timestamp {text[:60]!r}: {error}") from None


def _refuse_odd_numbers(value: Any) -> None:
    """JSON such as 1e999 reads as infinity, which is no JSON and no jsonb. Depth is at most 200 here."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _Refused(Reason.NUMBER, "a number is too large for a double")
    elif isinstance(value, dict):
        for item in value.values():
            if not isinstance(item, str):
                _refuse_odd_numbers(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_odd_numbers(item)


def _refuse_nul(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise _Refused(Reason.NUL, "a text holds a NUL character, which Postgres cannot store")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key)
            _refuse_nul(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_nul(item)


def _type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def dedupe_key(
    namespace: str | None,
    uid: str | None,
    agent_id: str | None,
    channel: str | None,
    kind: str,
    message_id: str,
    content: str,
) -> str:
    """The key that makes a message one row however often it comes: SHA-256 in hex of identity, channel, kind, id and
    content. Live ingest and backfill use this same function. [J04, J05, J22]
    """
    return _hashed("id", namespace, uid, agent_id, channel, kind, message_id, content)


def dedupe_key_by_position(stream_created: str, stream_seq: int) -> str:
    """The key of a message without an id: the place where it is stored. A stream made anew counts from one again, so
    its creation time belongs to the place."""
    return _hashed("position", stream_created, str(stream_seq))


def _hashed(*parts: str | None) -> str:
    digest = hashlib.sha256()
    for part in parts:  # lengths keep ("ab", "c") and ("a", "bc") apart, and "-" keeps None apart from ""
        data = b"" if part is None else part.encode("utf-8", "surrogatepass")
        digest.update(b"-;" if part is None else b"%d;" % len(data))
        digest.update(data)
    return digest.hexdigest()
