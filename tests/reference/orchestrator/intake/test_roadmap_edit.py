"""Changing a roadmap: the new value stands there, and not one other byte differs."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake.roadmap import Entry, parse
from pytest_agog.reference.orchestrator.intake.roadmap_edit import edit, flat
from tests.reference.orchestrator.intake.roadmaps import FIXTURES, large, roadmaps


def changed(text: str, **fields: str) -> str:
    """The roadmap with the fields of REQ-1 changed."""
    return edit(parse(text.encode()), {"REQ-1": fields}).data.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- Status: NEW", "- Status: COMPLETE"),
        ("**Status**:   NEW  ", "**Status**:   COMPLETE  "),
        ("**Status: NEW**", "**Status: COMPLETE**"),
        ("Status: **NEW**\t", "Status: **COMPLETE**\t"),
        ("Status: ✅ In Progress (roy, since May) <!-- pm -->", "Status: COMPLETE <!-- pm -->"),
        ("Status:", "Status: COMPLETE"),
        ("**Status:**", "**Status:** COMPLETE"),
        ("Status:   ", "Status:   COMPLETE"),
        ("Status:<!-- ? -->", "Status: COMPLETE <!-- ? -->"),
        ("Status:\nNEW", "Status:\nCOMPLETE"),
        ("#### Status\n\n- NEW", "#### Status\n\n- COMPLETE"),
    ],
)
def test_only_the_value_is_replaced(before: str, after: str) -> None:
    text = "# Roadmap\r\n\n### REQ-1: t  \n{}\r\nPriority: LOW\n\n### REQ-2: u\nStatus: NEW"
    assert changed(text.format(before), Status="COMPLETE") == text.format(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # In the style of the entry's own fields.
        ("### REQ-1: t\n\n- **Agent:** roy\n- **Priority:** LOW\n",
         "### REQ-1: t\n\n- **Status:** DONE\n- **Agent:** roy\n- **Priority:** LOW\n"),
        ("### REQ-1: t\n**Agent**: roy\n\n**Priority**: LOW\n",
         "### REQ-1: t\n**Status**: DONE\n\n**Agent**: roy\n\n**Priority**: LOW\n"),
        ("### REQ-1: t\nagent: roy  \npriority: low  \n",
         "### REQ-1: t\nstatus: DONE  \nagent: roy  \npriority: low  \n"),
        ("### REQ-1: t\n* Files:\n  * a.ts\n", "### REQ-1: t\n* Status: DONE\n* Files:\n  * a.ts\n"),
        # A comment stays with its line, and leaves no emphasis open.
        ("### REQ-1: t\n- **Agent:** `roy` <!-- c -->\n",
         "### REQ-1: t\n- **Status:** DONE\n- **Agent:** `roy` <!-- c -->\n"),
        ("### REQ-1: t\nAgent: **roy** <!-- c -->\n", "### REQ-1: t\nStatus: DONE\nAgent: **roy** <!-- c -->\n"),
        # In that of the entry above, or below.
        ("### REQ-0: s\n\n**Status:** NEW\n\nProse.\n\n### REQ-1: t\n\nProse.\n",
         "### REQ-0: s\n\n**Status:** NEW\n\nProse.\n\n### REQ-1: t\n\n**Status:** DONE\n\nProse.\n"),
        ("### REQ-1: t\nProse.\n### REQ-2: u\n* Status: NEW\n",
         "### REQ-1: t\n* Status: DONE\n\nProse.\n### REQ-2: u\n* Status: NEW\n"),
        # In our own.
        ("### REQ-1: t", "### REQ-1: t\n- Status: DONE"),
        ("### REQ-1: t\r\n", "### REQ-1: t\r\n- Status: DONE\r\n"),
        ("REQ-1: t\n---\nProse.", "REQ-1: t\n---\n- Status: DONE\n\nProse."),
        ("### REQ-1: t\r\r### REQ-2: u", "### REQ-1: t\r- Status: DONE\r\r### REQ-2: u"),
    ],
)  # fmt: skip
def test_a_missing_line_is_written_in_the_style_of_its_neighbours(before: str, after: str) -> None:
    assert changed(before, Status="DONE") == after


def test_other_new_lines_stand_below_the_status() -> None:
    text = "### REQ-1: t\n\n- Status: NEW\n- Agent: roy\n"
    fields = {"Blockers": "waits for REQ-2", "Status": "BLOCKED", "Priority": "HIGH"}
    assert changed(text, **fields) == (
        "### REQ-1: t\n\n- Status: BLOCKED\n- Priority: HIGH\n- Blockers: waits for REQ-2\n- Agent: roy\n"
    )
    assert changed("### REQ-1: t\n", **fields) == (
        "### REQ-1: t\n- Status: BLOCKED\n- Priority: HIGH\n- Blockers: waits for REQ-2\n"
    )


def test_what_stands_there_already_changes_nothing() -> None:
    read = parse(b"### REQ-1: t\nStatus: NEW\n")
    done = edit(read, {"REQ-1": {"Status": "NEW"}, "REQ-9": {"Status": "NEW"}})
    assert (done.data, done.changed, done.absent) == (b"### REQ-1: t\nStatus: NEW\n", (), ("REQ-9",))


def test_unreadable_entries_are_left_untouched() -> None:
    data = (FIXTURES / "torn.md").read_bytes()
    identities = [f"REQ-{number}" for number in range(200, 212)]
    done = edit(parse(data), {identity: {"Status": "DONE"} for identity in identities})
    assert (done.changed, len(done.absent)) == (("REQ-201", "REQ-210"), 10)
    assert done.data.count(b"DONE") == 2
    first, last = (data.index(f"### {identity}: Fine".encode()) for identity in done.changed)
    expected = data[:first] + data[first:].replace(b"Status: NEW", b"Status: DONE", 1)
    last += 1
    assert done.data == expected[:last] + expected[last:].replace(b"Status: NEW", b"Status: DONE", 1)


def test_the_file_from_a_windows_editor() -> None:
    data = (FIXTURES / "windows.md").read_bytes()
    identities = ("REQ-101", "REQ-102", "REQ-103", "REQ-104")
    done = edit(parse(data), {identity: {"Status": "DONE"} for identity in identities})
    assert done.changed == identities
    expected = data.replace(b"- **Status:** NEW", b"- **Status:** DONE")
    expected = expected.replace(b"- **Agent:** jen\r\n", b"- **Status:** DONE\r\n- **Agent:** jen\r\n")
    expected = expected.replace(b"No field at all\r\n", b"No field at all\r\n- **Status:** DONE\r\n")
    assert done.data == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [("Status", ""), ("Status", " NEW"), ("Status", "NEW\nFiles: x"), ("Status", "SHIPPED-ISH"), ("Agent", "a.b"),
     ("Blockers", "\x1b[2J"), ("Blockers", "**bold**"), ("Blockers", "x <!-- y -->"), ("Dependencies", "REQ-2"),
     ("Blockers", "x" * 501)],
)  # fmt: skip
def test_a_value_that_would_not_read_back_is_refused(field: str, value: str) -> None:
    with pytest.raises(BadInput):
        changed("### REQ-1: t\nStatus: OPEN\n", **{field: value})


@given(st.text())
def test_any_text_becomes_a_value_that_reads_back(text: str) -> None:
    value = flat(f"x{text}")
    assert parse(changed("### REQ-1: t\n", Blockers=value).encode()).entries["REQ-1"].fields["Blockers"].value == value


def test_secrets_do_not_reach_the_roadmap() -> None:
    assert "hunter2" not in flat("cannot connect to postgres://agog:hunter2@db/x")


def test_five_thousand_changes_at_once() -> None:
    data = large(5000)
    done = edit(parse(data), {f"REQ-{number:05d}": {"Status": "COMPLETE"} for number in range(5000)})
    assert done.data == data.replace(b"Status: NEW", b"Status: COMPLETE")


@given(
    roadmaps(),
    st.data(),
    st.sampled_from(["COMPLETE", "IN_PROGRESS", "NEW"]),
    st.sampled_from([None, "waits for REQ-2: the index"]),
)
def test_no_other_byte_differs(
    made: tuple[bytes, list[str]], data: st.DataObject, status: str, blocker: str | None
) -> None:
    before, identities = made
    wanted = data.draw(st.sets(st.sampled_from(identities), min_size=1))
    fields = {"Status": status} | ({"Blockers": blocker} if blocker else {})
    done = edit(parse(before), dict.fromkeys(sorted(wanted), fields))

    after = parse(done.data)
    assert list(after.entries) == identities
    for identity in wanted:
        for name, value in fields.items():
            assert after.entries[identity].fields[name].value == value
    new = sum(name not in entry.fields for entry in entries(before, wanted) for name in fields)
    assert added(cut(before, wanted, before, fields), cut(done.data, wanted, before, fields)) == new


def entries(data: bytes, identities: set[str]) -> list[Entry]:
    return [entry for identity, entry in parse(data).entries.items() if identity in identities]


def cut(data: bytes, identities: set[str], before: bytes, names: Iterable[str]) -> list[str]:
    """The lines without the values of these fields, where `before` had the field already."""
    read, old = parse(data), parse(before)
    text = read.text
    for entry in sorted(entries(data, identities), key=lambda entry: -entry.first):
        there = [entry.fields[name] for name in names if name in old.entries[entry.stated.id].fields]
        for field in sorted(there, key=lambda field: -field.start):
            text = text[: field.start] + text[field.end :]
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)


def added(before: list[str], after: list[str]) -> int:
    """How many lines that are not blank are new; every old one must still be there, to the byte and in its place."""
    rest = iter(after)
    extra: list[str] = []
    for index, line in enumerate(before):
        last = index == len(before) - 1 and not line.endswith(("\r", "\n"))
        for found in rest:
            if (found.rstrip("\r\n") if last else found) == line:
                break
            extra.append(found)
        else:
            pytest.fail(f"{line!r} is no longer there")
    return sum(not line.isspace() for line in (*extra, *rest))
