"""From events to messages, without any server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.comms.backfill import codex_events
from pytest_agog.reference.comms.backfill.drafts import BadLine, Draft, message_id
from pytest_agog.reference.comms.backfill.files import Line
from pytest_agog.reference.comms.backfill.items import TEXTS, TOOLS
from tests.reference.comms.backfill.samples import SAMPLES, completed, folder_of, read, started


def parse(*events: dict[str, Any]) -> list[Draft]:
    lines = [Line(number, json.dumps(event).encode(), 0, ended=True) for number, event in enumerate(events, 1)]
    found = list(codex_events.parse(lines))
    assert not [item for item in found if isinstance(item, BadLine)]
    return [item for item in found if isinstance(item, Draft)]


def kinds(drafts: list[Draft]) -> list[tuple[str, str]]:
    return [(draft.kind, draft.content) for draft in drafts]


def test_a_good_run_keeps_calls_reasoning_and_exit_codes() -> None:
    drafts, bad = read(SAMPLES / "good")
    assert not bad
    calls = [draft for draft in drafts if draft.kind == "tool_call"]
    results = [draft for draft in drafts if draft.kind == "tool_result"]
    assert [call.fields["tool"]["id"] for call in calls] == [result.fields["tool"]["id"] for result in results]
    assert [result.fields["exit_code"] for result in results if "exit_code" in result.fields] == [0, 0, 1, 0, 0, 0, 0]
    assert [draft.attrs.get("item_type") for draft in drafts if draft.kind == "message"].count("reasoning") == 3
    assert drafts[0].fields["status"] == "running"
    last = drafts[-1]
    assert (last.kind, last.fields["status"]) == ("status", "completed")
    assert last.attrs["usage"] == {"input_tokens": 48210, "cached_input_tokens": 39424, "output_tokens": 3187}
    assert sum(draft.content.startswith("- [") for draft in drafts) == 5


def test_a_failed_run_keeps_its_failures() -> None:
    drafts, bad = read(SAMPLES / "failed")
    assert not bad
    assert [draft.content.partition(":")[0] for draft in drafts if draft.kind == "error"] == [
        "command output was cut after 10 KiB",
        "stream disconnected before completion",
        "stream disconnected before completion",
    ]
    assert drafts[-1].fields["status"] == "failed"
    assert "completed" not in [draft.fields.get("status") for draft in drafts if draft.kind == "status"]
    mcp = next(draft for draft in drafts if draft.attrs.get("error"))
    assert (mcp.kind, mcp.content) == ("tool_result", 'relation "lot_movement" does not exist')
    assert mcp.fields["tool"]["server"] == "schema"
    crashed = [draft for draft in drafts if draft.attrs.get("item_id") == "item_6"]
    assert [draft.kind for draft in crashed] == ["tool_call", "log"]
    assert crashed[1].content == "BEGIN\nCREATE INDEX\n"


def test_bad_lines_stop_nothing() -> None:
    drafts, bad = read(SAMPLES / "torn")
    assert [line.line for line in bad] == [5, 7, 8, 9, 10, 12, 15]
    assert "cut off" in bad[-1].reason
    assert [draft.line for draft in drafts] == [1, 2, 4, 6, 11, 13, 14]
    assert drafts[-1].kind == "tool_call"


def test_hostile_values_become_text() -> None:
    drafts, bad = read(SAMPLES / "hostile")
    assert [line.line for line in bad] == [21]
    odd = [draft for draft in drafts if draft.line == 6]
    assert [draft.content for draft in odd] == ["rm -rf $HOME; $(reboot)", '{"not":"text"}']
    assert odd[1].fields["exit_code"] == "zero"


def test_a_call_without_a_start_is_told_with_its_result() -> None:
    drafts = parse(completed(id="a", type="command_execution", command="ls", aggregated_output="x\n", exit_code=0))
    assert kinds(drafts) == [("tool_call", "ls"), ("tool_result", "x\n")]
    assert drafts[1].fields["status"] == "completed"


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"type": "command_execution", "command": "make"}, "tool_call"),
        ({"type": "mcp_tool_call", "server": "s", "tool": "t", "arguments": {}}, "tool_call"),
        ({"type": "web_search", "query": ""}, "tool_call"),
        ({"type": "file_change", "changes": []}, "tool_call"),
        ({"type": "agent_message", "text": "half"}, "message"),
        ({"type": "reasoning", "text": "half"}, "message"),
        ({"type": "error", "message": "boom"}, "error"),
        ({"type": "hologram"}, "log"),
        ({"type": "todo_list", "items": [{"text": "a", "completed": False}]}, "log"),
    ],
)
def test_what_was_never_completed_is_told(item: dict[str, Any], kind: str) -> None:
    assert [draft.kind for draft in parse(started(id="a", **item))] == [kind]


def test_items_are_numbered_anew_in_each_thread() -> None:
    run = {"id": "item_1", "type": "command_execution", "command": "sleep"}
    thread = {"type": "thread.started", "thread_id": "t"}
    done = completed(**run, aggregated_output="", exit_code=0)
    drafts = parse(thread, started(**run), thread, started(**run), done)
    assert [draft.kind for draft in drafts] == ["status", "tool_call", "status", "tool_call", "tool_result"]
    assert len({message_id("r", "f", draft) for draft in drafts}) == 5


def test_a_search_is_told_once_its_query_is_known() -> None:
    search = {"id": "a", "type": "web_search"}
    drafts = parse(started(**search, query=""), completed(**search, query="cycle"))
    assert kinds(drafts) == [("tool_call", "cycle"), ("tool_result", "completed")]


def test_a_plan_is_told_when_it_changes() -> None:
    plan = {"id": "a", "type": "todo_list"}
    first, second = [{"text": "x", "completed": False}], [{"text": "x", "completed": True}]
    events = [started(**plan, items=first), completed(**plan, items=first), completed(**plan, items=second)]
    assert kinds(parse(*events)) == [("log", "- [ ] x"), ("log", "- [x] x")]


def test_text_blocks_of_a_tool_are_its_text() -> None:
    call = {"id": "a", "type": "mcp_tool_call", "server": "s", "tool": "t", "arguments": {"a": 1}}
    blocks = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    drafts = parse(completed(**call, result={"content": blocks}))
    assert kinds(drafts) == [("tool_call", 's.t {"a":1}'), ("tool_result", "one\ntwo")]
    image = [*blocks, {"type": "image", "data": "AAAA"}]
    assert json.loads(parse(completed(**call, result={"content": image}))[1].content) == {"content": image}


def test_what_is_unknown_is_kept() -> None:
    odd = {"type": "rate.limited", "seconds": 0}
    draft = parse(odd)[0]
    assert (draft.kind, json.loads(draft.content)) == ("log", odd)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ITEM_KEYS = (
    "id", "item_type", "text", "command", "aggregated_output", "exit_code", "changes", "status", "server", "tool",
    "arguments", "result", "error", "query", "items", "message", "timestamp",
)  # fmt: skip
ITEMS = st.builds(
    lambda kind, rest: {**rest, "type": kind},
    st.sampled_from([*sorted(TOOLS | TEXTS), "todo_list", "error", "odd"]) | JSON,
    st.dictionaries(st.sampled_from(ITEM_KEYS), JSON, max_size=5),
)
EVENTS = st.builds(
    lambda kind, item, rest: {**rest, "item": item, "type": kind},
    st.sampled_from([
        "thread.started", "turn.started", "turn.completed", "turn.failed", "item.started", "item.updated",
        "item.completed", "error", "odd",
    ]),
    ITEMS | JSON,
    st.dictionaries(st.sampled_from(["error", "usage", "message", "timestamp", "thread_id"]), JSON, max_size=3),
)  # fmt: skip


@given(st.lists(EVENTS, max_size=12))
def test_no_event_is_lost_or_told_twice(events: list[dict[str, Any]]) -> None:
    drafts = parse(*events)
    assert len({message_id("run", "file", draft) for draft in drafts}) == len(drafts)
    told = {draft.line for draft in drafts}
    for line, event in enumerate(events, 1):
        item = event["item"]
        of_item = event["type"].startswith("item.") and isinstance(item, dict)
        plan = of_item and "todo_list" in (item.get("type"), item.get("item_type"))
        if not plan and (not of_item or event["type"] == "item.completed"):
            assert line in told
    assert drafts == parse(*events)


@given(st.lists(st.binary(max_size=30), max_size=6))
def test_any_bytes_are_told_or_reported(lines: list[bytes]) -> None:
    found = list(codex_events.parse(Line(number, data, len(data), ended=True) for number, data in enumerate(lines, 1)))
    assert {item.line for item in found} == {number for number, data in enumerate(lines, 1) if data.strip()}


def test_millions_may_be_open(tmp_path: Path) -> None:
    events = (started(id=f"i{n}", type="reasoning", text=str(n)) for n in range(codex_events.MAX_OPEN + 50))
    drafts, _ = read(folder_of(tmp_path / "run", events))
    assert [draft.content for draft in drafts] == [str(n) for n in range(codex_events.MAX_OPEN + 50)]
