"""NACK's `Stream` and `Consumer`, jetstream.nats.io/v1beta2, with its defaults, as JetStream's API takes them. [C12]

Fields and defaults are those of the custom resource definitions; a field that they do not have is an error, as the
Kubernetes API would drop it in silence. How NACK itself reaches the server (`servers`, `creds`, `nkey`, `tls`,
`account`) is accepted and plays no part here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from pytest_agog.values import Strict

API_VERSION: Final = "jetstream.nats.io/v1beta2"
GROUP: Final = "jetstream.nats.io/"
SECOND: Final = 10**9
_UNITS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
                 "h": 3600 * 10**9}  # fmt: skip
_PART: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)

_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_LARGEST: Final = 2**63 - 1
"""Of Go's whole numbers, which the server has."""


def go_duration(text: object) -> int:
    """Nanoseconds of a duration as Go writes it: `168h`, `1h30m`, `500ms`. Empty is 0. ValueError otherwise."""
    if text == "":
        return 0
    parts = _PART.findall(text) if isinstance(text, str) else []
    if not parts or "".join(f"{whole}{'.' + part if part else ''}{unit}" for whole, part, unit in parts) != text:
        days = re.fullmatch(r"(\d{1,6})d", text) if isinstance(text, str) else None
        remedy = f"; Go has no days, write {int(days[1]) * 24}h" if days else ""
        raise ValueError(f"expected a duration of Go's, such as 30s, 2m or 168h{remedy}")
    found = sum(
        int(whole) * _UNITS[unit] + (int(part) * _UNITS[unit] // 10 ** len(part) if part else 0)
        for whole, part, unit in parts
    )
    if found > _LARGEST:
        raise ValueError("longer than Go's durations go, about 292 years; write 0s for no limit")
    return found


def moment(text: object) -> str:
    """A time as RFC 3339 has it, in the one form in which servers give it back. Empty stays so. ValueError otherwise.

    Servers write UTC with a Z and no zeros at the end of a fraction: compared as text, `+00:00` would differ for ever.
    """
    if text == "":
        return ""
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("expected a time as RFC 3339 has it, such as 2026-01-31T12:00:00Z")
    try:
        whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00")).astimezone(UTC)
    except OverflowError:
        raise ValueError("a time outside the years 1 to 9999") from None
    fraction = (match[2] or "").rstrip("0")
    return f"{whole.isoformat()[:19]}{'.' + fraction if fraction else ''}Z"


def _token(name: str) -> str:
    if re.search(r"[\s.*>/\\]", name) or not name.isprintable():
        raise ValueError("a name has no dots, spaces, wildcards or slashes")
    return name


GoDuration = Annotated[int, BeforeValidator(go_duration)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_token)]
Moment = Annotated[str, BeforeValidator(moment)]
Limit = Annotated[int, Field(ge=-1, le=_LARGEST, strict=True)]
Count = Annotated[int, Field(ge=0, le=_LARGEST, strict=True)]
Subject = Annotated[str, StringConstraints(min_length=1, pattern=r"^\S+$")]


class Resource(Strict):
    """What every Kubernetes object has."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Metadata(Resource):
    """The name under which Kubernetes knows the object; labels and the like are Kubernetes' own."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
    namespace: str = "default"


class Transform(Resource):
    """Subjects that fit `source` are stored under `dest`."""

    source: str = ""
    dest: str = ""


class Republish(Resource):
    """What is stored is published once more."""

    source: str = ""
    destination: str


class Placement(Resource):
    """Where in a cluster the stream may live."""

    cluster: str = ""
    tags: tuple[str, ...] = ()


class Source(Resource):
    """A stream that this one mirrors or gathers from."""

    name: Name
    opt_start_seq: Count = Field(default=0, alias="optStartSeq")
    opt_start_time: Moment = Field(default="", alias="optStartTime")
    filter_subject: str = Field(default="", alias="filterSubject")
    external_api_prefix: str = Field(default="", alias="externalApiPrefix")
    external_deliver_prefix: str = Field(default="", alias="externalDeliverPrefix")
    subject_transforms: tuple[Transform, ...] = Field(default=(), alias="subjectTransforms")


class Reaching(Resource):
    """How NACK reaches the server, and what it leaves alone."""

    servers: tuple[str, ...] = ()
    creds: str = ""
    nkey: str = ""
    tls: dict[str, Any] = Field(default_factory=dict)
    account: str = ""
    prevent_delete: bool = Field(default=False, alias="preventDelete")
    prevent_update: bool = Field(default=False, alias="preventUpdate")


