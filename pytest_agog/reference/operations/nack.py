"""NACK's `Stream` and `Consumer`, jetstream.nats.io/v1beta2, with its defaults, as JetStream's API takes them. [C12]

Fields and defaults are those of the custom resource definitions; a field that they do not have is an error, as the
Kubernetes API would drop it in silence. How NACK itself reaches the server (`servers`, `creds`, `nkey`, `tls`,
`tlsFirst`, `account`) is accepted and plays no part here.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from pytest_agog.reference.operations.go_texts import LARGEST, duration, moment
from pytest_agog.values import Strict

API_VERSION: Final = "jetstream.nats.io/v1beta2"
GROUP: Final = "jetstream.nats.io/"
SECOND: Final = 10**9


def _token(name: str) -> str:
    if re.search(r"[\s.*>/\\]", name) or not name.isprintable():
        raise ValueError("a name has no dots, spaces, wildcards or slashes")
    return name


GoDuration = Annotated[int, BeforeValidator(duration)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_token)]
Moment = Annotated[str, BeforeValidator(moment)]
Limit = Annotated[int, Field(ge=-1, le=LARGEST, strict=True)]
Count = Annotated[int, Field(ge=0, le=LARGEST, strict=True)]
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


class SourceConsumer(Resource):
    """A durable consumer through which a mirror or source reads."""

    name: Name
    deliver_subject: Subject = Field(alias="deliverSubject")


class Source(Resource):
    """A stream that this one mirrors or gathers from."""

    name: Name
    opt_start_seq: Count = Field(default=0, alias="optStartSeq")
    opt_start_time: Moment = Field(default="", alias="optStartTime")
    filter_subject: str = Field(default="", alias="filterSubject")
    external_api_prefix: str = Field(default="", alias="externalApiPrefix")
    external_deliver_prefix: str = Field(default="", alias="externalDeliverPrefix")
    subject_transforms: tuple[Transform, ...] = Field(default=(), alias="subjectTransforms")
    consumer: SourceConsumer | None = None


class ConsumerLimits(Resource):
    """What consumers of a stream get that say nothing themselves."""

    inactive_threshold: GoDuration = Field(default=0, alias="inactiveThreshold")
    max_ack_pending: Count = Field(default=0, alias="maxAckPending")


class Reaching(Resource):
    """How NACK reaches the server, and what it leaves alone."""

    servers: tuple[str, ...] = ()
    creds: str = ""
    nkey: str = ""
    tls: dict[str, Any] = Field(default_factory=dict)
    tls_first: bool = Field(default=False, alias="tlsFirst")
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
    deny_purge: bool = Field(default=False, alias="denyPurge")
    sealed: bool = False
    mirror_direct: bool = Field(default=False, alias="mirrorDirect")
    allow_msg_ttl: bool = Field(default=False, alias="allowMsgTtl")
    subject_delete_marker_ttl: GoDuration = Field(default=0, alias="subjectDeleteMarkerTtl")
    allow_atomic_publish: bool = Field(default=False, alias="allowAtomicPublish")
    allow_batched: bool = Field(default=False, alias="allowBatched")
    allow_msg_counter: bool = Field(default=False, alias="allowMsgCounter")
    allow_msg_schedules: bool = Field(default=False, alias="allowMsgSchedules")
    persist_mode: Literal["default", "async", ""] = Field(default="", alias="persistMode")
    consumer_limits: ConsumerLimits | None = Field(default=None, alias="consumerLimits")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> StreamSpec:
        if self.mirror and self.subjects:
            raise ValueError("a mirror has no subjects of its own")
        return self

    @property
    def notes(self) -> list[str]:
        """What is doubtful, though NACK takes it."""
        if self.subjects or self.mirror or self.sources:
            return []
        return [f"it names no subjects, so it takes the one subject {self.name}: state what it is to take"]

    def config(self) -> dict[str, Any]:
        """As JetStream's API takes it; what the manifest leaves to the server is left out."""
        # A limit of 0 is none to the server, which then says -1; a stream that names nothing takes its own name.
        alone = not (self.subjects or self.mirror or self.sources)
        found: dict[str, Any] = {
            "name": self.name, "subjects": [self.name] if alone else list(self.subjects),
            "retention": self.retention, "discard": self.discard, "storage": self.storage,
            "num_replicas": self.replicas, "max_consumers": self.max_consumers or -1,
            "max_msgs": self.max_msgs or -1, "max_bytes": self.max_bytes or -1, "max_age": self.max_age,
            "max_msg_size": self.max_msg_size or -1, "max_msgs_per_subject": self.max_msgs_per_subject or -1,
            "no_ack": self.no_ack, "discard_new_per_subject": self.discard_per_subject,
            "description": self.description, "compression": self.compression or "none",
            "allow_direct": self.allow_direct, "allow_rollup_hdrs": self.allow_rollup, "deny_delete": self.deny_delete,
            "metadata": dict(self.metadata), "sources": [_source(each) for each in self.sources],
            "mirror": _source(self.mirror) if self.mirror else None,
            "subject_transform": _pair(self.subject_transform),
            "republish": {"src": self.republish.source, "dest": self.republish.destination} if self.republish else None,
            "deny_purge": self.deny_purge, "sealed": self.sealed, "mirror_direct": self.mirror_direct,
        }  # fmt: skip
        found |= self._of_newer_servers()
        if self.sealed:  # what the server makes of it
            found |= {
                "discard": "new",
                "max_age": 0,
                "allow_rollup_hdrs": False,
                "deny_delete": True,
                "deny_purge": True,
            }
        if self.consumer_limits is not None:
            limits = self.consumer_limits
            found["consumer_limits"] = {
                "inactive_threshold": limits.inactive_threshold, "max_ack_pending": limits.max_ack_pending,
            }  # fmt: skip
        if self.duplicate_window:
            found["duplicate_window"] = self.duplicate_window
        if self.first_sequence:
            found["first_seq"] = self.first_sequence
        if self.placement is not None:
            found["placement"] = {"cluster": self.placement.cluster, "tags": list(self.placement.tags)}
        return found

    def _of_newer_servers(self) -> dict[str, Any]:
        """Only what is stated: most cannot be taken back, and manifests are older than these fields."""
        names = {
            "allow_msg_ttl": "allow_msg_ttl", "subject_delete_marker_ttl": "subject_delete_marker_ttl",
            "allow_atomic_publish": "allow_atomic", "allow_batched": "allow_batched",
            "allow_msg_counter": "allow_msg_counter", "allow_msg_schedules": "allow_msg_schedules",
        }  # fmt: skip
        found = {there: getattr(self, here) for here, there in names.items() if here in self.model_fields_set}
        return {**found, **({"persist_mode": self.persist_mode} if self.persist_mode else {})}


