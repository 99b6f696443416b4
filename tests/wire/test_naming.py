"""The contract's names and a target's, both ways."""

from __future__ import annotations

from pytest_agog.wire.naming import CONTRACT, WireNames
from pytest_agog.wire.streams import CONSUMERS, STREAMS
from pytest_agog.wire.tables import AGENT_MESSAGES

FOREIGN = WireNames("acme.runs", "talk", "reader", "acme.said", {"workflow_uid": "uid"}, "/v1/events")
TABLE = AGENT_MESSAGES.qualified


def test_the_contract_names_things_as_it_does() -> None:
    assert CONTRACT.stream in {stream.name for stream in STREAMS}
    assert (CONTRACT.stream, CONTRACT.consumer) in {(consumer.stream, consumer.name) for consumer in CONSUMERS}
    assert CONTRACT.table_of(TABLE) == TABLE
    assert CONTRACT.told_columns(TABLE) == {}
    assert CONTRACT.subject("argo.workflow.general.status") == "argo.workflow.general.status"


def test_a_target_has_names_of_its_own() -> None:
    assert FOREIGN.stream_of("agent-comms") == "talk"
    assert FOREIGN.consumer_of("agent-comms", "jangar-agent-comms") == "reader"
    assert FOREIGN.table_of(TABLE) == "acme.said"
    assert FOREIGN.told_columns(TABLE) == {"uid": "workflow_uid"}
    assert FOREIGN.events_path == "/v1/events"
    assert FOREIGN.subject("argo.workflow.general.status") == "acme.runs.general.status"


def test_what_is_not_of_comms_keeps_its_name() -> None:
    assert FOREIGN.stream_of("RESULTS") == "RESULTS"
    assert FOREIGN.consumer_of("RESULTS", "jangar-agent-comms") == "jangar-agent-comms"
    assert FOREIGN.consumer_of("agent-comms", "another") == "another"
    assert FOREIGN.table_of("mine.rows") == "mine.rows"
    assert FOREIGN.told_columns("mine.rows") == {}
    for subject in ("agentrun.general.status", "argo.workflows.x", "argo.workflow", "results.roy.REQ-1"):
        assert FOREIGN.subject(subject) == subject
