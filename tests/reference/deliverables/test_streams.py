from __future__ import annotations

import asyncio

import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType

from pytest_agog.errors import InvalidToken, StreamDiffers
from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.deliverables.streams import StreamOutcome, definitions, init_streams
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
from pytest_agog.wire.streams import CONSUMERS, STREAMS


def by_name(outcomes: list[StreamOutcome]) -> dict[str, StreamOutcome]:
    return {outcome.name: outcome for outcome in outcomes}


async def test_everything_is_created_once(server: NatsServer, client: Client) -> None:
    async with await DeliverableEngine.connect(server.url) as engine:
        first = await engine.init_streams()
        again = await engine.init_streams()

    assert [outcome.name for outcome in first] == [stream.name for stream in STREAMS]
    assert {outcome.action for outcome in first} == {"created"}
    assert {outcome.action for outcome in again} == {"unchanged"}
    for outcomes, action in ((first, "created"), (again, "unchanged")):
        consumers = [consumer for outcome in outcomes for consumer in outcome.consumers]
        assert len(consumers) == len(CONSUMERS)
        assert {consumer.action for consumer in consumers} == {action}
    assert all(outcome.as_defined for outcome in again)


async def test_the_server_holds_what_the_contract_says(engine: DeliverableEngine, client: Client) -> None:
    infos = {info.config.name: info for info in await client.jetstream().streams_info()}
    for stream in STREAMS:
        config = infos[stream.name].config
        assert sorted(config.subjects or []) == sorted(stream.subjects)
        assert (config.max_msgs, config.max_bytes, config.max_age, config.max_msg_size) == (
            stream.max_msgs, stream.max_bytes, stream.max_age, stream.max_msg_size,
        )  # fmt: skip
        assert (config.retention, config.storage, config.allow_direct) == (
            RetentionPolicy.LIMITS, StorageType.FILE, True,
        )  # fmt: skip
        assert config.duplicate_window == 120
    js = client.jetstream()
    await js.publish("work.requirements.backend.REQ-1", b"{}")
    assert (await js.get_msg("REQUIREMENTS", 1)).subject == "requirements.backend.REQ-1"
    for consumer in CONSUMERS:
        config = (await js.consumer_info(consumer.stream, consumer.name)).config
        assert (config.ack_policy, config.filter_subject, config.max_ack_pending, config.ack_wait) == (
            AckPolicy.EXPLICIT, consumer.filter_subject, consumer.max_ack_pending, consumer.ack_wait,
        )  # fmt: skip


async def test_two_at_the_same_time_agree(server: NatsServer) -> None:
    links = await asyncio.gather(*(connect(server.url) for _ in range(3)))
    for outcomes in await asyncio.gather(*(init_streams(link) for link in links)):
        assert all(outcome.as_defined for outcome in outcomes)
    for link in links:
        await link.close()


async def test_differences_are_reported_and_changed_only_on_demand(
    engine: DeliverableEngine, client: Client
) -> None:  # fmt: skip
    js = client.jetstream()
    config = (await js.stream_info("agog_features_backend")).config
    await js.update_stream(config.evolve(max_msgs=5, max_age=3600, subjects=["agog.deliverables.roy.>", "extra.>"]))
    await js.add_consumer(
        "ERRORS",
        ConsumerConfig(durable_name="orchestrator", ack_policy=AckPolicy.EXPLICIT, max_ack_pending=7, ack_wait=30),
    )

    told = by_name(await engine.init_streams())
    backend, errors = told["agog_features_backend"], told["ERRORS"]
    assert backend.action == "differs"
    assert {d.field: (d.expected, d.actual) for d in backend.differences} == {
        "max_msgs": (10_000, 5), "max_age": (7 * 86400, 3600),
        "subjects": (["agog.deliverables.roy.>"], ["agog.deliverables.roy.>", "extra.>"]),
    }  # fmt: skip
    assert [str(difference) for difference in errors.consumers[0].differences] == [
        "max_ack_pending is 7 instead of 1000"
    ]
    assert not errors.as_defined
    with pytest.raises(StreamDiffers, match=r"max_msgs is 5 instead of 10000.*--update"):
        backend.raise_if_wrong()
    with pytest.raises(StreamDiffers, match="consumer orchestrator: max_ack_pending"):
        errors.raise_if_wrong()
    assert (await js.stream_info("agog_features_backend")).config.max_msgs == 5

    changed = by_name(await engine.init_streams(update=True))
    assert changed["agog_features_backend"].action == "updated"
    assert changed["ERRORS"].consumers[0].action == "updated"
    assert {outcome.action for outcome in await engine.init_streams()} == {"unchanged"}


