from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pytest_agog.errors import BadInput, IdentityMissing, InvalidToken
from pytest_agog.reference.comms.publishing.drafting import draft, told_status
from pytest_agog.reference.comms.publishing.speaker import Speaker
from pytest_agog.wire.comms import parse_subject

ENVIRON = {
    "WORKFLOW_NAME": "build.v1.2", "WORKFLOW_UID": "u-1", "WORKFLOW_NAMESPACE": "ci", "WORKFLOW_STEP": "s1",
    "WORKFLOW_STAGE": "test", "AGENT_ID": "roy", "AGENT_ROLE": "tool", "RUN_ID": "r-1",
    "CODEX_REPOSITORY": "o/r", "CODEX_ISSUE_NUMBER": "42", "CODEX_BRANCH": "main",
}  # fmt: skip


def payload(speaker: Speaker, content: str = "x", **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(draft(speaker, content, **fields)[0].payload)
    return found


def test_the_environment_says_who_speaks() -> None:
    speaker = Speaker.from_environment(ENVIRON)
    said = payload(speaker)
    assert {key: said[key] for key in said if key not in ("message_id", "timestamp")} == {
        "workflow_uid": "u-1", "workflow_name": "build.v1.2", "workflow_namespace": "ci", "run_id": "r-1",
        "step_id": "s1", "agent_id": "roy", "role": "tool", "kind": "message", "stage": "test", "runtime": "native",
        "content": "x", "repository": "o/r", "issueNumber": 42, "branch": "main",
    }  # fmt: skip
    assert said["timestamp"].endswith("Z")


@pytest.mark.parametrize(("runtime", "prefix"), [("native", "agentrun"), ("argo", "argo.workflow")])
def test_dots_in_the_name_shift_nothing(runtime: str, prefix: str) -> None:
    speaker = Speaker.from_environment(ENVIRON, runtime=runtime)
    subject = draft(speaker, "x", kind="log")[0].subject
    assert subject == f"{prefix}.ci.build%2Ev1%2E2.u-1.agent.roy.log"
    assert parse_subject(subject).workflow_name == "build.v1.2"


def test_a_pod_of_argo_is_known() -> None:
    assert Speaker.from_environment({**ENVIRON, "ARGO_TEMPLATE": "{}"}).runtime == "argo"


def test_a_native_run_needs_only_its_run_id() -> None:
    speaker = Speaker.from_environment({"AGENT_ID": "roy", "RUN_ID": "r-1"})
    assert draft(speaker, "x")[0].subject == "agentrun.default.r-1.r-1.agent.roy.message"


@pytest.mark.parametrize("run_id", ["search.v2", "a run", "*", "x" * 200, "ü\u202e", "\ud800"])
def test_a_run_id_of_any_text_has_a_subject(run_id: str) -> None:
    speaker = Speaker.from_environment({"AGENT_ID": "roy", "RUN_ID": run_id})
    other = Speaker.from_environment({"AGENT_ID": "roy", "RUN_ID": f"{run_id} "})
    [said] = draft(replace(speaker, run_id=None), "x")
    address = parse_subject(said.subject)
    assert (address.agent_id, address.workflow_uid) == ("roy", speaker.workflow_uid)
    assert speaker.run_id == run_id
    assert speaker.workflow_uid != other.workflow_uid


@pytest.mark.parametrize("channel", ["genral", "General", "generals"])
def test_a_misspelled_channel_is_told(channel: str) -> None:
    with pytest.raises(BadInput, match="Did you mean that"):
        draft(Speaker.from_environment(ENVIRON), "x", channel=channel)


@pytest.mark.parametrize(
    ("environ", "names"),
    [({}, ["WORKFLOW_UID", "AGENT_ID", "RUN_ID"]), ({"ARGO_TEMPLATE": "1", "AGENT_ID": "a"}, ["WORKFLOW_NAMESPACE"])],
)
def test_what_is_missing_is_named(environ: dict[str, str], names: list[str]) -> None:
    with pytest.raises(IdentityMissing) as caught:
        draft(Speaker.from_environment(environ), "x")
    assert all(name in str(caught.value) for name in names)


def test_the_global_channel_needs_no_run() -> None:
    [only] = draft(Speaker(), "x", channel="general")
    assert only.subject == "agentrun.general.message"
    assert json.loads(only.payload)["channel"] == "general"


def test_copies_share_the_id_and_the_time() -> None:
    run, general = draft(Speaker.from_environment(ENVIRON), "x", general=True, channel="side")
    first, second = json.loads(run.payload), json.loads(general.payload)
    assert (first.pop("channel"), second.pop("channel")) == ("side", "general")
    assert first == second
    assert run.headers == {"Nats-Msg-Id": f"{run.message_id}:{run.subject}"}
    assert general.headers["Nats-Msg-Id"] == f"{run.message_id}:{general.subject}"


@pytest.mark.parametrize("content", ["  code\n    more\n\n", "", "\t", "é\r\n``` \n"])
def test_content_is_never_trimmed(content: str) -> None:
    assert payload(Speaker.from_environment(ENVIRON), content)["content"] == content


def test_falsy_values_stay() -> None:
    empty = {"a": 0, "b": "", "c": False, "d": None, "e": []}
    said = payload(Speaker.from_environment(ENVIRON), "", exit_code=0, attrs=empty, tool={"result": None})
    assert (said["exit_code"], said["attrs"], said["tool"]) == (0, empty, {"result": None})


def test_a_status_never_lies() -> None:
    assert (told_status("auto", 0), told_status("auto", 3), told_status("auto", -9)) == (
        "completed",
        "failed",
        "failed",
    )
    assert told_status("blocked", 0) == "blocked"
    assert told_status(None, 3) is None
    for status, code in (("auto", None), ("completed", 1), ("Succeeded", 1)):
        with pytest.raises(BadInput):
            told_status(status, code)


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "a\0b"}, {"content": "a\udc80"}, {"attrs": {"a": float("nan")}}, {"attrs": {"a": {"b": "\0"}}},
        {"tool": {"\0": 1}}, {"message_id": "a\r\nb"}, {"attrs": {"a": object()}},
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        draft(Speaker.from_environment(ENVIRON), **{"content": "x", **fields})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["", "a.b", "a b", "*"])
def test_a_kind_is_one_word(kind: str) -> None:
    with pytest.raises(InvalidToken):
        draft(Speaker.from_environment(ENVIRON), "x", kind=kind)


def test_roles_and_runtimes_are_those_of_the_contract() -> None:
    with pytest.raises(BadInput, match="AGENT_ROLE"):
        Speaker.from_environment({"AGENT_ROLE": "boss"})
    with pytest.raises(BadInput, match="native or argo"):
        Speaker.from_environment({}, runtime="docker")
