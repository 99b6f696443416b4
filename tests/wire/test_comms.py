"""Subjects and payload of agent comms."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_agog.errors import BadInput, InvalidToken
from pytest_agog.wire import comms
from pytest_agog.wire.comms import Address

UID = "6f1c0a7e-3a53-4c1c-9d7e-2f8a1b4c5d6e"
TOKEN = st.text("abcXYZ019-_", min_size=1, max_size=12)
NAME = st.text("abc019-.", min_size=1, max_size=20)


@given(TOKEN, NAME, TOKEN, TOKEN, TOKEN, st.sampled_from(comms.PREFIXES))
def test_run_subjects_round_trip(namespace: str, name: str, uid: str, agent: str, kind: str, prefix: str) -> None:
    assume(name.strip("."))
    subject = comms.run_subject(namespace, name, uid, agent, kind, prefix=prefix)
    assert subject.count(".") == prefix.count(".") + 6
    assert comms.parse_subject(subject) == Address(kind, namespace, name, uid, agent)


@pytest.mark.parametrize("name", ["a.b", "a.agent.b", "agent", "v1.2.agent.x.y", "general"])
@pytest.mark.parametrize("agent", ["implementer", "agent"])
@pytest.mark.parametrize("namespace", ["agents", "general"])
def test_unescaped_dots_in_a_name_shift_nothing(namespace: str, name: str, agent: str) -> None:
    subject = f"argo.workflow.{namespace}.{name}.{UID}.agent.{agent}.tool_call"
    assert comms.parse_subject(subject) == Address("tool_call", namespace, name, UID, agent)


def test_an_agent_id_with_dots_is_read_where_only_one_reading_is_possible() -> None:
    subject = f"argo.workflow.agents.wf.{UID}.agent.my.helper.message"
    assert comms.parse_subject(subject) == Address("message", "agents", "wf", UID, "my.helper")
    with pytest.raises(BadInput):
        comms.parse_subject(f"argo.workflow.agents.wf.v.agent.{UID}.agent.my.helper.x.message")


@pytest.mark.parametrize("prefix", comms.PREFIXES)
def test_the_global_channel(prefix: str) -> None:
    subject = comms.general_subject("run-started", prefix=prefix)
    assert subject == f"{prefix}.general.run-started"
    assert comms.parse_subject(subject) == Address("run-started")
    assert comms.parse_subject(subject).general


@pytest.mark.parametrize(
    "subject",
    ["", "argo.workflow", "argo.workflow.", "argo.workflow.general", "argo.workflow.general.a.b",
     "argo.workflowx.general.a",
     "agentrun.ns.wf.uid.agent.kind", "agentrun.ns.wf.uid.agent.me.", "agentrun.ns..uid.agent.me.kind",
     "results.roy.REQ-1"],
)  # fmt: skip
def test_other_subjects_are_refused(subject: str) -> None:
    with pytest.raises(BadInput, match="no subject of agent comms"):
        comms.parse_subject(subject)


@pytest.mark.parametrize("name", ["a%2Eb", "a%2eb", "", "..."])
def test_names_that_would_be_read_as_others_are_refused(name: str) -> None:
    with pytest.raises(InvalidToken, match="workflow name"):
        comms.run_subject("ns", name, UID, "me", "message")


def test_a_foreign_prefix_can_be_given() -> None:
    assert comms.parse_subject("jobs.general.log", prefixes=("jobs",)) == Address("log")


@pytest.mark.parametrize("field", sorted(set(comms.ALIASES) - {"attrs", "timestamp"}))
def test_the_payload_reads_every_alias(field: str) -> None:
    for key in comms.ALIASES[field]:
        assert getattr(comms.AgentMessage.model_validate({key: "v"}), field) == "v", key


def test_the_first_alias_wins_and_nothing_is_lost() -> None:
    message = comms.AgentMessage.model_validate({"text": "b", "content": " a\n", "exitCode": 0, "mood": None})
    assert message.content == " a\n"
    assert (message.model_extra or {})["text"] == "b"
    assert json.loads(message.payload())["exit_code"] == 0
