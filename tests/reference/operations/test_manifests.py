"""Manifests: those of the repository say what the contract says; wrong ones are told with file and line."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.errors import BadInput
from pytest_agog.reference.deliverables.streams import consumer_config, stream_config
from pytest_agog.reference.operations.go_texts import duration, moment
from pytest_agog.reference.operations.manifests import Manifests, load
from pytest_agog.reference.operations.plan import Actual, plan
from pytest_agog.wire import streams as wire

NACK = Path(__file__).parents[3] / "deploy" / "nack"
SOUND = """
    apiVersion: jetstream.nats.io/v1beta2
    kind: Stream
    metadata: {name: orders}
    spec:
      name: ORDERS
      subjects: [orders.>]
      storage: file
"""


def written(tmp_path: Path, text: str, name: str = "manifest.yaml") -> Path:
    path = tmp_path / name
    path.write_text(dedent(text), encoding="utf-8")
    return path


def wrong(tmp_path: Path, text: str) -> str:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load([path])
    return str(caught.value).replace(str(path), "manifest.yaml")


# --- the repository's own ---------------------------------------------------------------------------------------------
def test_ours_ask_for_exactly_the_streams_of_the_contract() -> None:
    found = {each.name: each.config for each in load([NACK]).streams}
    assert found.keys() == {stream.name for stream in wire.STREAMS}
    for stream in wire.STREAMS:
        defined = stream_config(stream.replicated(3))
        assert {name: found[stream.name].get(name) for name in defined} == defined, stream.name
        assert found[stream.name]["subject_transform"] == defined.get("subject_transform")


def test_ours_ask_for_exactly_the_consumers_of_the_contract() -> None:
    found = {(each.stream, each.name): each.config for each in load([NACK]).consumers}
    assert found.keys() == {(consumer.stream, consumer.name) for consumer in wire.CONSUMERS}
    for consumer in wire.CONSUMERS:
        config = found[(consumer.stream, consumer.name)]
        defined = consumer_config(consumer)
        filters = [defined.pop("filter_subject")] if "filter_subject" in defined else []
        assert {name: config.get(name) for name in defined} == defined
        assert (config["filter_subjects"], config["deliver_subject"], config["max_deliver"]) == (filters, "", -1)


def test_agent_comms_is_kept_for_a_week_up_to_10_gib_three_times() -> None:
    stream = next(each for each in load([NACK / "nats" / "agent-comms.yaml"]).streams)
    assert (stream.config["max_age"], stream.config["max_bytes"], stream.config["num_replicas"]) == (
        168 * 3600 * 10**9, 10 * 2**30, 3,
    )  # fmt: skip


@pytest.mark.parametrize("folder", ["", "nats", "jangar"])
def test_every_kustomization_names_what_lies_beside_it(folder: str) -> None:
    from pytest_agog.reference.operations.documents import read

    here = NACK / folder
    (document,) = read(here / "kustomization.yaml")
    beside = {path.name for path in here.iterdir() if path.is_dir() or path.suffix == ".yaml"} - {"kustomization.yaml"}
    assert set(document.value["resources"]) == beside


def test_resources_have_names_of_their_own() -> None:
    found = load([NACK])
    names = [(each.kind, each.resource) for each in (*found.streams, *found.consumers)]
    assert len(names) == len(set(names)) == 26


# --- what is read -----------------------------------------------------------------------------------------------------
def test_documents_lists_and_other_kinds(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        # several in one file
        apiVersion: v1
        kind: List
        items:
          - apiVersion: jetstream.nats.io/v1beta2
            kind: Stream
            metadata: {name: orders, namespace: shop}
            spec: {name: ORDERS, subjects: [orders.>], storage: file}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: nats}
        ---
        ---
        apiVersion: jetstream.nats.io/v1beta2
        kind: KeyValue
        metadata: {name: state}
        """,
    )
    found = load([path])
    assert [(each.label, each.resource, each.place) for each in found.streams] == [
        ("stream ORDERS", "shop/orders", f"{path}:7")
    ]
    assert found.skipped == (f"{path}:12: Secret is left to Kubernetes", f"{path}:17: KeyValue is left to NACK")