async def test_what_the_contract_does_not_speak_of_stays(engine: DeliverableEngine, client: Client) -> None:
    js = client.jetstream()
    config = (await js.stream_info("RESULTS")).config
    await js.update_stream(config.evolve(description="ours", max_msgs=5))
    await engine.init_streams(update=True)
    config = (await js.stream_info("RESULTS")).config
    assert (config.description, config.max_msgs) == ("ours", -1)


async def test_what_cannot_change_says_so(server: NatsServer, client: Client) -> None:
    js = client.jetstream()
    await js.add_stream(name="RESULTS", subjects=["results.>"], storage=StorageType.MEMORY)
    await js.add_consumer("RESULTS", ConsumerConfig(durable_name="orchestrator", ack_policy=AckPolicy.NONE))
    async with await DeliverableEngine.connect(server.url) as engine:
        outcome = by_name(await engine.init_streams(update=True))["RESULTS"]
    assert outcome.action == "refused"
    assert outcome.reason
    assert any("storage" in str(d) and "cannot be changed" in str(d) for d in outcome.differences)
    (consumer,) = [consumer for consumer in outcome.consumers if consumer.name == "orchestrator"]
    assert consumer.action == "refused"
    assert "ack_policy is 'none' instead of 'explicit' (cannot be changed" in str(consumer.differences[0])


async def test_overlapping_subjects_are_refused_with_the_servers_reason(server: NatsServer, client: Client) -> None:
    await client.jetstream().add_stream(name="other", subjects=["results.>"])
    async with await DeliverableEngine.connect(server.url) as engine:
        outcomes = by_name(await engine.init_streams())
    assert outcomes["RESULTS"].action == "refused"
    assert "overlap" in outcomes["RESULTS"].reason
    assert outcomes["ERRORS"].action == "created"


async def test_a_small_store_names_its_remedy(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("small") / "nats"
    with NatsServer(folder, NatsOptions(store_limit=10**9)) as server:
        async with await DeliverableEngine.connect(server.url) as engine:
            comms = by_name(await engine.init_streams())["agent-comms"]
    assert comms.action == "refused"
    assert "max_file_store" in comms.reason


async def test_further_agents_get_their_streams(server: NatsServer) -> None:
    async with await DeliverableEngine.connect(server.url) as engine:
        await engine.init_streams(agents={"ada": "security", "rob": "backend"}, update=True)
        assert (await engine.publish("ada", "security", "login", "A")).stream == "agog_features_security"
        assert (await engine.publish("rob", "backend", "login", "B")).stream == "agog_features_backend"
        with pytest.raises(InvalidToken):
            await engine.init_streams(agents={"a.b": "security"})


def test_definitions_without_further_agents_are_the_contract() -> None:
    assert definitions() == STREAMS
    assert {stream.replicas for stream in definitions(replicas=3)} == {3}
    assert definitions({"roy": "backend"}) == STREAMS


async def test_a_check_changes_nothing(server: NatsServer, client: Client) -> None:
    link: Link = await connect(server.url)
    outcomes = await init_streams(link, check=True)
    await link.close()
    assert {(outcome.action, outcome.reason) for outcome in outcomes} == {("refused", "absent")}
    assert await client.jetstream().streams_info() == []
