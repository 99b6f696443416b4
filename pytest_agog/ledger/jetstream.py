"""JetStream's API as the ledger writes it: names of subjects, durations in seconds, absent fields filled in. Pure.

The server's JSON leaves out what has its default and gives durations in nanoseconds. Facts keep the API's names, give
every duration in seconds (float; 0 is for ever), and always hold the fields that claims are made about.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pytest_agog.ledger.answers import ConsumerSeen, StreamSeen
from pytest_agog.ledger.facts import ServerSeen
from pytest_agog.ledger.payloads import Headers

API: Final = "$JS.API"
STREAM_LIST: Final = f"{API}.STREAM.LIST"
NO_MESSAGE: Final = 10037
"""JetStream's error code for a sequence that is not there."""
NOT_ENABLED: Final = frozenset({10039, 10076})
"""JetStream's error codes for an account, or a server, without JetStream."""
STREAM_NOT_FOUND: Final = 10059

WITH_DELETED: Final = b'{"deleted_details": true}'
"""What STREAM.INFO is asked with, so that `state.deleted` lists the sequences that were deleted."""

_STREAM_SECONDS: Final = ("max_age", "duplicate_window", "subject_delete_marker_ttl")
_CONSUMER_SECONDS: Final = ("ack_wait", "idle_heartbeat", "inactive_threshold", "max_expires", "priority_timeout")
_STREAM_DEFAULTS: Final[dict[str, Any]] = {
    "subjects": [], "max_age": 0, "duplicate_window": 0, "storage": "file", "retention": "limits", "num_replicas": 1,
    "max_msgs": -1, "max_bytes": -1, "max_msg_size": -1, "max_consumers": -1, "max_msgs_per_subject": -1,
    "discard": "old", "no_ack": False, "persist_mode": "default", "allow_direct": False, "subject_transform": None,
}  # fmt: skip
_CONSUMER_DEFAULTS: Final[dict[str, Any]] = {
    "ack_policy": "none", "deliver_policy": "all", "ack_wait": 0, "max_deliver": -1, "max_ack_pending": 0,
    "filter_subject": None, "filter_subjects": [], "num_replicas": 0,
}  # fmt: skip
_CONSUMER_STATE: Final = ("num_pending", "num_ack_pending", "num_redelivered", "num_waiting", "ack_floor", "delivered")
# What direct get adds to a stored message's own headers (ADR-31).
DIRECT_HEADERS: Final = (
    "Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp",
    "Nats-Num-Pending", "Nats-Last-Sequence", "Nats-UpTo-Sequence",
)  # fmt: skip


def direct_get(stream: str) -> str:
    """Subject of direct get (ADR-31): any replica answers, nothing in the stream changes."""
    return f"{API}.DIRECT.GET.{stream}"


def message_get(stream: str) -> str:
    """Subject of STREAM.MSG.GET: the stream's leader answers, with JSON and base64."""
    return f"{API}.STREAM.MSG.GET.{stream}"


def stream_info(stream: str) -> str:
    """Subject of STREAM.INFO."""
    return f"{API}.STREAM.INFO.{stream}"


