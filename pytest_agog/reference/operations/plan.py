"""What has to change so that a server agrees with manifests. A pure function: no I/O, no clock. [C12]

Only what manifests name is looked at: their streams, and the durable consumers of these. Other streams, and with them
KV buckets and object stores, are nobody's drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pytest_agog.reference.operations.manifests import Manifests, Wanted
from pytest_agog.reference.operations.nack import SECOND
from pytest_agog.values import format_duration

Action = Literal["create", "update", "delete", "extra", "refused"]
_TIMES: Final = frozenset({
    "max_age", "duplicate_window", "ack_wait", "idle_heartbeat", "max_expires", "inactive_threshold",
    "subject_delete_marker_ttl", "priority_timeout",
})  # fmt: skip
_ANEW: Final = {
    "Stream": frozenset({"storage", "retention", "mirror", "max_consumers", "allow_msg_counter", "persist_mode"}),
    "Consumer": frozenset({
        "ack_policy", "replay_policy", "deliver_subject", "flow_control", "idle_heartbeat", "max_waiting",
    }),
}  # fmt: skip
"""Fields that no server changes in place."""
_ONE_WAY: Final = ("deny_delete", "deny_purge", "sealed", "allow_msg_ttl", "allow_msg_schedules")
"""What is once switched on stays on."""
_ONLY_AT_BIRTH: Final = frozenset({"first_seq", "deliver_policy", "opt_start_seq", "opt_start_time"})
"""Where something begins matters when it is made, and never again: ingest makes its consumer anew where it left off."""
_LIMITS: Final = frozenset({"max_age", "max_bytes", "max_msgs", "max_msgs_per_subject"})
_OWN_METADATA: Final = "_nats."


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not as the manifest has it, in the words of JetStream's API."""

    field: str
    wanted: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.field} is {_shown(self.field, self.found)} instead of {_shown(self.field, self.wanted)}"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs, and what applying does about it."""

    action: Action
    kind: str
    """`Stream` or `Consumer`."""
    stream: str
    name: str
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    """Why it is refused."""
    place: str = ""
    """`file:line` of the manifest; of what no manifest names, nothing."""
    config: Mapping[str, Any] | None = None
    """What the server is given."""

    @property
    def label(self) -> str:
        """`stream agent-comms`, `consumer agent-comms.jangar-agent-comms`."""
        return f"stream {self.name}" if self.kind == "Stream" else f"consumer {self.stream}.{self.name}"

    @property
    def told(self) -> str:
        """What differs, in words."""
        if self.action == "create":
            return "is not there"
        if self.action in ("extra", "delete"):
            return "is in no manifest"
        return "; ".join([*map(str, self.differences), *([self.reason] if self.reason else [])])


