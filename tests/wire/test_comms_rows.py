"""Messages of agent comms become rows, or rejections; nothing raises."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.wire import comms
from pytest_agog.wire.comms_rows import MAX_KEY_BYTES, Reason, Rejection, Row, normalise

UID = "6f1c0a7e-3a53-4c1c-9d7e-2f8a1b4c5d6e"
RUN = comms.run_subject("agents", "wf.v1", UID, "implementer", "message")
GENERAL = "argo.workflow.general.status"
STORED = datetime(2026, 1, 31, 12, tzinfo=UTC)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(sorted({key for keys in comms.ALIASES.values() for key in keys} | {"tool", "exitCode", "x"}))


def reading(payload: Any, subject: str = RUN, seq: int = 7, created: str = "2026-01-01T00:00:00Z") -> Row | Rejection:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return normalise(subject, data, stream_created=created, stream_seq=seq, stored_at=STORED)


def row(payload: Any, subject: str = RUN, **position: Any) -> Row:
    result = reading(payload, subject, **position)
    assert isinstance(result, Row), result
    return result


def rejection(payload: Any, subject: str = RUN) -> Reason:
    result = reading(payload, subject)
    assert isinstance(result, Rejection), result
    assert "\n" not in result.detail
    return result.reason


# --- identity and what comes from where -----------------------------------------------------------------------
def test_an_empty_object_is_a_row_from_its_subject_and_its_place() -> None:
    one = row({})
    assert (one.workflow_namespace, one.workflow_name, one.workflow_uid) == ("agents", "wf.v1", UID)
    assert (one.agent_id, one.kind, one.role, one.content, one.channel) == (
        "implementer",
        "message",
        "assistant",
        "",
        None,
    )
    assert (one.timestamp, one.attrs, one.stream_seq) == (STORED, {}, 7)


def test_identity_in_the_subject_wins_whatever_the_payload_claims() -> None:
    claim = {
        "workflow_uid": "other",
        "agentRunName": "x",
        "workflowNamespace": ["odd"],
        "agentId": "root",
        "agent_id": 5,
    }
    one = row(claim)
    assert (one.workflow_namespace, one.workflow_name, one.workflow_uid) == ("agents", "wf.v1", UID)
    assert (one.agent_id, one.attrs) == ("implementer", {})


def test_on_the_global_channel_the_payload_says_who_speaks() -> None:
    one = row({"agent_run_uid": "u", "workflowName": "n", "agentRunNamespace": "ns", "agentId": "a"}, GENERAL)
    assert (one.workflow_uid, one.workflow_name, one.workflow_namespace, one.agent_id) == ("u", "n", "ns", "a")
    assert (one.channel, one.kind) == ("general", "status")


def test_kinds_of_the_payload_and_unknown_ones_are_kept() -> None:
    assert row({"kind": "thought"}).kind == "thought"
    assert row({"kind": ""}).kind == "message"


@pytest.mark.parametrize(
    ("field", "key"),
    [(field, key) for field, keys in comms.ALIASES.items() for key in keys if field in ("run_id", "step_id")],
)
def test_aliases_of_columns(field: str, key: str) -> None:
    one = row({key: "v"})
    assert getattr(one, field) == "v"
    assert one.attrs == {}


@pytest.mark.parametrize("key", comms.ALIASES["timestamp"])
def test_aliases_of_the_time(key: str) -> None:
    assert row({key: "2025-06-01T10:00:00.123456+02:00"}).timestamp == datetime(2025, 6, 1, 8, 0, 0, 123456, UTC)


# --- content ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("content", ["  indented\n\tcode\n\n", "", " ", "\u200b", "𝄞\r\n"])
def test_content_is_never_trimmed(content: str) -> None:
    assert row({"content": content, "text": "other"}).content == content


@pytest.mark.parametrize(
    ("payload", "content", "attrs"),
    [
        ({"text": "a", "message": "b"}, "a", {"message": "b"}),
        ({"content": None, "message": "b"}, "b", {}),
        ({"status": "running"}, "running", {"status": "running"}),
        ({"status": 3, "error": "bad"}, "bad", {"status": 3}),
        ({"error": {"code": 1}}, "", {"error": {"code": 1}}),
        ({"tool": {"name": "x"}}, "", {"tool": {"name": "x"}}),
    ],
)
def test_content_falls_back_to_its_aliases(payload: dict[str, Any], content: str, attrs: dict[str, Any]) -> None:
    one = row(payload)
    assert (one.content, one.attrs) == (content, attrs)


def test_fields_without_a_column_go_to_attrs_in_snake_case_falsy_ones_too() -> None:
    payload = {
        "exitCode": 0, "issueNumber": 12, "toolCallID": "t", "ok": False, "note": "", "list": [], "nothing": None,
        "HTTPStatus": 204, "runtime": "native", "attrs": {"keepMe": 1, "status": "old"}, "status": "new", "id": "m-1",
    }  # fmt: skip
    assert row(payload | {"content": "x"}).attrs == {
        "exit_code": 0, "issue_number": 12, "tool_call_id": "t", "ok": False, "note": "", "list": [], "nothing": None,
        "http_status": 204, "runtime": "native", "keepMe": 1, "status": "new", "message_id": "m-1",
    }  # fmt: skip


def test_two_spellings_of_one_key_are_both_kept() -> None:
    assert row({"exitCode": 1, "exit_code": 0}).attrs == {"exitCode": 1, "exit_code": 0}


# --- one message, one row ---------------------------------------------------------------------------------------
def test_the_same_message_has_the_same_key_wherever_it_is_stored() -> None:
    payload = {"message_id": "m", "content": "c"}
    assert row(payload, seq=1).dedupe_key == row({"id": "m", "text": "c"}, seq=2, created="later").dedupe_key


@pytest.mark.parametrize(
    "other",
    [{"message_id": "n"}, {"content": "d"}, {"kind": "log"}, {"channel": "side"}],
)
def test_different_messages_have_different_keys(other: dict[str, Any]) -> None:
    payload = {"message_id": "m", "content": "c"}
    assert row(payload).dedupe_key != row(payload | other).dedupe_key


def test_run_and_general_copies_are_two_rows_even_when_their_bytes_agree() -> None:
    identity = {"workflow_uid": UID, "workflow_namespace": "agents", "agent_id": "implementer"}
    payload = identity | {"message_id": "m", "content": "c", "channel": "general", "kind": "status"}
    run, general = row(payload), row(payload, GENERAL)
    assert run.dedupe_key != general.dedupe_key
    assert (run.channel, general.channel) == (None, "general")


def test_without_an_id_the_place_tells_messages_apart() -> None:
    assert row({}, seq=1).dedupe_key == row({}, seq=1).dedupe_key
    keys = {row({}, seq=1).dedupe_key, row({}, seq=2).dedupe_key, row({}, seq=1, created="anew").dedupe_key}
    assert len(keys) == 3


@given(st.lists(st.tuples(st.text("ab", max_size=2), st.text("ab", max_size=2)), min_size=2, max_size=2, unique=True))
def test_keys_do_not_run_together(pairs: list[tuple[str, str]]) -> None:
    one, other = (row({"message_id": "m" + first, "content": second}).dedupe_key for first, second in pairs)
    assert one != other


# --- what cannot be stored --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"hello", Reason.NOT_JSON),
        (b'{"content": "cut', Reason.NOT_JSON),
        (b'{"content": "\xff"}', Reason.NOT_JSON),
        (b'{"content": "\\ud800"}', Reason.NOT_JSON),
        (b'{"x": NaN}', Reason.NOT_JSON),
        (b'{"x": ' + b"[" * 500 + b"]" * 500 + b"}", Reason.NOT_JSON),
        (b'{"x": ' + b"1" * 5000 + b"}", Reason.NOT_JSON),
        (b"[1]", Reason.NOT_AN_OBJECT),
        (b'"text"', Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        ({"content": {"a": 1}}, Reason.WRONG_TYPE),
        ({"content": 5}, Reason.WRONG_TYPE),
        ({"run_id": ["x"]}, Reason.WRONG_TYPE),
        ({"role": True}, Reason.WRONG_TYPE),
        ({"kind": 1}, Reason.WRONG_TYPE),
        ({"attrs": "x"}, Reason.WRONG_TYPE),
        ({"timestamp": 1767000000}, Reason.WRONG_TYPE),
        ({"content": "a\0b"}, Reason.NUL),
        ({"attrs": {"deep": [{"a\0": 1}]}}, Reason.NUL),
        ({"timestamp": "soon"}, Reason.TIMESTAMP),
        ({"timestamp": "9999-12-31T23:59:59-10:00"}, Reason.TIMESTAMP),
        ({"timestamp": "2026-02-30T00:00:00Z"}, Reason.TIMESTAMP),
        (b'{"attrs": {"n": [1e999]}}', Reason.NUMBER),
        (b'{"n": -1e999}', Reason.NUMBER),
        ({"run_id": "x" * (MAX_KEY_BYTES + 1)}, Reason.TOO_LONG),
        ({"channel": "é" * 501}, Reason.TOO_LONG),
    ],
)
def test_bad_messages_are_rejected_by_type(payload: Any, reason: Reason) -> None:
    assert rejection(payload) is reason


@pytest.mark.parametrize(
    ("subject", "reason"),
    [("results.roy.REQ-1", Reason.SUBJECT), (RUN + "\0", Reason.NUL), (RUN + "\udc80", Reason.UNICODE)],
)
def test_bad_subjects_are_rejected(subject: str, reason: Reason) -> None:
    assert rejection({}, subject) is reason


def test_a_backslash_and_u0000_as_text_is_no_nul() -> None:
    assert row({"content": "\\u0000"}).content == "\\u0000"


def test_ids_that_are_numbers_are_taken() -> None:
    one = row({"id": 42, "runId": 7, "content": "x"})
    assert (one.attrs["message_id"], one.run_id) == ("42", "7")


@given(st.dictionaries(KEYS, JSON_VALUES, max_size=6), st.sampled_from([RUN, GENERAL]))
def test_any_object_is_a_row_or_a_rejection_and_a_row_can_be_stored(payload: dict[str, Any], subject: str) -> None:
    result = reading(json.dumps(payload).encode("utf-8", "surrogatepass"), subject)
    if isinstance(result, Row):
        stored = json.dumps(result.attrs, allow_nan=False).encode("utf-8")
        assert b"\\u0000" not in stored.replace(b"\\\\", b"")
        assert isinstance(result.content, str)
        assert "\0" not in result.content
        assert result.timestamp.tzinfo is UTC
        assert result.kind


@given(st.binary(max_size=60), st.text(max_size=40))
def test_any_bytes_on_any_subject_are_answered(data: bytes, subject: str) -> None:
    assert isinstance(reading(data, subject), (Row, Rejection))


def test_one_core_reads_more_than_ten_thousand_messages_a_second() -> None:
    payload = json.dumps({
        "message_id": UID, "workflow_uid": UID, "workflow_name": "wf", "workflow_namespace": "agents", "run_id": "r",
        "step_id": "s", "agent_id": "a", "role": "assistant", "kind": "message", "timestamp": "2026-01-31T12:00:00.5Z",
        "stage": "x", "runtime": "native", "content": "hello world " * 50, "tool": {"name": "sh", "arguments": [1]},
        "exitCode": 0, "repository": "a/b", "issueNumber": 12, "branch": "x",
    }).encode()  # fmt: skip
    begin = time.process_time()
    for seq in range(5000):
        reading(payload, seq=seq)
    assert 5000 / (time.process_time() - begin) > 10_000