def test_what_is_doubtful_is_noted_and_taken(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        apiVersion: jetstream.nats.io/v1beta2
        kind: Stream
        metadata: {name: orders}
        spec: {name: orders, servers: ["nats://nats:4222"], creds: /etc/nats/user.creds, tlsFirst: true}
        ---
        apiVersion: jetstream.nats.io/v1beta2
        kind: Consumer
        metadata: {name: pulls}
        spec: {streamName: orders, durableName: pulls, name: pulls, ackPolicy: explicit}
        """,
    )
    found = load([path])
    assert found.streams[0].config["subjects"] == ["orders"]
    assert "ack_wait" not in found.consumers[0].config
    risk = "ackWait is not stated, and NACK's default of 1ns would redeliver everything at once"
    assert [note.split(":", 2)[1:] for note in found.notes] == [
        ["3", " stream orders: it names no subjects, so it takes the one subject orders: state what it is to take"],
        ["8", f" consumer orders.pulls: {risk}: the server's own is taken here; state it, such as 30s"],
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["List", "StreamList"])
def test_lists_of_kubernetes_are_read(tmp_path: Path, kind: str) -> None:
    path = written(
        tmp_path,
        f"""
        kind: {kind}
        apiVersion: jetstream.nats.io/v1beta2
        items:
        - apiVersion: jetstream.nats.io/v1beta2
          kind: Stream
          metadata: {{name: orders}}
          spec: {{name: ORDERS, subjects: [orders.>]}}
        """,
    )
    (found,) = load([path]).streams
    assert (found.name, found.place) == ("ORDERS", f"{path}:6")


def test_nacks_own_defaults_are_taken(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        apiVersion: jetstream.nats.io/v1beta2
        kind: Stream
        metadata: {name: orders}
        spec: {name: ORDERS, subjects: [orders.>]}
        """,
    )
    config = load([path]).streams[0].config
    assert (config["storage"], config["num_replicas"], config["max_age"], config["allow_direct"]) == (
        "memory", 1, 0, False,
    )  # fmt: skip


def test_replicas_can_be_another_number() -> None:
    found = load([NACK], replicas=1)
    assert {each.config["num_replicas"] for each in found.streams} == {1}
    assert not any("num_replicas" in each.config for each in found.consumers)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{name: A.B, subjects: [a]}", "manifest.yaml:5: spec.name: 'A.B': a name has no dots"),
        ("{name: A, subject: [a]}", "manifest.yaml:5: spec.subject: unknown field, did you mean subjects?"),
        ("{name: A, subjects: [a], maxAge: 7d}", "spec.maxAge: '7d': expected a duration of Go's"),
        ("{name: A, subjects: [a], maxAge: 7d}", "write 168h"),
        ("{name: A, subjects: [a], storage: disk}", "spec.storage: 'disk' is none of 'file' or 'memory'"),
        ("{name: A, subjects: [a], maxMsgs: -2}", "spec.maxMsgs: '-2'"),
        ("{name: A, subjects: [a], maxBytes: 10GB}", "spec.maxBytes: '10GB'"),
        ("{name: A, subjects: [a], replicas: 9}", "spec.replicas: '9'"),
        ("{name: A, subjects: [a], allowDirect: yes please}", "spec.allowDirect"),
        ("{subjects: [a]}", "spec.name: is missing"),
        ("{name: A, mirror: {name: B}, subjects: [a]}", "a mirror has no subjects of its own"),
        ("{name: A, subjects: [a], allowMsgTTL: true}", "unknown field, did you mean allowMsgTtl?"),
        ("{name: A, subjects: [a], persistMode: sync}", "spec.persistMode: 'sync' is none of"),
        ("{name: A, subjects: [a, a b]}", "spec.subjects.1"),
    ],
)
def test_a_wrong_stream_is_told_with_its_line(tmp_path: Path, spec: str, told: str) -> None:
    text = f"""\
        apiVersion: jetstream.nats.io/v1beta2
        kind: Stream
        metadata:
          name: orders
        spec: {spec}
        """
    message = wrong(tmp_path, text)
    assert told in message
    assert message.startswith("manifest.yaml:5: ")
    assert message.endswith("Nothing was changed; correct the manifests.")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{streamName: A, durableName: c, name: d}", "name 'd' is another than durableName"),
        ("{streamName: A, name: c}", "spec.durableName: is missing"),
        ("{streamName: A, durableName: c, priorityPolicy: first}", "spec.priorityPolicy: 'first' is none of"),
        ("{streamName: A, durableName: c, deliverPolicy: byStartSequence}", "belong together"),
        ("{streamName: A, durableName: c, filterSubject: a, filterSubjects: [b]}", "one of filterSubject and"),
        ("{streamName: A, durableName: c, deliverPolicy: first}", "'first' is none of"),
        ("{durableName: c}", "spec.streamName: is missing"),
        ("{streamName: A, durableName: c, deliverPolicy: byStartTime, optStartTime: yesterday}", "RFC 3339"),
        ("{streamName: A, durableName: c, optStartSeq: 9223372036854775808}", "spec.optStartSeq"),
    ],
)
def test_a_wrong_consumer_is_told(tmp_path: Path, spec: str, told: str) -> None:
    text = f"{{apiVersion: jetstream.nats.io/v1beta2, kind: Consumer, metadata: {{name: c}}, spec: {spec}}}"
    assert told in wrong(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "manifest.yaml:2: no valid YAML"),
        ("a: 1\na: 2", "manifest.yaml:2: 'a' stands here a second time"),
        ("a: &x [1]\nb: *x", "manifest.yaml:2: an alias (*x)"),
        ("a: !!python/object:os.system x", "manifest.yaml:1: 'x' cannot be read"),
        ("{" * 40, "nested deeper"),
        ("? [a]\n: b", "a key that is no text"),
        ("just text", "no Kubernetes object"),
        ("a: \x07", "no valid YAML"),
        ("kind: Stream\napiVersion: jetstream/v1", "apiVersion 'jetstream/v1'; write jetstream.nats.io/v1beta2"),
        ("kind: Stream\napiVersion: jetstream.nats.io/v1beta1", "'jetstream.nats.io/v1beta1' is none of"),
        ("kind: Pod\napiVersion: v1", "holds no Stream and no Consumer"),
    ],
)
def test_what_is_no_manifest_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    message = wrong(tmp_path, text)
    assert told in message
    assert "\n" not in message


