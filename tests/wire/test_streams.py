"""The stream and consumer definitions, against the contract's tables and a real server."""

from __future__ import annotations

import itertools
import json

from nats.aio.client import Client

from pytest_agog.wire import streams, subjects


def test_every_agent_has_a_stream_for_its_deliverables() -> None:
    for agent, kind in streams.AGENT_TYPES.items():
        stream = streams.by_name(f"agog_features_{kind}")
        assert stream is not None
        assert any(subjects.matches(one, subjects.deliverable(agent, kind, "x")) for one in stream.subjects)
        assert (stream.max_msgs, stream.max_bytes, stream.max_age) == (10_000, 10**9, 7 * 86_400)
        assert stream.max_msg_size == 10_000_000 < streams.SERVER_MAX_PAYLOAD
    assert streams.by_name("agog_features_nothing") is None


def test_no_subject_belongs_to_two_streams() -> None:
    for one, other in itertools.combinations(streams.STREAMS, 2):
        for left, right in itertools.product(one.subjects, other.subjects):
            assert not subjects.overlap(left, right), (one.name, other.name)


def test_every_consumer_reads_what_its_stream_holds() -> None:
    for consumer in streams.CONSUMERS:
        stream = streams.by_name(consumer.stream)
        assert stream is not None
        if consumer.filter_subject is not None:
            assert any(subjects.overlap(consumer.filter_subject, one) for one in stream.subjects), consumer.name


def test_a_cluster_replicates() -> None:
    stream = streams.STREAMS[0].replicated(3)
    assert stream.replicas == 3
    assert stream.subjects == streams.STREAMS[0].subjects
    assert streams.STREAMS[0].replicas == 1


async def test_a_real_server_takes_every_stream_and_consumer_together(client: Client) -> None:
    for consumer in streams.CONSUMERS:
        config: dict[str, object] = {
            "durable_name": consumer.name,
            "name": consumer.name,
            "ack_policy": "explicit",
            "deliver_policy": consumer.deliver,
            "ack_wait": int(consumer.ack_wait * 10**9),
            "max_ack_pending": consumer.max_ack_pending,
        }
        subject = f"$JS.API.CONSUMER.CREATE.{consumer.stream}.{consumer.name}"
        if consumer.filter_subject is not None:
            config["filter_subject"] = consumer.filter_subject
            subject += f".{consumer.filter_subject}"
        request = {"stream_name": consumer.stream, "config": config, "action": "create"}
        answer = json.loads((await client.request(subject, json.dumps(request).encode())).data)
        assert "error" not in answer, (consumer.name, answer)
        assert answer["config"]["max_ack_pending"] == consumer.max_ack_pending


async def test_the_older_form_of_requirements_is_routed_like_the_newer(client: Client) -> None:
    ack = await client.jetstream().publish("work.requirements.backend.REQ-1", b"{}")
    message = await client.jetstream().get_msg(ack.stream, ack.seq)
    assert (ack.stream, message.subject) == ("REQUIREMENTS", "requirements.backend.REQ-1")