@dataclass(frozen=True, slots=True)
class Actual:
    """What the server has."""

    streams: Mapping[str, Mapping[str, Any]]
    """Answers of `STREAM.LIST`, by name."""
    consumers: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """Answers of `CONSUMER.LIST`, by stream and name."""
    clustered: bool
    """Whether it can keep more than one copy."""
    now: datetime


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may be done about differences."""

    prune: bool = False
    """Durable consumers that no manifest names are deleted."""
    allow_loss: bool = False
    """Limits may be lowered though stored messages are then dropped."""


def plan(wanted: Manifests, actual: Actual, wishes: Wishes | None = None) -> list[Change]:
    """Everything that differs, streams before their consumers. Empty when the server agrees."""
    wishes = wishes or Wishes()
    changes = [change for each in wanted.streams if (change := _stream(each, actual, wishes)) is not None]
    named = {each.name for each in wanted.streams}
    lost = {each.name for each in changes if each.action == "refused"} - set(actual.streams)
    for each in wanted.consumers:
        change = _consumer(each, actual, named | set(actual.streams), lost)
        changes += [change] if change is not None else []
    changes += _extras(wanted, actual, wishes)
    return changes


def _stream(wanted: Wanted, actual: Actual, wishes: Wishes) -> Change | None:
    lonely = ""
    if wanted.config["num_replicas"] > 1 and not actual.clustered:
        lonely = (
            f"{wanted.config['num_replicas']} replicas need a cluster, and this server runs alone: give --replicas 1 "
            "here, or apply to a cluster"
        )
    info = actual.streams.get(wanted.name)
    if info is None:
        return _change("refused" if lonely else "create", wanted, reason=lonely, config=_sendable(wanted.config))
    found = info["config"]
    differences = _differences(wanted, found)
    if not differences:
        return None
    reason = (
        _kept(wanted)
        or _anew(wanted, differences)
        or _one_way(wanted, found)
        or (lonely if any(each.field == "num_replicas" for each in differences) else "")
        or ("" if wishes.allow_loss else _loss(wanted.config, differences, info["state"], actual.now))
    )
    config = _sendable(_merged(wanted.config, found))
    return _change("refused" if reason else "update", wanted, differences, reason, config)


def _consumer(wanted: Wanted, actual: Actual, streams: set[str], lost: set[str]) -> Change | None:
    if wanted.stream not in streams:
        reason = f"stream {wanted.stream} is not there, and no manifest makes it"
        return _change("refused", wanted, reason=reason)
    if wanted.stream in lost:
        return _change("refused", wanted, reason=no_stream(wanted.stream))
    info = actual.consumers.get(wanted.stream, {}).get(wanted.name)
    if info is None:
        return _change("create", wanted, config=_sendable(wanted.config))
    differences = _differences(wanted, _with_filters(info["config"]))
    if not differences:
        return None
    reason = _kept(wanted) or _anew(wanted, differences)
    at_birth = {name: info["config"][name] for name in _ONLY_AT_BIRTH if name in info["config"]}
    others = {name: value for name, value in wanted.config.items() if name not in _ONLY_AT_BIRTH}
    config = _sendable(_merged({**others, **at_birth}, info["config"]))
    return _change("refused" if reason else "update", wanted, differences, reason, config)


def no_stream(name: str) -> str:
    """Why a consumer is not made whose stream was refused."""
    return f"its stream {name} was refused: correct that first"


def _extras(wanted: Manifests, actual: Actual, wishes: Wishes) -> Iterator[Change]:
    named = {(each.stream, each.name) for each in wanted.consumers}
    for stream in wanted.streams:
        for name, info in sorted(actual.consumers.get(stream.name, {}).items()):
            if (stream.name, name) not in named and info["config"].get("durable_name"):
                yield Change("delete" if wishes.prune else "extra", "Consumer", stream.name, name)


def _change(
    action: Action,
    wanted: Wanted,
    differences: Sequence[Difference] = (),
    reason: str = "",
    config: Mapping[str, Any] | None = None,
) -> Change:
    return Change(
        action, wanted.kind, wanted.stream, wanted.name, tuple(differences), reason, wanted.place, config
    )  # fmt: skip


def _differences(wanted: Wanted, found: Mapping[str, Any]) -> list[Difference]:
    differing = []
    for name, value in wanted.config.items():
        if name in _ONLY_AT_BIRTH:
            continue
        there = _normal(name, found.get(name), value)
        if there != _normal(name, value, value):
            differing.append(Difference(name, value, there))
    return differing


def _normal(name: str, value: Any, like: Any) -> Any:
    """What the server leaves out is its default, order does not matter where it means nothing."""
    if name == "metadata":
        return {key: text for key, text in (value or {}).items() if not key.startswith(_OWN_METADATA)}
    if name in ("subjects", "filter_subjects"):
        return sorted(value or ())
    if name == "placement":
        return {key: part for key, part in (value or {}).items() if part}
    if name in ("mirror", "subject_transform", "republish"):
        return {key: part for key, part in (value or {}).items() if part} or None
    if name == "persist_mode":
        return value or "default"
    if value is None:
        defaults: dict[type, Any] = {bool: False, int: 0, str: "", list: []}
        return -1 if name in ("max_deliver", "max_msgs_per_subject") else defaults.get(type(like))
    return value


def _with_filters(found: Mapping[str, Any]) -> dict[str, Any]:
    one = [found["filter_subject"]] if found.get("filter_subject") else []
    return {**found, "filter_subjects": [*one, *(found.get("filter_subjects") or ())]}


def _merged(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What no manifest can speak of stays as it is."""
    own = {key: value for key, value in (found.get("metadata") or {}).items() if key.startswith(_OWN_METADATA)}
    kept = {name: value for name, value in found.items() if name not in ("filter_subject", "filter_subjects")}
    if "duplicate_window" not in wanted and 0 < wanted.get("max_age", 0) < kept.get("duplicate_window", 0):
        del kept["duplicate_window"]  # none is longer than the age; the server chooses one that fits
    return {**kept, **wanted, "metadata": {**own, **(wanted.get("metadata") or {})}}