def test_the_same_stream_twice_is_told_with_both_places(tmp_path: Path) -> None:
    first = written(tmp_path, SOUND, "a.yaml")
    second = written(tmp_path, SOUND, "b.yaml")
    with pytest.raises(BadInput, match=rf"{second}:3: stream ORDERS is asked for a second time, first at {first}:3"):
        load([tmp_path])


def test_a_file_given_twice_counts_once(tmp_path: Path) -> None:
    path = written(tmp_path, SOUND)
    assert len(load([tmp_path, path]).streams) == 1


def test_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there"):
        load([tmp_path / "absent"])
    with pytest.raises(BadInput, match="holds no manifest"):
        load([tmp_path])
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(BadInput, match="no UTF-8"):
        load([tmp_path / "latin.yaml"])
    (tmp_path / "large.yaml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(BadInput, match="larger than 1 MiB"):
        load([tmp_path / "large.yaml"])


# --- durations of Go's ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("168h", 604_800 * 10**9), ("1h30m", 5400 * 10**9), ("1.5s", 1_500_000_000), ("250ms", 250_000_000), ("", 0),
     ("2m0s", 120 * 10**9), ("10us", 10_000), ("7ns", 7), ("0", 0), (".5s", 500_000_000), ("1.h", 3600 * 10**9),
     ("+1m", 60 * 10**9), ("3600000000000ns", 3600 * 10**9), ("1m1ms", 60_001_000_000)],
)  # fmt: skip
def test_durations(text: str, nanoseconds: int) -> None:
    assert duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text", ["7d", "10", "1h 30m", "h", ".s", "1h+1m", "-1h", "1,5s", "\uff11h", None, 5, "2562048h"]
)
def test_what_go_would_not_read(text: object) -> None:
    with pytest.raises(ValueError, match=r"durations? of Go|Go.s durations"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), ("2026-01-01T02:30:00.1200+02:30", "2026-01-01T00:00:00.12Z"),
     ("0900-01-01T00:00:00.000+00:00", "0900-01-01T00:00:00Z"), ("", "")],
)  # fmt: skip
def test_times_have_the_form_of_servers(text: str, told: str) -> None:
    assert moment(text) == told


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "2026-01-01", "0001-01-01T00:00:00+01:00", 5])
def test_what_is_no_time(text: object) -> None:
    with pytest.raises(ValueError, match=r"time|month"):
        moment(text)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert duration(f"{hours}h{minutes}m{seconds}s") == (hours * 3600 + minutes * 60 + seconds) * 10**9


def test_nothing_there_means_that_everything_is_made() -> None:
    from datetime import UTC, datetime

    wanted: Manifests = load([NACK])
    changes = plan(wanted, Actual({}, {}, clustered=True, now=datetime.now(UTC)))
    assert {change.action for change in changes} == {"create"}
    assert [change.kind for change in changes] == ["Stream"] * 15 + ["Consumer"] * 11