class StreamSpec(Reaching):
    """`spec` of a Stream."""

    name: Name
    subjects: tuple[Subject, ...] = ()
    retention: Literal["limits", "interest", "workqueue"] = "limits"
    max_consumers: Limit = Field(default=-1, alias="maxConsumers")
    max_msgs: Limit = Field(default=-1, alias="maxMsgs")
    max_bytes: Limit = Field(default=-1, alias="maxBytes")
    max_age: GoDuration = Field(default=0, alias="maxAge")
    max_msg_size: Limit = Field(default=-1, alias="maxMsgSize")
    max_msgs_per_subject: Limit = Field(default=0, alias="maxMsgsPerSubject")
    storage: Literal["file", "memory"] = "memory"
    replicas: Annotated[int, Field(ge=1, le=5, strict=True)] = 1
    no_ack: bool = Field(default=False, alias="noAck")
    discard: Literal["old", "new"] = "old"
    discard_per_subject: bool = Field(default=False, alias="discardPerSubject")
    duplicate_window: GoDuration | None = Field(default=None, alias="duplicateWindow")
    description: str = ""
    mirror: Source | None = None
    sources: tuple[Source, ...] = ()
    placement: Placement | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    republish: Republish | None = None
    first_sequence: Count = Field(default=0, alias="firstSequence")
    compression: Literal["s2", "none", ""] = ""
    subject_transform: Transform | None = Field(default=None, alias="subjectTransform")
    allow_direct: bool = Field(default=False, alias="allowDirect")
    allow_rollup: bool = Field(default=False, alias="allowRollup")
    deny_delete: bool = Field(default=False, alias="denyDelete")

    @model_validator(mode="after")
    def _takes_something(self) -> StreamSpec:
        if not (self.subjects or self.mirror or self.sources):
            raise ValueError("give subjects, a mirror or sources: without them it would take the subject of its name")
        if self.mirror and self.subjects:
            raise ValueError("a mirror has no subjects of its own")
        return self

    def config(self) -> dict[str, Any]:
        """As JetStream's API takes it; what the manifest leaves to the server is left out."""
        found: dict[str, Any] = {
            "name": self.name, "subjects": list(self.subjects), "retention": self.retention, "discard": self.discard,
            "storage": self.storage, "num_replicas": self.replicas, "max_consumers": self.max_consumers,
            "max_msgs": self.max_msgs, "max_bytes": self.max_bytes, "max_age": self.max_age,
            "max_msg_size": self.max_msg_size, "max_msgs_per_subject": self.max_msgs_per_subject or -1,
            "no_ack": self.no_ack, "discard_new_per_subject": self.discard_per_subject,
            "description": self.description, "compression": self.compression or "none",
            "allow_direct": self.allow_direct, "allow_rollup_hdrs": self.allow_rollup, "deny_delete": self.deny_delete,
            "metadata": dict(self.metadata), "sources": [_source(each) for each in self.sources],
            "mirror": _source(self.mirror) if self.mirror else None,
            "subject_transform": _pair(self.subject_transform),
            "republish": {"src": self.republish.source, "dest": self.republish.destination} if self.republish else None,
        }  # fmt: skip
        if self.duplicate_window is not None:
            found["duplicate_window"] = self.duplicate_window
        if self.first_sequence:
            found["first_seq"] = self.first_sequence
        if self.placement is not None:
            found["placement"] = {"cluster": self.placement.cluster, "tags": list(self.placement.tags)}
        return found