class ConsumerSpec(Reaching):
    """`spec` of a Consumer."""

    stream_name: Name = Field(alias="streamName")
    durable_name: Name = Field(alias="durableName")
    name: str = ""
    deliver_policy: Literal["all", "last", "new", "byStartSequence", "byStartTime"] = Field(
        default="all", alias="deliverPolicy"
    )
    opt_start_seq: Count | None = Field(default=None, alias="optStartSeq")
    opt_start_time: Moment | None = Field(default=None, alias="optStartTime")
    deliver_subject: str = Field(default="", alias="deliverSubject")
    deliver_group: str = Field(default="", alias="deliverGroup")
    ack_policy: Literal["none", "all", "explicit", "flow_control"] = Field(default="none", alias="ackPolicy")
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
    inactive_threshold: GoDuration = Field(default=0, alias="inactiveThreshold")
    pause_until: Moment | None = Field(default=None, alias="pauseUntil")
    priority_groups: tuple[str, ...] = Field(default=(), alias="priorityGroups")
    priority_policy: Literal["none", "pinned_client", "overflow", "prioritized", ""] = Field(
        default="", alias="priorityPolicy"
    )
    pinned_ttl: GoDuration | None = Field(default=None, alias="pinnedTtl")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> ConsumerSpec:
        if self.filter_subject and self.filter_subjects:
            raise ValueError("give one of filterSubject and filterSubjects")
        if (self.deliver_policy == "byStartSequence") != (self.opt_start_seq is not None):
            raise ValueError("deliverPolicy byStartSequence and optStartSeq belong together")
        if (self.deliver_policy == "byStartTime") != (self.opt_start_time is not None):
            raise ValueError("deliverPolicy byStartTime and optStartTime belong together")
        if self.name not in ("", self.durable_name):
            raise ValueError(f"name {self.name!r} is another than durableName")
        return self

    @property
    def notes(self) -> list[str]:
        """What is doubtful, though NACK takes it."""
        if self.ack_policy == "none" or self.ack_wait or self.backoff:
            return []
        risk = "ackWait is not stated, and NACK's default of 1ns would redeliver everything at once"
        return [f"{risk}: the server's own is taken here; state it, such as 30s"]

    def config(self) -> dict[str, Any]:
        """As JetStream's API takes it; what the manifest leaves to the server is left out."""
        policies = {"byStartSequence": "by_start_sequence", "byStartTime": "by_start_time"}
        found: dict[str, Any] = {
            "durable_name": self.durable_name,
            "deliver_policy": policies.get(self.deliver_policy, self.deliver_policy),
            "ack_policy": self.ack_policy, "max_deliver": self.max_deliver or -1, "replay_policy": self.replay_policy,
            "filter_subjects": sorted({*self.filter_subjects, *([self.filter_subject] if self.filter_subject else [])}),
            "description": self.description, "deliver_subject": self.deliver_subject,
            "deliver_group": self.deliver_group, "flow_control": self.flow_control, "headers_only": self.headers_only,
            "idle_heartbeat": self.heartbeat_interval, "rate_limit_bps": self.rate_limit_bps,
            "sample_freq": self.sample_freq, "backoff": list(self.backoff), "max_batch": self.max_request_batch,
            "max_expires": self.max_request_expires, "max_bytes": self.max_request_max_bytes,
            "mem_storage": self.mem_storage, "metadata": dict(self.metadata),
            "inactive_threshold": self.inactive_threshold, "priority_groups": list(self.priority_groups),
            "priority_policy": "" if self.priority_policy == "none" else self.priority_policy,
        }  # fmt: skip
        # With a back-off its first step is the ack wait, whatever else is stated.
        stated = {
            "ack_wait": self.backoff[0] if self.backoff else self.ack_wait,
            "opt_start_seq": self.opt_start_seq, "opt_start_time": self.opt_start_time,
            "max_waiting": self.max_waiting, "max_ack_pending": self.max_ack_pending,
            "num_replicas": self.replicas or None, "pause_until": self.pause_until or None,
            "priority_timeout": self.pinned_ttl,
        }  # fmt: skip
        # Where a server reads 0 as its own default, 0 states nothing.
        own = {name for name in ("ack_wait", "max_waiting", "max_ack_pending") if not stated[name]}
        return {**found, **{name: value for name, value in stated.items() if value is not None and name not in own}}


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
    if source.consumer is not None:
        given["consumer"] = {"name": source.consumer.name, "deliver_subject": source.consumer.deliver_subject}
    if source.external_api_prefix:
        given["external"] = {"api": source.external_api_prefix, "deliver": source.external_deliver_prefix}
    return {name: value for name, value in given.items() if value}
