from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.reference.comms.models import StoredMessage
from pytest_agog.reference.comms.pages.timeline import MAX_PLAIN, Link, arrange, entry_of, shortened
from pytest_agog.reference.comms.pages.tools import exit_code, paired, tone, tool_of
from pytest_agog.reference.comms.pages.urls import Place
from tests.reference.comms.pages.messages import stored

RUN = Place("run-1")


def call(seq: int, name: str = "shell", ident: str | None = None, **more: Any) -> StoredMessage:
    return stored(seq, kind="tool_call", tool={"name": name, **({"id": ident} if ident else {})}, **more)


def result(seq: int, name: str | None = "shell", ident: str | None = None, **more: Any) -> StoredMessage:
    tool = {"name": name} if name else {}
    return stored(seq, "out", kind="tool_result", tool={**tool, **({"id": ident} if ident else {})}, **more)


# --- pairing ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("messages", "pairs"),
    [
        ([call(1, ident="a"), call(2, ident="b"), result(3, ident="a"), result(4, ident="b")], {3: 1, 4: 2}),
        ([call(1, ident="a"), result(2, ident="a"), result(3, ident="a")], {2: 1, 3: 1}),
        ([call(1), result(2)], {2: 1}),
        ([call(1), call(2, "search"), result(3, "shell"), result(4, "search")], {3: 1, 4: 2}),
        ([call(1), result(2, None)], {2: 1}),
        ([call(1), call(2), result(3)], {3: 2}),
        ([call(1, ident="a"), result(2, ident="b")], {}),
        ([call(1, ident="a"), result(2)], {2: 1}),
        ([call(1), result(2, agent="jen")], {}),
        ([call(1), result(2, run_id="run-2")], {}),
        ([result(1), call(2)], {}),
        ([call(1), result(2), result(3)], {2: 1}),
        ([call(1, "shell"), result(2, "search")], {}),
    ],
)
def test_results_find_their_calls(messages: list[StoredMessage], pairs: dict[int, int]) -> None:
    assert paired(messages) == pairs


def test_ids_stand_in_many_places() -> None:
    first = stored(1, kind="tool_call", tool_call_id="x")
    second = stored(2, "ok", kind="tool_result", tool={"toolUseId": "x"})
    assert paired([first, stored(3, kind="tool_call"), second]) == {2: 1}


@pytest.mark.parametrize("tool", [None, "shell", [], 7, {}, {"name": None}, {"name": {"x": 1}}, {"id": True}])
def test_odd_tools_do_no_harm(tool: object) -> None:
    message = stored(1, kind="tool_call", tool=tool)
    assert tool_of(message).call_id is None
    assert arrange([message], RUN).groups


def test_arguments_of_a_tool() -> None:
    assert tool_of(stored(1, tool={"name": "x", "command": "ls -l"})).arguments == "ls -l"
    assert tool_of(stored(1, tool={"server": "s", "tool": "t", "arguments": {"a": 1}})).name == "s.t"
    assert '"a": 1' in tool_of(stored(1, tool={"name": "t", "arguments": {"a": 1}})).arguments


# --- status and exit code ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("attrs", "code"),
    [({"exit_code": 0}, 0), ({"exit_code": "3"}, 3), ({"tool": {"exit_code": 0}}, 0), ({"exit_code": False}, None),
     ({"exit_code": -9}, -9), ({}, None), ({"exit_code": "x" * 99}, None)],
)  # fmt: skip
def test_exit_codes(attrs: dict[str, Any], code: int | None) -> None:
    assert exit_code(stored(1, **attrs)) == code


def test_an_exit_code_of_zero_is_shown() -> None:
    entry = entry_of(stored(1, kind="status", status="completed", exit_code=0), RUN)
    assert [(outcome.text, outcome.tone) for outcome in entry.outcomes] == [("completed", "good"), ("exit 0", "good")]
    assert not entry.failed