class ConsumerSpec(Reaching):
    """`spec` of a Consumer."""

    stream_name: Name = Field(alias="streamName")
    durable_name: Name = Field(alias="durableName")
    deliver_policy: Literal["all", "last", "new", "byStartSequence", "byStartTime"] = Field(
        default="all", alias="deliverPolicy"
    )
    opt_start_seq: Count | None = Field(default=None, alias="optStartSeq")
    opt_start_time: Moment | None = Field(default=None, alias="optStartTime")
    deliver_subject: str = Field(default="", alias="deliverSubject")
    deliver_group: str = Field(default="", alias="deliverGroup")
    ack_policy: Literal["none", "all", "explicit"] = Field(default="none", alias="ackPolicy")
    ack_wait: GoDuration | None = Field(default=None, alias="ackWait")
    max_deliver: Limit = Field(default=-1, alias="maxDeliver")
    backoff: tuple[GoDuration, ...] = ()
    filter_subject: str = Field(default="", alias="filterSubject")
    filter_subjects: tuple[Subject, ...] = Field(default=(), alias="filterSubjects")
    replay_policy: Literal["instant", "original"] = Field(default="instant", alias="replayPolicy")
    sample_freq: str = Field(default="", alias="sampleFreq")
    max_waiting: Count | None = Field(default=None, alias="maxWaiting")
    rate_limit_bps: Count = Field(default=0, alias="rateLimitBps")
    max_ack_pending: Limit | None = Field(default=None, alias="maxAckPending")
    description: str = ""
    flow_control: bool = Field(default=False, alias="flowControl")
    headers_only: bool = Field(default=False, alias="headersOnly")
    heartbeat_interval: GoDuration = Field(default=0, alias="heartbeatInterval")
    max_request_batch: Count = Field(default=0, alias="maxRequestBatch")
    max_request_expires: GoDuration = Field(default=0, alias="maxRequestExpires")
    max_request_max_bytes: Count = Field(default=0, alias="maxRequestMaxBytes")
    replicas: Annotated[int, Field(ge=0, le=5, strict=True)] = 0
    mem_storage: bool = Field(default=False, alias="memStorage")
    metadata: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> ConsumerSpec:
        if self.filter_subject and self.filter_subjects:
            raise ValueError("give one of filterSubject and filterSubjects")
        if (self.deliver_policy == "byStartSequence") != (self.opt_start_seq is not None):
            raise ValueError("deliverPolicy byStartSequence and optStartSeq belong together")
        if (self.deliver_policy == "byStartTime") != (self.opt_start_time is not None):
            raise ValueError("deliverPolicy byStartTime and optStartTime belong together")
        if self.ack_policy != "none" and self.ack_wait is None and not self.backoff:
            raise ValueError("ackWait is not stated, and NACK's default of 1ns would redeliver everything at once")
        return self

    def config(self) -> dict[str, Any]:
        """As JetStream's API takes it; what the manifest leaves to the server is left out."""
        policies = {"byStartSequence": "by_start_sequence", "byStartTime": "by_start_time"}
        found: dict[str, Any] = {
            "durable_name": self.durable_name,
            "deliver_policy": policies.get(self.deliver_policy, self.deliver_policy),
            "ack_policy": self.ack_policy, "max_deliver": self.max_deliver, "replay_policy": self.replay_policy,
            "filter_subjects": sorted({*self.filter_subjects, *([self.filter_subject] if self.filter_subject else [])}),
            "description": self.description, "deliver_subject": self.deliver_subject,
            "deliver_group": self.deliver_group, "flow_control": self.flow_control, "headers_only": self.headers_only,
            "idle_heartbeat": self.heartbeat_interval, "rate_limit_bps": self.rate_limit_bps,
            "sample_freq": self.sample_freq, "backoff": list(self.backoff), "max_batch": self.max_request_batch,
            "max_expires": self.max_request_expires, "max_bytes": self.max_request_max_bytes,
            "mem_storage": self.mem_storage, "metadata": dict(self.metadata),
        }  # fmt: skip
        # With a back-off its first step is the ack wait, whatever else is stated.
        stated = {
            "ack_wait": self.backoff[0] if self.backoff else self.ack_wait,
            "opt_start_seq": self.opt_start_seq, "opt_start_time": self.opt_start_time,
            "max_waiting": self.max_waiting, "max_ack_pending": self.max_ack_pending,
            "num_replicas": self.replicas or None,
        }  # fmt: skip
        return {**found, **{name: value for name, value in stated.items() if value is not None}}


class StreamManifest(Resource):
    """A whole Stream."""

    api_version: Literal["jetstream.nats.io/v1beta2"] = Field(alias="apiVersion")
    kind: Literal["Stream"]
    metadata: Metadata
    spec: StreamSpec
    status: dict[str, Any] | None = None


class ConsumerManifest(Resource):
    """A whole Consumer."""

    api_version: Literal["jetstream.nats.io/v1beta2"] = Field(alias="apiVersion")
    kind: Literal["Consumer"]
    metadata: Metadata
    spec: ConsumerSpec
    status: dict[str, Any] | None = None


KINDS: Final[dict[str, type[StreamManifest] | type[ConsumerManifest]]] = {
    "Stream": StreamManifest,
    "Consumer": ConsumerManifest,
}


def _pair(transform: Transform | None) -> dict[str, str] | None:
    return {"src": transform.source, "dest": transform.dest} if transform else None


def _source(source: Source) -> dict[str, Any]:
    given: dict[str, Any] = {
        "name": source.name, "opt_start_seq": source.opt_start_seq, "opt_start_time": source.opt_start_time,
        "filter_subject": source.filter_subject,
        "subject_transforms": [_pair(each) for each in source.subject_transforms],
    }  # fmt: skip
    if source.external_api_prefix:
        given["external"] = {"api": source.external_api_prefix, "deliver": source.external_deliver_prefix}
    return {name: value for name, value in given.items() if value}