def _sendable(config: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty; one filter is sent in the form that every server knows."""
    # Also without what is off: a server that does not know a field refuses it.
    found = {name: value for name, value in config.items() if value not in (None, "", [], {}) and value is not False}
    filters = found.pop("filter_subjects", [])
    if len(filters) == 1:
        found["filter_subject"] = filters[0]
    elif filters:
        found["filter_subjects"] = filters
    return found


def _kept(wanted: Wanted) -> str:
    return "its manifest says preventUpdate" if wanted.prevent_update else ""


def _anew(wanted: Wanted, differences: Sequence[Difference]) -> str:
    fixed = [each.field for each in differences if each.field in _ANEW[wanted.kind]]
    if not fixed:
        return ""
    lost = "its messages" if wanted.kind == "Stream" else "its position"
    return (
        f"{' and '.join(fixed)} cannot be changed in place, and making it anew loses {lost}: copy what you need "
        "(agog backup), delete it yourself and apply again"
    )


def _one_way(wanted: Wanted, found: Mapping[str, Any]) -> str:
    fixed = [name for name in _ONE_WAY if found.get(name) and wanted.config.get(name) is False]
    if not fixed:
        return ""
    return (
        f"{' and '.join(fixed)} cannot be taken back: say so in the manifest, or copy the stream (agog backup), delete "
        "it yourself and apply again"
    )


def _loss(wanted: Mapping[str, Any], differences: Sequence[Difference], state: Mapping[str, Any], now: datetime) -> str:
    """Which lowered limit would drop messages that are stored."""
    lowered = {each.field: each.wanted for each in differences if each.field in _LIMITS and wanted[each.field] > 0}
    messages = int(state.get("messages", 0))
    dropped = []
    if 0 < lowered.get("max_msgs", 0) < messages:
        dropped.append(f"max_msgs {lowered['max_msgs']} of {messages} stored")
    if 0 < lowered.get("max_bytes", 0) < int(state.get("bytes", 0)):
        dropped.append(f"max_bytes {lowered['max_bytes']} of {state['bytes']} stored")
    if messages and "max_age" in lowered:
        age = now - _time(str(state["first_ts"]))
        if age > timedelta(seconds=lowered["max_age"] / SECOND):
            dropped.append(f"max_age {_shown('max_age', lowered['max_age'])}, the oldest is {age.days} days old")
    if messages and "max_msgs_per_subject" in lowered and messages > int(state.get("num_subjects", messages)):
        dropped.append(f"max_msgs_per_subject {lowered['max_msgs_per_subject']}")
    return f"stored messages would be dropped ({'; '.join(dropped)}): give --allow-loss" if dropped else ""


def _time(text: str) -> datetime:
    """RFC 3339 with nanoseconds, which Python's own parser cuts at microseconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def _shown(name: str, value: Any) -> str:
    if name in _TIMES and isinstance(value, int):
        return format_duration(value / SECOND) if value else "unlimited"
    if isinstance(value, str):
        return value or "empty"
    return "empty" if value in ([], {}, None) else str(value)
