"""[D5] Creating the streams and durable consumers of the contract: idempotent, field by field, changed only on demand.

First one look at what is there, then only what is absent is created, side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pytest_agog.errors import StreamDiffers
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.objects import ensure_bucket
from pytest_agog.wire import streams as wire
from pytest_agog.wire import subjects
from pytest_agog.wire.comms import PREFIXES
from pytest_agog.wire.naming import CONTRACT, STREAM, WireNames

Action = Literal["created", "unchanged", "differs", "updated", "refused"]
_NANOSECONDS: Final = 10**9
_NAME_IN_USE: Final = frozenset({10058, 10148})
_FIXED_STREAM_FIELDS: Final = frozenset({"storage"})
_FIXED_CONSUMER_FIELDS: Final = frozenset({"ack_policy", "deliver_policy", "deliver_subject", "durable_name"})


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not as defined, in the words of the JetStream API (durations in seconds)."""

    field: str
    expected: Any
    actual: Any
    fixed: bool = False
    """Whether the server cannot change this field."""

    def __str__(self) -> str:
        fixed = " (cannot be changed: delete and create it again)" if self.fixed else ""
        return f"{self.field} is {self.actual!r} instead of {self.expected!r}{fixed}"


@dataclass(frozen=True, slots=True)
class ConsumerOutcome:
    """What became of a durable consumer."""

    name: str
    action: Action
    differences: tuple[Difference, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StreamOutcome:
    """What became of a stream and its consumers. `differs` and `refused` leave it as it was."""

    name: str
    action: Action
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    """Why the server refused."""
    consumers: tuple[ConsumerOutcome, ...] = ()

    @property
    def as_defined(self) -> bool:
        """Whether the stream and all its consumers are now as defined."""
        actions = {self.action, *(consumer.action for consumer in self.consumers)}
        return not actions & {"differs", "refused"}

    def raise_if_wrong(self) -> None:
        """StreamDiffers, unless it is as defined."""
        if self.as_defined:
            return
        parts = [str(difference) for difference in self.differences] + ([self.reason] if self.reason else [])
        for consumer in self.consumers:
            texts = [str(difference) for difference in consumer.differences] + (
                [consumer.reason] if consumer.reason else []
            )
            parts += [f"consumer {consumer.name}: {text}" for text in texts]
        raise StreamDiffers(stream=self.name, differences="; ".join(parts))


def definitions(agents: Mapping[str, str] | None = None, replicas: int = 1) -> tuple[wire.StreamDefinition, ...]:
    """The streams of the contract, and those of further `agents` (name to type of deliverable).

    An agent whose type has a stream already shares it.

    Raises:
        InvalidToken: a name cannot be part of a subject.
    """
    found = {stream.name: stream for stream in wire.STREAMS}
    for agent, kind in (agents or {}).items():
        subjects.deliverable(agent, kind, "any")
        stream = wire.feature_stream(agent, kind)
        known = found.get(stream.name)
        if known is not None and stream.subjects[0] not in known.subjects:
            stream = replace(known, subjects=(*known.subjects, *stream.subjects))
        elif known is not None:
            stream = known
        found[stream.name] = stream
    return tuple(stream.replicated(replicas) for stream in found.values())


async def init_streams(
    link: Link,
    *,
    update: bool = False,
    replicas: int | None = None,
    agents: Mapping[str, str] | None = None,
    check: bool = False,
    names: WireNames = CONTRACT,
) -> list[StreamOutcome]:
    """Bring streams and consumers about, in the order of the contract.

    `update` changes what differs; `check` changes and creates nothing (what is absent is then `refused`, "absent"). Of
    an agent comms with other `names` the stream is created and its consumer is left to the system itself. Without
    `replicas` new streams get three in a cluster and one elsewhere, and what is there keeps its number.

    Raises:
        JetStreamDisabled, NatsUnreachable, CredentialsRefused: as the link says.
    """
    wanted = [_named(stream, names) for stream in definitions(agents, link.copies(replicas))]
    try:
        infos = await jetstream.list_all(link, "STREAM.LIST", "streams", needed={stream.name for stream in wanted})
    except jetstream.Refusal as refusal:
        raise refusal.as_error("listing the streams", url=link.url) from None
    there = {info["config"]["name"]: info for info in infos}
    if replicas is None:
        wanted = [_as_many_as(stream, there.get(stream.name)) for stream in wanted]
    consumers = [one for one in wire.CONSUMERS if one.stream != names.stream or one.name == names.consumer]
    work = _Work(link, consumers, update=update, check=check)
    outcomes = list(await asyncio.gather(*(work.stream(stream, there.get(stream.name)) for stream in wanted)))
    if link.guarded and not check:
        # Whoever publishes the first large report creates its bucket, except where users are told apart: agents must
        # not create streams, for a stream may be a mirror of any other.
        await ensure_bucket(link, link.copies(replicas), update=update)
    return outcomes


def _as_many_as(stream: wire.StreamDefinition, info: dict[str, Any] | None) -> wire.StreamDefinition:
    return stream if info is None else stream.replicated(int(info["config"].get("num_replicas") or 1))


def _named(stream: wire.StreamDefinition, names: WireNames) -> wire.StreamDefinition:
    """The stream of agent comms as the target calls it, with the target's subjects beside the contract's."""
    if stream.name != STREAM:
        return stream
    further = () if names.prefix in PREFIXES else (f"{names.prefix}.>",)
    return replace(stream, name=names.stream, subjects=(*stream.subjects, *further))


class _Work:
    def __init__(self, link: Link, consumers: Sequence[wire.ConsumerDefinition], *, update: bool, check: bool) -> None:
        self._link = link
        self._consumers = consumers
        self._update = update
        self._check = check

    async def stream(self, wanted: wire.StreamDefinition, info: dict[str, Any] | None) -> StreamOutcome:
        try:
            return await self._stream(wanted, info)
        except jetstream.Refusal as refusal:
            return StreamOutcome(wanted.name, "refused", reason=_told(refusal))

    async def _stream(self, wanted: wire.StreamDefinition, info: dict[str, Any] | None) -> StreamOutcome:
        outcome = await self._bring(wanted, info)
        consumers = [consumer for consumer in self._consumers if consumer.stream == wanted.name]
        if not consumers or (info is None and outcome.action == "refused"):
            return outcome
        there: dict[str, Any] = {}
        if info is not None and info["state"].get("consumer_count"):
            needed = {consumer.name for consumer in consumers}
            listing = f"CONSUMER.LIST.{wanted.name}"
            found = await jetstream.list_all(self._link, listing, "consumers", needed=needed)
            there = {consumer["name"]: consumer for consumer in found}
        outcomes = await asyncio.gather(*(self._consumer(consumer, there.get(consumer.name)) for consumer in consumers))
        return replace(outcome, consumers=tuple(outcomes))

    async def _bring(self, wanted: wire.StreamDefinition, info: dict[str, Any] | None) -> StreamOutcome:
        config = stream_config(wanted)
        if info is None:
            if self._check:
                return StreamOutcome(wanted.name, "refused", reason="absent")
            try:
                await jetstream.call(self._link, f"STREAM.CREATE.{wanted.name}", config)
            except jetstream.Refusal as refusal:
                if refusal.err_code not in _NAME_IN_USE:
                    return StreamOutcome(wanted.name, "refused", reason=_told(refusal))
                # Somebody else created it a moment ago, with another definition.
                info = await jetstream.call(self._link, f"STREAM.INFO.{wanted.name}")
            else:
                return StreamOutcome(wanted.name, "created")
        differences = _compare(config, info["config"], _FIXED_STREAM_FIELDS)
        if not differences:
            return StreamOutcome(wanted.name, "unchanged")
        if not self._update:
            return StreamOutcome(wanted.name, "differs", differences)
        # What the contract does not speak of (description, placement, …) stays as it is.
        merged = {**info["config"], **config}
        if "subject_transform" not in config:
            merged.pop("subject_transform", None)
        try:
            await jetstream.call(self._link, f"STREAM.UPDATE.{wanted.name}", merged)
        except jetstream.Refusal as refusal:
            return StreamOutcome(wanted.name, "refused", differences, reason=_told(refusal))
        return StreamOutcome(wanted.name, "updated", differences)

    async def _consumer(self, wanted: wire.ConsumerDefinition, info: dict[str, Any] | None) -> ConsumerOutcome:
        config = consumer_config(wanted)
        if info is None:
            if self._check:
                return ConsumerOutcome(wanted.name, "refused", reason="absent")
            return await self._make(wanted, config, "created", ())
        differences = _compare(config, info["config"], _FIXED_CONSUMER_FIELDS)
        if not differences:
            return ConsumerOutcome(wanted.name, "unchanged")
        if not self._update:
            return ConsumerOutcome(wanted.name, "differs", differences)
        merged = {**info["config"], **config}
        for absent in ("filter_subject", "deliver_subject"):
            if absent not in config:
                merged.pop(absent, None)
        merged.pop("filter_subjects", None)
        return await self._make(wanted, merged, "updated", differences)

    async def _make(
        self, wanted: wire.ConsumerDefinition, config: dict[str, Any], done: Action, differences: tuple[Difference, ...]
    ) -> ConsumerOutcome:
        verb = f"CONSUMER.DURABLE.CREATE.{wanted.stream}.{wanted.name}"
        try:
            await jetstream.call(self._link, verb, {"stream_name": wanted.stream, "config": config})
        except jetstream.Refusal as refusal:
            return ConsumerOutcome(wanted.name, "refused", differences, reason=_told(refusal))
        return ConsumerOutcome(wanted.name, done, differences)


def stream_config(stream: wire.StreamDefinition) -> dict[str, Any]:
    """`stream` as the JetStream API takes it."""
    config: dict[str, Any] = {
        "name": stream.name, "subjects": list(stream.subjects), "retention": "limits", "discard": "old",
        "storage": "file", "allow_direct": True, "max_msgs": stream.max_msgs, "max_bytes": stream.max_bytes,
        "max_age": int(stream.max_age * _NANOSECONDS), "max_msg_size": stream.max_msg_size,
        "num_replicas": stream.replicas, "duplicate_window": int(stream.duplicate_window * _NANOSECONDS),
    }  # fmt: skip
    if stream.transform is not None:
        config["subject_transform"] = {"src": stream.transform.source, "dest": stream.transform.destination}
    return config


def consumer_config(consumer: wire.ConsumerDefinition) -> dict[str, Any]:
    """`consumer` as the JetStream API takes it."""
    config: dict[str, Any] = {
        "durable_name": consumer.name, "ack_policy": "explicit", "deliver_policy": consumer.deliver,
        "ack_wait": int(consumer.ack_wait * _NANOSECONDS), "max_ack_pending": consumer.max_ack_pending,
    }  # fmt: skip
    if consumer.filter_subject is not None:
        config["filter_subject"] = consumer.filter_subject
    return config


_TIMES: Final = frozenset({"max_age", "duplicate_window", "ack_wait"})
_WHERE_ABSENCE_COUNTS: Final = ("subject_transform", "filter_subject", "filter_subjects", "deliver_subject")


def _compare(wanted: dict[str, Any], actual: dict[str, Any], fixed: frozenset[str]) -> tuple[Difference, ...]:
    found = []
    fields = [*wanted, *(name for name in _WHERE_ABSENCE_COUNTS if name not in wanted and actual.get(name))]
    for name in fields:
        expected, given = wanted.get(name), actual.get(name)
        if name == "subjects" and sorted(expected or ()) == sorted(given or ()):
            continue
        if expected == given or (expected is False and given is None):
            continue
        if name in _TIMES:
            expected, given = _seconds(expected), _seconds(given)
        found.append(Difference(name, expected, given, fixed=name in fixed or _fixed_retention(name, expected, given)))
    return tuple(found)


def _fixed_retention(name: str, expected: object, actual: object) -> bool:
    return name == "retention" and "workqueue" in (expected, actual)


def _seconds(value: object) -> object:
    return value / _NANOSECONDS if isinstance(value, int) else value


def _told(refusal: jetstream.Refusal) -> str:
    hint = "; raise the server's max_file_store" if refusal.err_code in jetstream.STORE_FULL else ""
    return f"{refusal.description}, error {refusal.err_code}{hint}"
