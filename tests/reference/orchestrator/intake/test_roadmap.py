"""Reading roadmaps: every way of writing an entry, and everything that is none."""

from __future__ import annotations

import pytest
from hypothesis import given

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake.roadmap import parse, read_roadmap
from pytest_agog.reference.orchestrator.intake.stated import Stated
from tests.reference.orchestrator.intake.roadmaps import FIXTURES, large, roadmaps


def one(text: str) -> Stated:
    """The only entry of a roadmap in which everything can be read."""
    read = parse(text.encode()).taken
    assert read.unreadable == ()
    (stated,) = read.requirements
    return stated


def why(text: str) -> list[tuple[int, str]]:
    return [(item.line, item.why) for item in parse(text.encode()).unreadable]


@pytest.mark.parametrize(
    "line",
    [
        "- Status: Blocked", "* Status: Blocked", "+ status : BLOCKED", "Status: blocked", "STATUS:BLOCKED",
        "**Status**: Blocked", "**Status:** Blocked", "- **Status**: Blocked", "- **Status:** Blocked",
        "__Status__: Blocked", "*Status*: Blocked", "**Status: Blocked**", "`Status`: Blocked", "Status: `Blocked`",
        "Status: **Blocked**", "Status: ⛔ Blocked", "- [x] Status: Blocked (since May)", "1. Status: Blocked",
        "\t-\tStatus:\tBlocked\t", "Status: Blocked <!-- pm -->", "Status:\nBlocked", "#### Status\n\nBlocked",
        "prose\n\n\n\nmore\n\nStatus: Blocked", "Status: Blocked\n#### Log\nStatus: NEW", "Status\uff1a Blocked",
    ],
)  # fmt: skip
def test_a_field_is_read_however_it_is_written(line: str) -> None:
    assert one(f"### REQ-1: t\n{line}\n").state == "BLOCKED"


@pytest.mark.parametrize(
    "line", ["> Status: BLOCKED", "```\nStatus: BLOCKED\n```", "<!-- Status: BLOCKED -->", "My Status: BLOCKED",
             "The Status: is BLOCKED", "Status BLOCKED", "| Status: BLOCKED |", "Status:", "Status: TBD"],
)  # fmt: skip
def test_what_is_no_field_is_none(line: str) -> None:
    assert one(f"### REQ-1: t\n{line}\n").state == "PENDING"


@pytest.mark.parametrize(
    ("heading", "identity", "title"),
    [
        ("## REQ-042: Add API", "REQ-042", "Add API"),
        ("###### REQ-042: Add API ######", "REQ-042", "Add API"),
        ("### REQ-I18N-001: a: b", "REQ-I18N-001", "a: b"),
        ("###\tREQ-P0-7-SUB2-1767084329266 : x", "REQ-P0-7-SUB2-1767084329266", "x"),
        ("   ### REQ-1: Support C#", "REQ-1", "Support C#"),
        ("### **REQ-1**: x", "REQ-1", "x"),
        ("### **REQ-1: x**", "REQ-1", "x"),
        ("### **REQ-1:** x", "REQ-1", "x"),
        ("### `REQ-1`: x", "REQ-1", "x"),
        ("### [REQ-1]: x", "REQ-1", "x"),
        ("### [REQ-1](https://a.test/b): x", "REQ-1", "x"),
        ("### ✅ REQ-1: x", "REQ-1", "x"),
        ("### ~~REQ-1: x~~", "REQ-1", "x"),
        ("### 3.2 REQ-1: x", "REQ-1", "x"),
        ("### REQ-1 - x - y", "REQ-1", "x - y"),
        ("### REQ-1 \u2014 x", "REQ-1", "x"),
        ("REQ-1: x\n--------", "REQ-1", "x"),
    ],
)
def test_a_heading_is_read_however_it_is_written(heading: str, identity: str, title: str) -> None:
    stated = one(f"# Roadmap\n{heading}\n\nStatus: NEW\n")
    assert (stated.id, stated.title, stated.line) == (identity, title, 2)


@pytest.mark.parametrize(
    "text", ["### Requirements: none yet", "```\n### REQ-1: x\n```", "~~~\n### REQ-1: x\n```\n~~~", "    ### REQ-1: x",
             "<!--\n### REQ-1: x\n-->", "See ### REQ-1: x", "### About REQ-1: x", "REQ-1: x", "> ### REQ-1: x",
             "- ```\n### REQ-1: x\n  ```"],
)  # fmt: skip
def test_what_is_no_entry_is_none(text: str) -> None:
    read = parse(f"# Roadmap\n\n{text}\n".encode())
    assert (dict(read.entries), read.unreadable) == ({}, ())


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("### REQ-: x", "has no requirement id"),
        ("### REQ_1: x", "has no requirement id"),
        ("### req-1: x", "has no requirement id"),
        ("### REQ 12: x", "has no requirement id"),
        ("### REQ-1", "has no title"),
        ("### REQ-1:", "has no title"),
        ("### REQ-1.2: x", "expected a colon"),
        ("### REQ-1 x", "expected a colon"),
        ("###REQ-1: x", "put a space behind"),
        ("# REQ-1: x", "level 1"),
        (f"### REQ-{'1' * 130}: x", "is no requirement id"),
        ("### REQ-1: x\nStatus: PHASE_1_COMPLETE", "Status 'PHASE_1_COMPLETE' is none of"),
        ("### REQ-1: x\nStatus: complete pending review", "is none of"),
        ("### REQ-1: x\nPriority: soon", "Priority 'soon' is none of"),
        ("### REQ-1: x\nAgent: roy, jen", "is not one name"),
        ("### REQ-1: x\nAgent: r.oy", "cannot be part of a subject"),
        ("### REQ-1: x\nDependencies: REQ-2, the login", "'the login' names no requirement"),
        ("### REQ-1: x\nDependencies:\n- REQ-2\n- the login", "'the login' names no requirement"),
        ("### REQ-1: x\nStatus: NEW\nStatus: DONE", "given twice (lines 3 and 4)"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, part: str) -> None:
    (line, reason), *others = why(f"# Roadmap\n{text}\n")
    assert (line, others) == (2, [])
    assert part in reason


