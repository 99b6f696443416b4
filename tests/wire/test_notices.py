"""Completion notices: both shapes, sizes, contradictions, and finding them in real output."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog import tokens
from pytest_agog.errors import BadInput, NoticeMissing, NoticeTooLarge
from pytest_agog.wire import notices

URL = "nats://agog.deliverables.roy.backend.REQ-042"
SECOND: dict[str, Any] = {
    "agent": "roy", "req_number": "REQ-042", "status": "COMPLETE", "deliverable": URL, "summary": "Done {and} dusted.",
}  # fmt: skip
FIRST: dict[str, Any] = {
    "status": "complete", "agent": "roy", "task": "backend", "nats_channel": "agog.deliverables.roy.backend.REQ-042",
    "summary": "Done", "complexity": "Simple", "files_modified": 3, "blockers": [], "ready_for_next_stage": True,
    "completion_time": "2026-01-31T12:00:00Z",
}  # fmt: skip
NOTICE = json.dumps(SECOND)


def read(output: str, agent: str = "roy", requirement: str | None = "REQ-042") -> notices.Parsed:
    return notices.parse_output(output, agent=agent, requirement=requirement)


def why_not(output: str, agent: str = "roy", requirement: str | None = "REQ-042") -> str:
    with pytest.raises(NoticeMissing) as caught:
        read(output, agent, requirement)
    return str(caught.value)


# --- one view of both shapes ----------------------------------------------------------------------------------------
def test_both_shapes_have_one_view() -> None:
    one, other = notices.parse(FIRST), notices.parse(SECOND)
    assert (one.agent, one.requirement, one.status, one.deliverable) == ("roy", "REQ-042", "COMPLETE", URL)
    assert (other.agent, other.requirement, other.status, other.deliverable) == ("roy", "REQ-042", "COMPLETE", URL)
    assert one.ready_for_next_stage is True
    assert other.ready_for_next_stage is None
    assert one.raw == FIRST


def test_optional_fields_are_kept_and_read() -> None:
    notice = notices.parse(
        SECOND
        | {
            "status": "blocked",
            "blockers": ["no table", "", {"needs": "index"}],
            "critique_verdict": "rejected",
            "next_agent": "sylvia",
            "needs_todd": True,
            "mood": "low",
        }
    )
    assert notice.status == "BLOCKED"
    assert notice.blockers == ("no table", '{"needs":"index"}')
    assert notice.critique_verdict == "REJECTED"
    assert (notice.next_agent, notice.needs_todd, notice.needs_vic) == ("sylvia", True, False)
    assert notice.raw["mood"] == "low"
    assert json.loads(notice.to_json())["mood"] == "low"


@pytest.mark.parametrize("scheme", ["", "nats://"])
def test_a_channel_may_lack_its_scheme(scheme: str) -> None:
    assert notices.parse(FIRST | {"nats_channel": scheme + FIRST["nats_channel"]}).deliverable == URL


@pytest.mark.parametrize("name", ["agent", "req_number", "status", "deliverable", "summary"])
@pytest.mark.parametrize("value", [None, 7, "missing"])
def test_required_fields_are_text(name: str, value: object) -> None:
    notice = {key: item for key, item in SECOND.items() if key != name}
    if value != "missing":
        notice[name] = value
    with pytest.raises(BadInput, match=name):
        notices.parse(notice)


@pytest.mark.parametrize("name", ["agent", "task", "nats_channel", "summary"])
def test_required_fields_of_the_first_shape(name: str) -> None:
    with pytest.raises(BadInput):
        notices.parse({key: item for key, item in FIRST.items() if key != name})


@pytest.mark.parametrize("status", ["PHASE_1_COMPLETE", "done", "", "COMPLETED"])
def test_other_statuses_are_no_notice(status: str) -> None:
    with pytest.raises(BadInput, match="status"):
        notices.parse(SECOND | {"status": status})


def test_an_unknown_verdict_is_no_notice_so_that_nobody_takes_it_for_approval() -> None:
    with pytest.raises(BadInput, match="critique_verdict"):
        notices.parse(SECOND | {"critique_verdict": "LOOKS_FINE"})


# --- making one, and its size ---------------------------------------------------------------------------------------
def test_create_makes_the_second_shape() -> None:
    notice = notices.create(
        "roy", "REQ-042", "complete", "agog.deliverables.roy.backend.REQ-042", "Done", next_agent="jen", blockers=None
    )
    assert json.loads(notice.to_json()) == {
        "agent": "roy", "req_number": "REQ-042", "status": "COMPLETE", "deliverable": URL, "summary": "Done",
        "next_agent": "jen",
    }  # fmt: skip
    assert notices.check_size(notice.to_json()) == tokens.count(notice.to_json()) < 200


@pytest.mark.parametrize("wrong", [{"status": "SOSO"}, {"summary": "\ud800"}, {"agent": ""}])
def test_create_refuses_what_is_no_notice(wrong: dict[str, Any]) -> None:
    fields = {"agent": "roy", "requirement": "R", "status": "COMPLETE", "deliverable": URL, "summary": "s"} | wrong
    with pytest.raises(BadInput):
        notices.create(**fields)


def test_the_longest_field_is_named() -> None:
    text = notices.create("roy", "REQ-042", "COMPLETE", URL, "short", changes={"text": "word " * 300}).to_json()
    with pytest.raises(NoticeTooLarge) as caught:
        notices.check_size(text)
    assert caught.value.details["field"] == "changes"
    assert caught.value.details["tokens"] == tokens.count(text)
    with pytest.raises(NoticeTooLarge, match="whole notice"):
        notices.check_size("word " * 300)


def test_the_limit_itself_is_allowed() -> None:
    assert notices.check_size("x" * 200, counter=len) == 200
    with pytest.raises(NoticeTooLarge):
        notices.check_size("x" * 201, counter=len)


# --- contradictions -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, []),
        ({"blockers": []}, []),
        ({"blockers": ["x"]}, ["COMPLETE with blockers"]),
        ({"status": "BLOCKED", "blockers": ["x"]}, []),
        ({"status": "BLOCKED"}, ["BLOCKED without blockers"]),
        ({"status": "BLOCKED", "blockers": [" ", None]}, ["BLOCKED without blockers"]),
        ({"status": "FAILED", "critique_verdict": "APPROVED", "blockers": ["x"]}, ["APPROVED with blockers"]),
        ({"critique_verdict": "APPROVED"}, []),
        ({"critique_verdict": "rejected"}, []),
        ({"critique_verdict": "REJECTED", "ready_for_next_stage": True}, ["ready_for_next_stage"]),
        ({"critique_verdict": "REJECTED", "ready_for_next_stage": False}, []),
        ({"critique_verdict": "REJECTED", "next_agent": "Jen"}, ["implementer Jen"]),
        ({"critique_verdict": "REJECTED", "next_agent": ["cynthia", "roy"]}, ["implementer roy"]),
        ({"critique_verdict": "REJECTED", "next_agent": "cynthia"}, []),
        ({"critique_verdict": "APPROVED_WITH_CONDITIONS", "next_agent": "roy"}, []),
    ],
)
def test_contradictions(fields: dict[str, Any], words: list[str]) -> None:
    found = notices.inconsistencies(notices.parse(SECOND | fields))
    assert len(found) == len(words)
    assert all(word in line for word, line in zip(words, found, strict=True))


# --- real output ----------------------------------------------------------------------------------------------------
EXAMPLE = NOTICE.replace("REQ-042", "REQ-XXX-YYY")


@pytest.mark.parametrize(
    "output",
    [
        NOTICE,
        f"Working...\n{NOTICE}\nBye.",
        f"```json\n{json.dumps(SECOND, indent=2)}\n```\n",
        f"```json\r\n{json.dumps(SECOND, indent=2)}\r\n```\r\n".replace("\n", "\r\n").replace("\r\r", "\r"),
        f"Your answer looks like {EXAMPLE}. Here is mine: {NOTICE}",
        f"{NOTICE}\nI followed the form {EXAMPLE}",
        f"{NOTICE}\n" + json.dumps(SECOND | {"agent": "sylvia"}),
        f"{NOTICE}\n" + json.dumps({"usage": {"tokens": 5}}),
        f"{NOTICE}\n" + json.dumps({"agent": "roy", "note": "only a fragment"}),
        f"{NOTICE}\n" + NOTICE[:-20],
        f"the map {{a: 1}} and {{ 'agent': \"roy\" }} and {{\n{NOTICE}",
        f'unbalanced " quote and {{"agent": "roy", {NOTICE}',
        f'{{"agent":{NOTICE}',
        f"{NOTICE}}}}}}}}}",
        f"[{NOTICE}, 1]",
        json.dumps({"type": "result", "result": "Done.\n" + NOTICE, "cost": 0.1}),
        json.dumps(NOTICE),
        json.dumps({"notice": SECOND}),
        "\n".join(json.dumps({"type": "log", "text": "{", "n": n}) for n in range(100)) + "\n" + NOTICE,
        "\x1b[32m" + NOTICE + "\x1b[0m",
        "[" * 100_000 + NOTICE,
        '{"a":' * 20_000 + NOTICE,
        '{"a":' * 20_000 + NOTICE + "}" * 20_000,
    ],
)
def test_the_notice_is_found_in_messy_output(output: str) -> None:
    parsed = read(output)
    assert parsed.notice.raw == SECOND
    assert json.loads(parsed.text) == SECOND


def test_the_text_is_exactly_what_was_printed() -> None:
    printed = json.dumps(SECOND, indent=3).replace("\n", "\r\n")
    assert read(f"x\r\n{printed}\r\ny").text == printed


def test_the_last_of_several_wins() -> None:
    later = json.dumps(SECOND | {"status": "BLOCKED", "blockers": ["x"]})
    assert read(NOTICE + "\nOn reflection:\n" + later).notice.status == "BLOCKED"


def test_nested_objects_belong_to_their_notice() -> None:
    notice = SECOND | {"changes": {"before": SECOND | {"status": "FAILED"}, "list": [{"agent": "x"}]}}
    assert read(json.dumps(notice)).notice.status == "COMPLETE"


def test_agents_compare_without_case_and_the_first_shape_is_known_by_channel_or_task() -> None:
    assert read(json.dumps(FIRST | {"agent": "Roy"})).notice.agent == "Roy"
    assert read(json.dumps(FIRST), requirement="backend").notice.also_named == "backend"
    assert read(NOTICE, requirement=None).notice.requirement == "REQ-042"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "it is empty"),
        ("  \n", "it is empty"),
        ("All done!", "no complete JSON object in it has agent and status"),
        (EXAMPLE, "the last notice is for 'REQ-XXX-YYY'"),
        (json.dumps(SECOND | {"agent": "sylvia"}), "the last notice is from 'sylvia'"),
        (json.dumps(SECOND | {"status": "PHASE_1_COMPLETE"}), "status is 'PHASE_1_COMPLETE'"),
        (
            json.dumps({"agent": "roy", "reqId": "REQ-042", "status": "COMPLETE", "summary": "s"}),
            "it has no req_number",
        ),
        ("text " + NOTICE[:-1], "the JSON object at character 5 is cut off or broken"),
        (json.dumps(SECOND | {"summary": "\ud800"}), "it cannot be read"),
    ],
)
def test_no_notice_has_a_reason(output: str, reason: str) -> None:
    message = why_not(output)
    assert reason in message
    assert "\n" not in message


@given(st.text(alphabet='{}[]":,\\ \nagent', max_size=60), st.text(alphabet="{}[]:,\\ \nagent", max_size=60))
def test_noise_never_hides_a_notice(before: str, after: str) -> None:
    if '"' in before:  # an open quote may swallow the first brace; a line end closes every string
        before += "\n"
    assert read(before + NOTICE + after).notice.raw == SECOND


@given(st.text(max_size=200))
def test_any_output_gives_a_notice_or_a_reason(output: str) -> None:
    assert why_not(output).startswith("The output holds no completion notice")


def test_many_megabytes_with_the_notice_first() -> None:
    line = json.dumps({"type": "item", "text": 'some {words} and a "quote"', "agent": "sylvia", "n": 12}) + "\n"
    output = NOTICE + "\n" + line * (20_000_000 // len(line))
    begin = time.process_time()
    assert read(output).notice.raw == SECOND
    assert time.process_time() - begin < 30
