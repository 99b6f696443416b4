"""JSON that asks for work: files of requirements, and messages of agents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake.requests import read_json, read_request
from pytest_agog.wire import examples
from tests.reference.orchestrator.intake.roadmaps import FIXTURES

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_a_list_is_read_with_lines() -> None:
    read = read_json((FIXTURES / "submitted.json").read_bytes(), name="submitted.json")
    assert read.unreadable == ()
    assert [(item.id, item.line) for item in read.requirements] == [("REQ-301", 2), ("REQ-302", 14), ("REQ-303", 15)]
    first, second, third = read.requirements
    assert (first.agent, first.estimated_tokens, first.phase, first.deadline) == ("roy", 40_000, "2.1", "2026-12-10")
    assert (second.dependencies, third.files, third.priority) == (("REQ-301",), ("docs/user-guide.md",), "LOW")


def test_issues_are_read_beside_requirements() -> None:
    read = read_json((FIXTURES / "issues.json").read_bytes(), name="issues.json")
    first, second = read.requirements
    assert (first.priority, first.effort, first.files) == ("HIGH", "S", ("src/services/scale.ts",))
    assert second.dependencies == (first.id,)
    assert [str(item) for item in read.unreadable] == ["issues.json:14: #14 is a pull request, not an issue"]


@pytest.mark.parametrize("shape", ["{}", "[{}]", '{{"requirements": [{}]}}', "\ufeff [\n{}\n]\n"])
def test_one_requirement_alone_or_in_a_list(shape: str) -> None:
    text = shape.replace("{}", '{"id": "REQ-1", "title": "x"}').replace("{{", "{").replace("}}", "}")
    assert [item.id for item in read_json(text.encode(), name="x").requirements] == ["REQ-1"]


def test_the_contract_s_own_example_is_read() -> None:
    (example,) = [item for item in examples.load() if item.subject == "requirements.backend.REQ-042"]
    stated = read_json(json.dumps(example.payload).encode(), name="x").requirements[0]
    assert (stated.id, stated.agent) == ("REQ-042", example.payload["assignedAgent"])


def test_numbers_are_given_above_those_that_are_there() -> None:
    data = b'[{"title": "a"}, {"id": "REQ-041", "title": "b"}, {"title": "c"}, {"id": "REQ-X-9", "title": "d"}]'
    read = read_json(data, name="x")
    assert [item.id for item in read.requirements] == ["REQ-042", "REQ-041", "REQ-043", "REQ-X-9"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x:1: no JSON: expecting value"),
        ('[{"id": "REQ-1",\n "title": }]', "x:2: no JSON: expecting value"),
        ("[{}\n\n{}]", "x:3: no JSON: expecting ',' or ']'"),
        ("{}\n{}", "x:2: no JSON: extra data"),
        ("[NaN]", "x:1: no JSON that can be read: NaN is no JSON number"),
        ("[" * 100_000, "x:1: no JSON that can be read: it nests too deep"),
        ('"REQ-1"', "x:1: neither a requirement nor a list"),
        ("17", "x:1: neither a requirement nor a list"),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_json(text.encode(), name="x")
    assert str(caught.value).startswith(message)


def test_what_is_no_utf8_is_refused_with_its_line() -> None:
    with pytest.raises(BadInput, match=r"^x:2: byte 0xff is no UTF-8"):
        read_json(b"[\n\xff]", name="x")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (5, "expected a requirement (a JSON object), found a number"),
        ({"id": "REQ-1"}, "REQ-1: title: missing"),
        ({"id": "42", "title": "x"}, "'42' is no requirement id"),
        ({"id": 42, "title": "x"}, "'42' is no requirement id"),
        ({"title": ["x"]}, "title: expected text, found a list"),
        ({"id": "REQ-1", "title": "x", "status": "PHASE_1_COMPLETE"}, "REQ-1: Status 'PHASE_1_COMPLETE' is none of"),
        ({"title": "x", "files": [1]}, "files: expected a list of texts, found a list with a number in it"),
        ({"title": "x", "dependencies": ["login"]}, "'login' names no requirement"),
        ({"title": "x", "estimatedTokens": -1}, "estimatedTokens: expected a whole number"),
        ({"title": "x", "metadata": 1}, "metadata: expected an object"),
    ],
)
def test_one_that_cannot_be_read_is_told_and_others_are_read(value: Any, why: str) -> None:
    data = json.dumps([{"id": "REQ-9", "title": "x"}]).encode()[:-1] + b",\n" + json.dumps(value).encode() + b"]"
    read = read_json(data, name="x")
    assert [item.id for item in read.requirements] == ["REQ-9"]
    (told,) = read.unreadable
    assert told.line == 2
    assert why in told.why


def test_an_id_twice_is_told() -> None:
    read = read_json(b'[{"id": "REQ-1", "title": "a"},\n{"req_number": "REQ-1", "title": "b"}]', name="x")
    assert [item.title for item in read.requirements] == ["a"]
    assert str(read.unreadable[0]).startswith("x:2: REQ-1: stands in line 1 already")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner, max_size=4)
                    | st.dictionaries(st.sampled_from(["id", "title", "files", "status", "agent", "metadata", "tokens",
                                                       "estimatedTokens", "dependencies", "number", "body", "issue",
                                                       "labels", "effort"]), inner, max_size=6)))  # fmt: skip
def test_any_json_is_read_or_told(value: Any) -> None:
    try:
        read = read_json(json.dumps([value]).encode(), name="x")
    except BadInput as error:
        assert str(error).startswith("x:1: ")  # noqa: PT017 - NaN is no JSON
    else:
        assert len(read.requirements) + len(read.unreadable) == 1


def ask(value: Any, **message: Any) -> Any:
    place = {"stored_at": WHEN, "sequence": 17, **message}
    return read_request("integration.orchestrator.request", json.dumps(value).encode(), **place)


def test_a_request_without_an_id_has_the_same_one_at_every_delivery() -> None:
    first = ask({"title": "Add an index", "from": "roy"})
    assert (first.id, first.requested_by) == ("REQ-MSG-1767323045678-17", "roy")
    assert ask({"title": "Add an index", "from": "roy"}) == first
    assert ask({"title": "Add an index"}, sequence=18).id != first.id


def test_a_request_may_be_wrapped() -> None:
    stated = ask({"from": "jen", "requirement": {"id": "REQ-5", "title": "x", "dependencies": "REQ-1, REQ-2"}})
    assert (stated.id, stated.requested_by, stated.dependencies) == ("REQ-5", "jen", ("REQ-1", "REQ-2"))


@pytest.mark.parametrize("value", [{"text": "hello"}, [], "x", None, {"title": "x", "id": "REQ 1"}])
def test_a_message_that_asks_for_no_work_is_told(value: Any) -> None:
    with pytest.raises(BadInput, match=r"^integration\.orchestrator\.request: "):
        ask(value)


def test_a_message_that_is_no_json_is_told() -> None:
    with pytest.raises(BadInput, match="no JSON"):
        read_request("integration.orchestrator.x", b"\xff{", stored_at=WHEN, sequence=1)