def test_neighbours_of_an_unreadable_entry_are_read() -> None:
    read = read_roadmap(FIXTURES / "torn.md", name="torn.md")
    assert list(read.entries) == ["REQ-201", "REQ-210"]
    assert [item.line for item in read.unreadable] == [6, 9, 12, 15, 18, 21, 25, 28, 33, 36, 42]
    assert str(read.unreadable[6]) == (
        "torn.md:25: REQ-201: stands in line 3 already; every entry needs an id of its own"
    )


def test_a_field_of_the_next_entry_or_section_is_not_ours() -> None:
    read = parse(b"### REQ-1: a\n#### REQ-1-SUB: b\nStatus: DONE\n## Phase\nAgent: roy\n### REQ-2: c\nPriority: LOW\n")
    found = [(item.id, item.state, item.agent, item.priority) for item in read.taken.requirements]
    assert found == [
        ("REQ-1", "PENDING", None, None), ("REQ-1-SUB", "COMPLETE", None, None), ("REQ-2", "PENDING", None, "LOW"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "files", "dependencies"),
    [
        ("Files: a.ts, `b c.ts`, src/{d,e}.ts", ["a.ts", "b c.ts", "src/{d,e}.ts"], []),
        ("Files: a.ts (new), b.ts - to be moved", ["a.ts", "b.ts"], []),
        ("- Files:\n  - a.ts\n  - `b.ts` (new)\n- Dependencies:\n  - REQ-2: why\n  - REQ-3", ["a.ts", "b.ts"],
         ["REQ-2", "REQ-3"]),
        ("- Files:\n- src/a.ts\n- Agent: roy", ["src/a.ts"], []),
        ("**Files**:\n\n- src/a.ts\n\n- src/b.ts\n\nProse.", ["src/a.ts", "src/b.ts"], []),
        ("**Files**:\n- Makefile\n* src/b.ts", ["Makefile", "src/b.ts"], []),
        ("Files:\n\n- talk to Anna\n", [], []),
        ("Files: a.ts,\n  b.ts\nDependencies: REQ-2;\nREQ-3 and REQ-4", ["a.ts", "b.ts"], ["REQ-2", "REQ-3", "REQ-4"]),
        ("#### Dependencies\n\n- [REQ-2](#req-2)\n\n#### Files\n\n- a.ts", ["a.ts"], ["REQ-2"]),
        ("Dependencies: None\nFiles: n/a", [], []),
        ("Depends on: REQ-2, REQ-2, REQ-I18N-001.", [], ["REQ-2", "REQ-I18N-001"]),
        ("**Dependencies:** REQ-2\n- REQ-3\n", [], ["REQ-2", "REQ-3"]),
    ],
)  # fmt: skip
def test_lists_are_read_on_one_line_and_below(text: str, files: list[str], dependencies: list[str]) -> None:
    stated = one(f"### REQ-1: t\n{text}\n")
    assert (list(stated.files), list(stated.dependencies)) == (files, dependencies)


def test_prose_is_kept_and_labels_are_not() -> None:
    stated = one("### REQ-1: t\nStatus: NEW\n\nUses GraphQL.\n\n```sql\nALTER TABLE x\n```\n\n#### Notes\nAnd Kafka.\n")
    assert stated.text == "Uses GraphQL.\nNotes\nAnd Kafka."


@pytest.mark.parametrize(
    ("effort", "size", "tokens"),
    [("M", "M", None), ("L (about 40k tokens)", "L", 40_000), ("extra-large", "XL", None),
     ("40,000 tokens", None, 40_000), ("1.5M tokens", None, 1_500_000), ("3 days", None, None), ("?", None, None)],
)  # fmt: skip
def test_effort_is_a_size_or_a_number_of_tokens(effort: str, size: str | None, tokens: int | None) -> None:
    stated = one(f"### REQ-1: t\nEffort: {effort}\n")
    assert (stated.effort, stated.estimated_tokens) == (size, tokens)


def test_the_file_from_a_windows_editor() -> None:
    read = read_roadmap(FIXTURES / "windows.md")
    assert read.unreadable == ()
    assert [(item.id, item.line, item.agent) for item in read.taken.requirements] == [
        ("REQ-101", 3, "roy"), ("REQ-102", 13, "jen"), ("REQ-103", 17, None), ("REQ-104", 19, None),
    ]  # fmt: skip
    assert "\ufffd" in read.entries["REQ-101"].stated.text


@pytest.mark.parametrize("data", ["### REQ-1: x".encode("utf-16"), b"a\nb\0c"])
def test_what_is_no_text_is_refused_with_its_line(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"^plan\.md:[12]: "):
        parse(data, name="plan.md")


def test_five_thousand_entries() -> None:
    read = parse(large(5000))
    assert (len(read.entries), read.unreadable) == (5000, ())
    assert read.entries["REQ-04999"].stated.dependencies == ("REQ-02499",)


@given(roadmaps())
def test_every_entry_is_found_however_odd_its_neighbours(made: tuple[bytes, list[str]]) -> None:
    data, identities = made
    read = parse(data)
    assert list(read.entries) == identities
    assert read.unreadable == ()
