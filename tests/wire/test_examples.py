"""Every example fits its model and its stream, in words and on a real server."""

from __future__ import annotations

import json

import pytest
from nats.aio.client import Client

from pytest_agog.wire import comms, comms_rows, deliverables, examples, notices, orchestration, streams, subjects
from pytest_agog.wire.times import parse_time

ALL = examples.load()
STATE_STREAM = f"KV_{streams.STATE_BUCKET}"


def named(example: examples.Example) -> str:
    return f"{example.transport}:{example.subject}"


def stream_of(subject: str) -> str | None:
    found = [
        stream.name for stream in streams.STREAMS if any(subjects.matches(one, subject) for one in stream.subjects)
    ]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("example", ALL, ids=named)
def test_an_example_fits_its_model_and_keeps_every_field(example: examples.Example) -> None:
    model = example.model.model_validate_json(example.data)
    written = json.loads(model.model_dump_json(by_alias=True))
    for key, value in example.payload.items():
        assert key in written, key
        assert value is None or written[key] is not None
    assert subjects.is_valid(example.subject)
    assert example.about.endswith(".")


@pytest.mark.parametrize("example", ALL, ids=named)
def test_a_stream_of_the_contract_takes_the_subject(example: examples.Example) -> None:
    assert (stream_of(example.subject) is not None) == (example.transport == "stream")


def test_every_subject_of_the_contract_has_an_example() -> None:
    given = {example.subject for example in ALL}
    for stream in streams.STREAMS:
        for pattern in stream.subjects:
            assert any(subjects.matches(pattern, subject) for subject in given), pattern
    assert {subjects.event(name) for name in orchestration.EVENTS} <= given
    lanes = {subject.split(".")[1] for subject in given if subject.startswith("requirements.")}
    assert lanes == {"backend", "frontend", "database", "documentation", "review"}
    assert {"agog.spawn.request", "integration.broadcast.api-changed"} <= given
    assert {example.transport for example in ALL} == {"stream", "core", "reply", "kv"}
    assert any("object" in example.payload for example in ALL)
    assert any("nats_channel" in example.payload for example in ALL)


@pytest.mark.parametrize("example", [one for one in ALL if one.model is deliverables.Deliverable], ids=named)
def test_digests_and_ids_of_deliverables_are_true(example: examples.Example) -> None:
    digest = example.headers[deliverables.DIGEST_HEADER]
    assert example.headers[deliverables.MSG_ID_HEADER] == deliverables.message_id(example.subject, digest)
    model = deliverables.Deliverable.model_validate(example.payload)
    if model.content is not None:
        assert deliverables.same_digest(digest, deliverables.digest(model.content))
    else:
        assert model.object is not None
        assert deliverables.same_digest(digest, model.object.digest)
        assert model.object.size > streams.MAX_MESSAGE


@pytest.mark.parametrize("example", [one for one in ALL if one.model is orchestration.Result], ids=named)
def test_notices_are_small_consistent_and_belong_where_they_stand(example: examples.Example) -> None:
    notice = orchestration.Result.model_validate(example.payload).notice()
    _, agent, requirement = example.subject.split(".")
    assert (notice.agent, notice.requirement) == (agent, requirement)
    assert notices.inconsistencies(notice) == []
    subjects.parse_deliverable(notice.deliverable)
    if "gate" not in example.payload:
        notices.check_size(example.data.decode())


@pytest.mark.parametrize("example", [one for one in ALL if one.family == "comms"], ids=named)
def test_messages_of_agents_become_rows(example: examples.Example) -> None:
    row = comms_rows.normalise(
        example.subject, example.data, stream_created="x", stream_seq=1, stored_at=parse_time("2026-01-31T13:00:00Z")
    )
    assert isinstance(row, comms_rows.Row)
    for name in ("workflow_uid", "workflow_name", "workflow_namespace", "agent_id", "run_id", "content", "kind"):
        assert getattr(row, name) == example.payload[name]
    assert row.kind in comms.KINDS
    assert example.headers["Nats-Msg-Id"] == comms.message_header_id(example.payload["message_id"], example.subject)


def test_each_load_is_ones_own() -> None:
    examples.load()[0].payload.clear()
    assert examples.load()[0].payload


async def test_a_real_server_stores_every_example(client: Client) -> None:
    js = client.jetstream()
    await js.create_key_value(bucket=streams.STATE_BUCKET)
    for example in ALL:
        if example.transport in ("stream", "kv"):
            ack = await js.publish(example.subject, example.data, headers=example.headers)
            assert ack.stream == (stream_of(example.subject) or STATE_STREAM)
            assert not ack.duplicate
            message = await js.get_msg(ack.stream, ack.seq)
            assert message.data == example.data


async def test_a_spawn_request_is_answered(client: Client) -> None:
    request, reply = (one for one in ALL if one.subject == subjects.SPAWN_REQUEST)
    assert (request.transport, reply.transport) == ("core", "reply")
    requests = await client.subscribe(request.subject)
    inbox = client.new_inbox()
    replies = await client.subscribe(inbox)
    await client.publish(request.subject, request.data, reply=inbox)
    asked = await requests.next_msg(timeout=5)
    orchestration.SpawnRequest.model_validate_json(asked.data)
    await asked.respond(reply.data)
    answer = await replies.next_msg(timeout=5)
    assert orchestration.SpawnReply.model_validate_json(answer.data).sequence == 118
