"""A server is made to agree with manifests; drift is found field by field; nothing that is stored is lost by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from pytest_agog.errors import CredentialsRefused
from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.operations.applying import apply, look
from pytest_agog.reference.operations.manifests import load
from pytest_agog.reference.operations.plan import Actual, Wishes, plan
from pytest_agog.stage.servers.cluster import NatsCluster
from tests.guarded import Guarded
from tests.reference.operations.wanting import NACK, became, drift, ours, stream, told


async def test_an_empty_server_is_filled_and_then_left_alone(link: Link) -> None:
    outcomes = await apply(link, ours())
    assert len(outcomes) == 26
    assert all(outcome.done for outcome in outcomes)
    assert await apply(link, ours()) == []
    assert await drift(link, ours()) == []
    assert all(outcome.as_defined for outcome in await init_streams(link, check=True))


async def test_streams_that_the_contract_made_do_not_differ(link: Link) -> None:
    await init_streams(link)
    assert await drift(link, ours()) == []


async def test_three_replicas_on_a_server_that_runs_alone_are_refused_with_the_way_out(link: Link) -> None:
    outcomes = await apply(link, ours(None))
    refused = [outcome for outcome in outcomes if outcome.change.kind == "Stream"]
    assert {outcome.done for outcome in refused} == {False}
    assert all("give --replicas 1" in outcome.reason for outcome in refused)
    assert not any(outcome.done for outcome in outcomes)


async def test_a_cluster_takes_them(tmp_path: Path) -> None:
    with NatsCluster(tmp_path / "cluster") as cluster:
        link = await connect(cluster.url)
        try:
            assert all(outcome.done for outcome in await apply(link, ours(None)))
            assert await drift(link, ours(None)) == []
        finally:
            await link.close()


async def test_every_kind_of_drift_is_found_and_corrected(link: Link) -> None:
    await apply(link, ours())
    js = link.nc.jetstream()
    config = (await js.stream_info("agent-comms")).config
    config.subjects, config.max_age, config.max_bytes = ["argo.workflow.>", "strays.>"], 86_400, 10**9
    await js.update_stream(config)
    jangar = (await js.consumer_info("agent-comms", "jangar-agent-comms")).config
    jangar.ack_wait, jangar.max_ack_pending = 5, 10
    await js.add_consumer("agent-comms", jangar)
    roy = (await js.consumer_info("REQUIREMENTS", "roy-backend")).config
    roy.filter_subject = "requirements.>"
    await js.add_consumer("REQUIREMENTS", roy)
    await js.delete_consumer("RESULTS", "orchestrator")
    await js.delete_stream("INTEGRATION")

    found = told(await drift(link, ours()))
    assert found == {
        "stream agent-comms": "update: subjects is ['argo.workflow.>', 'strays.>'] instead of ['argo.workflow.>', "
        "'agentrun.>']; max_bytes is 1000000000 instead of 10737418240; max_age is 1d instead of 7d",
        "stream INTEGRATION": "create: is not there",
        "consumer agent-comms.jangar-agent-comms": "update: ack_wait is 5s instead of 30s; max_ack_pending is 10 "
        "instead of 20000",
        "consumer REQUIREMENTS.roy-backend": "update: filter_subjects is ['requirements.>'] instead of "
        "['requirements.backend.>']",
        "consumer RESULTS.orchestrator": "create: is not there",
        "consumer INTEGRATION.orchestrator": "create: is not there",
    }
    assert became(await apply(link, ours())) == dict.fromkeys(found, True)
    assert await drift(link, ours()) == []


async def test_messages_and_positions_survive_a_correction(link: Link) -> None:
    await apply(link, ours())
    js = link.nc.jetstream()
    for number in range(5):
        await js.publish("argo.workflow.ns.flow.uid.agent.roy.log", b"%d" % number)
    puller = await js.pull_subscribe("", "jangar-agent-comms", stream="agent-comms")
    for message in await puller.fetch(3):
        await message.ack_sync()
    jangar = (await js.consumer_info("agent-comms", "jangar-agent-comms")).config
    jangar.ack_wait = 5
    await js.add_consumer("agent-comms", jangar)
    assert became(await apply(link, ours())) == {"consumer agent-comms.jangar-agent-comms": True}
    info = await js.consumer_info("agent-comms", "jangar-agent-comms")
    assert info.ack_floor is not None
    assert (info.config.ack_wait, info.ack_floor.stream_seq, info.num_pending) == (30, 3, 2)


async def test_a_consumer_that_began_elsewhere_is_no_drift(link: Link) -> None:
    """Ingest makes its consumer anew after what is stored. [C4]"""
    await apply(link, ours())
    js = link.nc.jetstream()
    await js.publish("argo.workflow.ns.flow.uid.agent.roy.log", b"1")
    config = (await js.consumer_info("agent-comms", "jangar-agent-comms")).config
    await js.delete_consumer("agent-comms", "jangar-agent-comms")
    config.deliver_policy, config.opt_start_seq = "by_start_sequence", 2
    await js.add_consumer("agent-comms", config)
    assert await drift(link, ours()) == []


async def test_extra_consumers_are_found_and_deleted_only_when_asked(link: Link) -> None:
    await apply(link, ours())
    js = link.nc.jetstream()
    await js.add_consumer("RESULTS", ConsumerConfig(durable_name="forgotten", ack_policy=AckPolicy.EXPLICIT))
    await js.add_consumer("RESULTS", ConsumerConfig(name="passing", inactive_threshold=60))
    await js.add_stream(name="others", subjects=["others"])
    await js.add_consumer("others", ConsumerConfig(durable_name="theirs", ack_policy=AckPolicy.EXPLICIT))
    assert told(await drift(link, ours())) == {"consumer RESULTS.forgotten": "extra: is in no manifest"}
    assert became(await apply(link, ours())) == {"consumer RESULTS.forgotten": False}
    assert (await js.consumer_info("RESULTS", "forgotten")).name == "forgotten"
    assert became(await apply(link, ours(), Wishes(prune=True))) == {"consumer RESULTS.forgotten": True}
    assert await drift(link, ours()) == []
    assert (await js.consumer_info("RESULTS", "passing")).name == "passing"
    assert (await js.consumer_info("others", "theirs")).name == "theirs"


@pytest.mark.parametrize(("field", "value"), [("storage", "memory"), ("retention", "workqueue"), ("maxConsumers", 3)])
async def test_what_means_making_it_anew_is_refused(tmp_path: Path, link: Link, field: str, value: object) -> None:
    await apply(link, stream(tmp_path))
    await link.nc.jetstream().publish("orders.1", b"kept")
    (outcome,) = await apply(link, stream(tmp_path, **{field: value}))
    assert (outcome.change.action, outcome.done) == ("refused", False)
    assert "cannot be changed in place" in outcome.reason
    assert (await link.nc.jetstream().get_msg("ORDERS", 1)).data == b"kept"


async def test_a_consumers_acks_are_not_changed_in_place(link: Link) -> None:
    await apply(link, ours())
    js = link.nc.jetstream()
    await js.delete_consumer("ERRORS", "orchestrator")
    await js.add_consumer("ERRORS", ConsumerConfig(durable_name="orchestrator", ack_policy=AckPolicy.NONE))
    (outcome,) = await apply(link, ours())
    assert (outcome.done, outcome.change.label) == (False, "consumer ERRORS.orchestrator")
    assert "loses its position" in outcome.reason


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [("maxMsgs", 3, "max_msgs 3 of 10 stored"), ("maxBytes", 64, "max_bytes 64 of"),
     ("maxMsgsPerSubject", 1, "max_msgs_per_subject 1")],
)  # fmt: skip
async def test_a_limit_below_what_is_stored_is_refused_unless_allowed(
    tmp_path: Path, link: Link, field: str, value: int, reason: str
) -> None:
    await apply(link, stream(tmp_path))
    for _ in range(10):
        await link.nc.jetstream().publish("orders.1", b"x" * 20)
    lower = stream(tmp_path, **{field: value})
    (outcome,) = await apply(link, lower)
    assert not outcome.done
    assert reason in outcome.reason
    assert (await link.nc.jetstream().stream_info("ORDERS")).state.messages == 10
    assert became(await apply(link, lower, Wishes(allow_loss=True))) == {"stream ORDERS": True}
    assert (await link.nc.jetstream().stream_info("ORDERS")).state.messages < 10


async def test_a_shorter_age_is_refused_when_something_older_is_stored(tmp_path: Path, link: Link) -> None:
    await apply(link, stream(tmp_path))
    await link.nc.jetstream().publish("orders.1", b"x")
    wanted = stream(tmp_path, maxAge="24h")
    seen = await look(link, wanted)
    assert [change.action for change in plan(wanted, seen)] == ["update"]
    later = Actual(seen.streams, seen.consumers, seen.clustered, datetime.now(UTC) + timedelta(days=2))
    (change,) = plan(wanted, later)
    assert change.action == "refused"
    assert "max_age 1d, the oldest is 2 days old" in change.reason


async def test_what_says_prevent_update_is_reported_and_left(tmp_path: Path, link: Link) -> None:
    await apply(link, stream(tmp_path))
    (outcome,) = await apply(link, stream(tmp_path, maxMsgs=5, preventUpdate="true"))
    assert (outcome.done, outcome.reason) == (False, "its manifest says preventUpdate")


@pytest.mark.parametrize("reason", ["3 replicas on a server that runs alone", "subjects that another stream has"])
async def test_consumers_of_a_refused_stream_name_what_to_correct_first(
    tmp_path: Path, link: Link, reason: str
) -> None:
    if "replicas" not in reason:
        await link.nc.jetstream().add_stream(name="first", subjects=["agentrun.x"])
    wanted = load([NACK / "nats" / "agent-comms.yaml", NACK / "jangar"], replicas=3 if "replicas" in reason else 1)
    stream_outcome, consumer_outcome = await apply(link, wanted)
    assert not stream_outcome.done
    assert not consumer_outcome.done
    assert consumer_outcome.reason == "its stream agent-comms was refused: correct that first"


async def test_a_consumer_without_its_stream_is_refused(tmp_path: Path, link: Link) -> None:
    wanted = load([NACK / "jangar"])
    (outcome,) = await apply(link, wanted)
    assert "stream agent-comms is not there, and no manifest makes it" in outcome.reason


async def test_a_stream_whose_subjects_another_takes_names_it(tmp_path: Path, link: Link) -> None:
    await link.nc.jetstream().add_stream(name="first", subjects=["orders.1"])
    (outcome,) = await apply(link, stream(tmp_path))
    assert not outcome.done
    assert outcome.reason == "stream first takes some of its subjects already: take them from there, or from here"


async def test_what_the_server_refuses_is_told_in_its_words(tmp_path: Path, link: Link) -> None:
    (outcome,) = await apply(link, stream(tmp_path, subjects=["orders..x"]))
    assert not outcome.done
    assert "invalid subject" in outcome.reason


@pytest.mark.parametrize("user", ["agents", "jangar"])
async def test_only_system_may_look(guarded: Guarded, user: str) -> None:
    link = await connect(guarded.url_of(user))
    try:
        with pytest.raises(CredentialsRefused):
            await look(link, ours())
    finally:
        await link.close()


async def test_system_may_apply(guarded: Guarded) -> None:
    link = await connect(guarded.url_of("system"))
    try:
        assert all(outcome.done for outcome in await apply(link, ours()))
    finally:
        await link.close()
