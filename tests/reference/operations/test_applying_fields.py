"""All that a manifest can say is applied, found again, and no drift; what cannot be taken back is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.operations.applying import apply
from pytest_agog.reference.operations.manifests import load
from tests.reference.operations.wanting import became, drift, stream


async def test_what_manifests_cannot_say_stays(tmp_path: Path, link: Link) -> None:
    await apply(link, stream(tmp_path))
    js = link.nc.jetstream()
    config = (await js.stream_info("ORDERS")).config
    config.allow_msg_ttl = True
    await js.update_stream(config)
    await apply(link, stream(tmp_path, maxMsgs=5))
    after = (await js.stream_info("ORDERS")).config
    assert (after.allow_msg_ttl, after.max_msgs) == (True, 5)


EVERYTHING = """
apiVersion: jetstream.nats.io/v1beta2
kind: Stream
metadata: {name: all}
spec:
  name: ALL
  description: all that can be said
  subjects: [b.>, a.>]
  retention: interest
  discard: new
  discardPerSubject: true
  maxConsumers: 7
  maxMsgs: 1000
  maxBytes: 100000
  maxAge: 48h
  maxMsgSize: 5000
  maxMsgsPerSubject: 10
  storage: file
  compression: s2
  duplicateWindow: 30s
  metadata: {owner: platform}
  republish: {source: a.>, destination: again.>}
  subjectTransform: {source: b.>, dest: a.b.>}
  allowDirect: true
  denyDelete: true
  firstSequence: 100
---
apiVersion: jetstream.nats.io/v1beta2
kind: Stream
metadata: {name: gathers}
spec: {name: GATHERS, storage: memory, noAck: true, sources: [{name: ALL, filterSubject: a.>, optStartSeq: 100}]}
---
apiVersion: jetstream.nats.io/v1beta2
kind: Consumer
metadata: {name: pulls}
spec:
  streamName: ALL
  durableName: pulls
  description: pulls
  ackPolicy: explicit
  ackWait: 10s
  maxDeliver: 4
  backoff: [1s, 2s, 3s]
  filterSubjects: [a.x, a.y]
  maxWaiting: 5
  maxAckPending: 9
  maxRequestBatch: 3
  maxRequestExpires: 20s
  maxRequestMaxBytes: 1000
  headersOnly: true
  memStorage: true
  replicas: 1
  sampleFreq: "50"
  deliverPolicy: byStartSequence
  optStartSeq: 200
  metadata: {owner: jangar}
---
apiVersion: jetstream.nats.io/v1beta2
kind: Consumer
metadata: {name: pushes}
spec:
  streamName: ALL
  durableName: pushes
  ackPolicy: none
  deliverSubject: to.me
  deliverGroup: us
  flowControl: true
  heartbeatInterval: 5s
  rateLimitBps: 100000
  replayPolicy: original
"""


async def test_everything_that_a_manifest_can_say_is_applied_and_found_again(tmp_path: Path, link: Link) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(EVERYTHING, "utf-8")
    wanted = load([path])
    outcomes = await apply(link, wanted)
    assert [(outcome.done, outcome.reason) for outcome in outcomes] == [(True, "")] * 4
    assert await drift(link, wanted) == []


async def test_what_newer_servers_have_is_applied_and_found_again(tmp_path: Path, link: Link) -> None:
    path = tmp_path / "newer.yaml"
    path.write_text(
        """
apiVersion: jetstream.nats.io/v1beta2
kind: Stream
metadata: {name: rides}
spec:
  name: RIDES
  subjects: [rides.>]
  storage: file
  allowRollup: true
  allowDirect: true
  mirrorDirect: false
  denyPurge: false
  allowMsgTtl: true
  subjectDeleteMarkerTtl: 1h
  allowAtomicPublish: true
  allowBatched: true
  allowMsgSchedules: true
  consumerLimits: {inactiveThreshold: 1h, maxAckPending: 500}
---
apiVersion: jetstream.nats.io/v1beta2
kind: Stream
metadata: {name: counters}
spec: {name: COUNTERS, subjects: [count.>], storage: file, allowMsgCounter: true, allowDirect: true, persistMode: async}
---
apiVersion: jetstream.nats.io/v1beta2
kind: Consumer
metadata: {name: pinned}
spec:
  streamName: RIDES
  durableName: pinned
  name: pinned
  ackPolicy: explicit
  ackWait: 30s
  maxAckPending: 100
  inactiveThreshold: 20m
  pauseUntil: "2099-01-01T00:00:00Z"
  priorityGroups: [first]
  priorityPolicy: pinned_client
  pinnedTtl: 1m
""",
        "utf-8",
    )
    wanted = load([path])
    assert [(outcome.done, outcome.reason) for outcome in await apply(link, wanted)] == [(True, "")] * 3
    assert await drift(link, wanted) == []


async def test_zeros_mean_what_the_server_makes_of_them(tmp_path: Path, link: Link) -> None:
    path = tmp_path / "zeros.yaml"
    path.write_text(
        """
apiVersion: jetstream.nats.io/v1beta2
kind: Stream
metadata: {name: zeros}
spec: {name: Z, subjects: [z], maxBytes: 0, maxMsgs: 0, maxMsgSize: 0, maxConsumers: 0, duplicateWindow: 0s, maxAge: 0s}
---
apiVersion: jetstream.nats.io/v1beta2
kind: Consumer
metadata: {name: zeros}
spec: {streamName: Z, durableName: z, ackPolicy: explicit, ackWait: 0s, maxDeliver: 0, maxAckPending: 0, maxWaiting: 0}
""",
        "utf-8",
    )
    wanted = load([path])
    assert became(await apply(link, wanted)) == {"stream Z": True, "consumer Z.z": True}
    assert await drift(link, wanted) == []


async def test_an_age_below_the_duplicate_window_takes_the_window_along(tmp_path: Path, link: Link) -> None:
    await apply(link, stream(tmp_path))
    (outcome,) = await apply(link, stream(tmp_path, maxAge="10s"))
    assert outcome.done, outcome.reason
    assert await drift(link, stream(tmp_path, maxAge="10s")) == []


async def test_what_cannot_be_taken_back_is_refused_with_the_way_out(tmp_path: Path, link: Link) -> None:
    await apply(link, stream(tmp_path, allowMsgTtl=True, denyPurge=True))
    (change,) = await drift(link, stream(tmp_path, allowMsgTtl=False))
    assert change.action == "refused"
    assert "deny_purge is True instead of False" in change.told
    assert "deny_purge and allow_msg_ttl cannot be taken back: say so in the manifest, or copy" in change.reason


async def test_a_sealed_stream_is_what_its_manifest_says(tmp_path: Path, link: Link) -> None:
    await apply(link, stream(tmp_path, maxAge="1h"))
    (outcome,) = await apply(link, stream(tmp_path, maxAge="1h", sealed=True))
    assert outcome.done, outcome.reason
    assert await drift(link, stream(tmp_path, maxAge="1h", sealed=True)) == []
    (change,) = await drift(link, stream(tmp_path))
    assert "sealed" in change.reason


@pytest.mark.parametrize(
    "when", ["2026-01-01T00:00:00+00:00", "2026-01-01T02:00:00.500+02:00", "'2026-01-01T00:00:00Z'"]
)
async def test_a_source_that_begins_at_a_time_is_no_drift_in_any_spelling(
    link: Link, tmp_path: Path, when: str
) -> None:
    wanted = stream(tmp_path, sources=f"[{{name: OTHER, optStartTime: {when}}}]")
    assert all(outcome.done for outcome in await apply(link, wanted))
    assert await drift(link, wanted) == []