@pytest.mark.parametrize(
    ("said", "code", "wanted"),
    [("completed", None, "good"), ("completed", 1, "bad"), ("FAILED", None, "bad"), ("running", None, "busy"),
     ("what", None, "plain"), (None, 0, "good"), (None, None, "plain"), (None, -9, "bad")],
)  # fmt: skip
def test_tones(said: str | None, code: int | None, wanted: str) -> None:
    assert tone(said, code) == wanted


# --- the timeline -----------------------------------------------------------------------------------------------------
def test_messages_of_one_agent_in_a_row_are_a_group() -> None:
    timeline = arrange([stored(1), stored(2), stored(3, agent="jen"), stored(4)], RUN)
    assert [(group.agent, len(group.entries)) for group in timeline.groups] == [("roy", 2), ("jen", 1), ("roy", 1)]
    assert (timeline.first, timeline.last, timeline.newest) == (1, 4, 4)


def test_a_result_stands_in_its_call() -> None:
    timeline = arrange([call(1, ident="a"), stored(2, agent="jen"), result(3, ident="a", exit_code=2)], RUN)
    entry = timeline.groups[0].entries[0]
    assert [part.seq for part in entry.results] == [3]
    assert entry.problem
    assert timeline.newest == 3
    assert entry.last == 3
    assert timeline.links == []


def test_a_result_whose_call_is_shown_already_is_linked() -> None:
    timeline = arrange([result(9, ident="a")], RUN, [call(1, ident="a")])
    assert [entry.seq for group in timeline.groups for entry in group.entries] == [9]
    assert timeline.links == [Link("result", 9, 1)]


def test_an_older_call_is_linked_with_the_result_that_is_shown_already() -> None:
    timeline = arrange([call(1, ident="a")], RUN, [result(9, ident="a")])
    assert timeline.links == [Link("result", 9, 1)]


def copies(run: int, general: int, **more: Any) -> list[StoredMessage]:
    both = [
        stored(run, "Done.", message_id="m", **more),
        stored(general, "Done.", message_id="m", channel="general", **more),
    ]
    return sorted(both, key=lambda message: message.seq)


@pytest.mark.parametrize(("run", "general"), [(1, 2), (2, 1)])
def test_an_event_is_shown_once(run: int, general: int) -> None:
    (group,) = arrange(copies(run, general), RUN).groups
    assert [(entry.seq, entry.general) for entry in group.entries] == [(1, True)]


def test_a_copy_of_what_is_shown_already_is_linked() -> None:
    early, late = copies(1, 2)
    assert arrange([late], RUN, [early]).links == [Link("copy", 2, 1)]
    assert arrange([early], RUN, [late]).links == [Link("copy", 2, 1)]


def test_a_copy_of_a_result_is_no_second_result() -> None:
    pair = copies(2, 3, kind="tool_result")
    (group,) = arrange([stored(1, kind="tool_call"), *pair], RUN).groups
    assert [part.seq for part in group.entries[0].results] == [2]
    assert len(group.entries) == 1


def test_an_id_that_is_used_again_hides_nothing() -> None:
    messages = [stored(1, "One.", message_id="m"), stored(2, "Two.", message_id="m", channel="general")]
    (group,) = arrange(messages, RUN).groups
    assert [entry.seq for entry in group.entries] == [1, 2]


def test_a_thousand_attributes_are_cut() -> None:
    entry = entry_of(stored(1, **{f"key{number}": "x" * 5000 for number in range(1000)}), RUN)
    assert len(entry.attributes) < 100
    assert entry.more_attributes > 900
    assert sum(len(line.value) for line in entry.attributes) < 60_000


@pytest.mark.parametrize("text", ["x" * 9_000_000, "x\n" * 4_000_000, "ß" * (MAX_PLAIN + 1)])
def test_what_is_long_is_cut(text: str) -> None:
    head, cut = shortened(text)
    assert cut
    assert text.startswith(head)
    assert len(head) <= MAX_PLAIN
    assert entry_of(stored(1, text), RUN).whole == "/agents/run-1/messages/1"


@pytest.mark.parametrize("text", ["", "x", "x" * MAX_PLAIN, "  indented\n"])
def test_what_is_short_is_whole(text: str) -> None:
    assert shortened(text) == (text, False)