def consumer_info(stream: str, consumer: str) -> str:
    """Subject of CONSUMER.INFO."""
    return f"{API}.CONSUMER.INFO.{stream}.{consumer}"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as a stream returned it."""

    sequence: int
    time: float
    subject: str
    headers: Headers
    data: bytes


def stream_seen(name: str, info: Mapping[str, Any] | None) -> StreamSeen:
    """The fact that `info` (one STREAM.INFO or one entry of STREAM.LIST) stands for; None when there is no stream."""
    probe = f"stream:{name}"
    if info is None:
        return StreamSeen(probe=probe, stream=name, exists=False)
    config = _STREAM_DEFAULTS | _in_seconds(info.get("config") or {}, _STREAM_SECONDS)
    config["subjects"] = config["subjects"] or []
    if isinstance(limits := config.get("consumer_limits"), Mapping):
        config["consumer_limits"] = _in_seconds(limits, _CONSUMER_SECONDS)
    state = {"messages": 0, "bytes": 0, "first_seq": 0, "last_seq": 0} | dict(info.get("state") or {})
    if "created" in info:
        state["created"] = info["created"]
    return StreamSeen(probe=probe, stream=name, exists=True, config=config, state=state)


def consumer_seen(stream: str, consumer: str, info: Mapping[str, Any] | None) -> ConsumerSeen:
    """The fact that `info` (CONSUMER.INFO) stands for; None when there is no such consumer."""
    probe = f"consumer:{stream}:{consumer}"
    if info is None:
        return ConsumerSeen(probe=probe, stream=stream, consumer=consumer, exists=False)
    config = _CONSUMER_DEFAULTS | _in_seconds(info.get("config") or {}, _CONSUMER_SECONDS)
    if isinstance(config.get("backoff"), list):
        config["backoff"] = [_seconds(value) for value in config["backoff"]]
    state: dict[str, Any] = {name: info.get(name, 0) for name in _CONSUMER_STATE}
    for name in ("ack_floor", "delivered"):
        state[name] = state[name] or {"consumer_seq": 0, "stream_seq": 0}
    return ConsumerSeen(probe=probe, stream=stream, consumer=consumer, exists=True, config=config, state=state)


def server_seen(url: str, varz: Mapping[str, Any]) -> ServerSeen:
    """What a server says of itself in `/varz`."""
    jetstream = varz.get("jetstream") or {}
    config = jetstream.get("config") or {}
    cluster = jetstream.get("meta") or {}
    return ServerSeen(
        url=url,
        version=str(varz.get("version", "")),
        max_payload=int(varz.get("max_payload", 0)),
        sync_always=bool(config.get("sync_always", False)),
        servers=max(1, int(cluster.get("cluster_size", 1) or 1)),
    )


def from_direct(headers: Mapping[str, str], data: bytes) -> StoredMessage:
    """A message out of a direct get reply. KeyError or ValueError when the reply is none."""
    own = {key: value for key, value in headers.items() if key not in DIRECT_HEADERS}
    return StoredMessage(
        int(headers["Nats-Sequence"]), timestamp(headers["Nats-Time-Stamp"]), headers["Nats-Subject"], own, data
    )


def from_message_get(reply: Mapping[str, Any]) -> StoredMessage | None:
    """A message out of a STREAM.MSG.GET reply; None when there is none at that sequence.

    Raises:
        ValueError: the server answered with another error.
    """
    if (error := reply.get("error")) is not None:
        if error.get("err_code") == NO_MESSAGE:
            return None
        raise ValueError(str(error.get("description", error)))
    message = reply["message"]
    try:
        raw = base64.b64decode(message.get("hdrs") or "")
        data = base64.b64decode(message.get("data") or "")
    except binascii.Error as error:
        raise ValueError(f"the message is no base64: {error}") from None
    return StoredMessage(int(message["seq"]), timestamp(message["time"]), message["subject"], parse_headers(raw), data)


def parse_headers(raw: bytes) -> Headers:
    """Headers from their encoded form (`NATS/1.0`, then `Name: value` lines); equal names: the last, as nats-py."""
    found: Headers = {}
    for line in raw.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        try:
            key = name.strip().decode("ascii")
        except UnicodeDecodeError:
            continue
        if colon and key and not any(character.isspace() for character in key):
            found[key] = value.strip().decode("utf-8", "replace")
    return found


def parse(data: bytes) -> dict[str, Any]:
    """An API reply's JSON object.

    Raises:
        ValueError: it is no JSON object.
    """
    document = json.loads(data)
    if not isinstance(document, dict):
        raise ValueError("the reply is no JSON object")  # noqa: TRY004 - one kind of error for a bad reply
    return document


def timestamp(text: str) -> float:
    """Seconds since the epoch from the server's RFC 3339 with nanoseconds."""
    return datetime.fromisoformat(text).timestamp()


def _in_seconds(config: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {key: _seconds(value) if key in names else value for key, value in config.items()}


def _seconds(nanoseconds: Any) -> float:
    return nanoseconds / 1e9 if isinstance(nanoseconds, (int, float)) else 0.0
