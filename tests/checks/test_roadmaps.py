from __future__ import annotations

import pytest

from pytest_agog.checks.base import Verdict
from pytest_agog.checks.evidence import roadmap_text
from tests.checks.builders import Book, told

BEFORE = """# Roadmap

### REQ-1: API of lots
- Status: Pending
- Agent: roy

```
### REQ-9: not an entry
- Status: Pending
```

### REQ-2: Page of lots


**Status:** NEW

**Agent:** jen

### REQ-3: Export

Words without a status."""
COPY = "$AGENT_OUTPUT_DIR/roadmap/roadmap.md"


def state(book: Book, requirement: str, name: str) -> None:
    key = f"$KV.agog_state.requirement.{requirement}"
    book.stored(key, {"id": requirement, "state": name}, stream="KV_agog_state")


def judge(book: Book, after: str | bytes | None, status: str, *, rest: bool = True, of: str = "REQ-1") -> Verdict:
    book.file("plans/roadmap.md", BEFORE)
    book.file(COPY, after)
    more = {"rest_unchanged": True} if rest else {}
    return book.judge("roadmap", file="plans/roadmap.md", id=of, status=status, **more)


def done(status: str = "Complete") -> str:
    return BEFORE.replace("Status: Pending", f"Status: {status}", 1)


def test_the_status_and_nothing_else(book: Book) -> None:
    verdict = judge(book, done(), "Complete")
    assert verdict.passed, told(verdict)
    assert "Status: Complete" in verdict.evidence[0].excerpt


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (BEFORE, "has the status 'Pending'"),
        (done("complete"), "has the status 'complete'"),
        (done() + "\n", "line 22 is"),
        (done().replace("\n", "\r\n"), "line 2 is"),
        (done().replace("roy", "Roy"), "line 5 is"),
        (done().replace("- Status: Complete", "* Status: Complete"), "line 4 is"),
        (done().replace("### REQ-9", "### REQ-8"), "line 8 is"),
        (done().replace("NEW", "COMPLETE"), "line 15 is"),
        (done().replace("- Agent: roy\n", ""), "line 5 is"),
        (done().replace("Words without a status.", ""), "line 21 is"),
        (done().replace("\n\n### REQ-3", "\n### REQ-3"), "line 18 is"),
        (done() + "\n- Status: Blocked", "line 22 is"),
        (done().replace("- Agent", "- Blockers: none\n- Agent"), "line 5 is"),
    ],
)
def test_near_misses(book: Book, after: str, said: str) -> None:
    verdict = judge(book, after, "Complete")
    assert not verdict.passed
    assert said in verdict.observed, told(verdict)
    assert verdict.evidence
    assert (said.startswith("line")) == judge(book, after, "Complete", rest=False).passed


def test_other_entries_may_change_when_they_were_worked_on(book: Book) -> None:
    after = done().replace("NEW", "BLOCKED").replace("BLOCKED\n", "BLOCKED\n\n**Blockers:** REQ-404\n")
    after = after.replace("Words", "- Status: Escalated\n- Blockers: who knows\n\nWords")
    assert not judge(book, after, "Complete").passed
    state(book, "REQ-2", "BLOCKED")
    assert "Escalated" in judge(book, after, "Complete").observed
    state(book, "REQ-3", "ESCALATED")
    verdict = judge(book, after, "Complete")
    assert verdict.passed, told(verdict)
    assert not judge(book, after + " ", "Complete").passed


def test_blockers_of_what_was_never_blocked(book: Book) -> None:
    state(book, "REQ-2", "COMPLETE")
    after = done().replace("NEW", "COMPLETE\n\n**Blockers:** none")
    assert "Blockers" in judge(book, after, "Complete").observed


def test_a_status_at_the_end_of_a_file_without_a_line_feed(book: Book) -> None:
    verdict = judge(book, BEFORE + "\n- Status: Complete", "Complete", of="REQ-3")
    assert verdict.passed, told(verdict)
    assert not judge(book, BEFORE + "\n- Status: Complete\n", "Complete", of="REQ-3").passed


def test_what_is_not_there(book: Book) -> None:
    verdict = book.judge("roadmap", file="plans/roadmap.md", id="REQ-1", status="Complete")
    assert "the file is not there" in verdict.observed
    assert "copy of it is not there" in judge(book, None, "Complete").observed
    assert "no such entry any more" in judge(book, "# Roadmap\n", "Complete").observed
    verdict = judge(book, done(), "Complete", of="REQ-9")
    assert "no such entry" in verdict.observed
    assert "did you mean" in verdict.nearest
    assert "has no status" in judge(book, BEFORE, "Complete", of="REQ-3").observed


def test_bytes_that_are_no_text_are_compared_too(book: Book) -> None:
    assert not judge(book, done().encode() + b"\xff", "Complete").passed
    verdict = judge(book, b"\xff\xfe\x00", "Complete")
    assert not verdict.passed


@pytest.mark.parametrize(
    ("heading", "named"),
    [
        ("### REQ-1: t", "REQ-1"),
        ("## [REQ-I18N-001] t", "REQ-I18N-001"),
        ("#### **REQ-P0-7-SUB2-17**: t", "REQ-P0-7-SUB2-17"),
        ("### `REQ-2` t", "REQ-2"),
        ("### Phase", None),
        ("### PREREQ-1", None),
        ("REQ-1: t", None),
        ("    ### REQ-1", None),
    ],
)
def test_headings(heading: str, named: str | None) -> None:
    assert list(roadmap_text.read(heading.encode()).entries) == ([] if named is None else [named])


def test_fences_comments_and_where_entries_end() -> None:
    text = "### REQ-1\n<!--\n- Status: A\n-->\n~~~~\n- Status: B\n~~~\n~~~~\n- Status: C\n"
    text += "## Phase\n- Status: D\n### REQ-2\n# Top\n- Status: E\n"
    entries = roadmap_text.read(text.encode()).entries
    assert entries["REQ-1"].fields["status"].value == "C"
    assert entries["REQ-2"].fields == {}
