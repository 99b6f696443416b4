"""The board as Markdown and as text, part by part as the seed shows it; text of strangers makes nothing. [O18]"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from pytest_agog.reference.orchestrator.board import words
from pytest_agog.reference.orchestrator.board.board import board
from pytest_agog.reference.orchestrator.board.markdown import escaped, markdown
from pytest_agog.reference.orchestrator.board.situation import Situation
from pytest_agog.reference.orchestrator.board.text import text
from pytest_agog.reference.orchestrator.state.record import Done
from tests.reference.orchestrator.board.making import HOSTILE, NOW, ago, complete, record, seed, situation, working

HEAD = """\
## Orchestrator - Work Distribution Status

**Mode:** Turn-Based (30-min cycles)
**Token Budget:** 979,113 / 1,000,000 remaining (97.9%)
**Active Agents:** 4 (Roy, Jen, Database Agent, Documentation Agent)

### Queue Status

**CRITICAL:** 0 items ✅

**HIGH:** 2 items

- REQ-042 (Roy) - Assigned, In Progress (15 min elapsed)
- REQ-043 (Database Agent) - Pending (blocked by REQ-042)

**MEDIUM:** 3 items

- REQ-052 (Roy) - Ready to assign
- REQ-050 (Jen) - Pending (blocked by REQ-042)
- REQ-051 (Documentation Agent) - Pending (blocked by REQ-042)

**LOW:** 1 item

- REQ-065 (Documentation Agent) - Ready to assign

### Agent Activity

**Roy (Backend):**

- Status: 🟢 ACTIVE (working on REQ-042)
- Token usage: 18,542 / 300,000 (6.2%)
- Est. completion: 15 minutes
- Queue depth: 1 item after current

**Jen (Frontend):**

- Status: 🟡 WAITING (blocked by REQ-042)
- Token usage: 0 / 300,000 (0%)
- Next task: REQ-050 (starts after REQ-042)
- Queue depth: 1 item

**Database Agent:**

- Status: 🟡 WAITING (blocked by REQ-042)
- Token usage: 0 / 100,000 (0%)
- Next task: REQ-043 (starts after REQ-042)
- Queue depth: 1 item

**Documentation Agent:**

- Status: 🟢 IDLE (waiting for work)
- Token usage: 2,345 / 50,000 (4.7%)
- Next task: REQ-065 (low priority, can start now)
- Queue depth: 2 items
"""
TAIL = """\
### Recent Completions (Last Hour)

1. ✅ REQ-041 (Roy) - Storage locations schema ✅
2. ✅ REQ-040 (Jen) - Component library setup ✅
"""


@pytest.fixture
def example() -> Situation:
    return situation(*seed())


def test_the_seeds_board(example: Situation) -> None:
    shown = markdown(board(example))
    assert shown.startswith(HEAD)
    assert "### Blockers\n\n- None\n" in shown
    assert TAIL in shown
    assert shown.endswith("**Next Review:** 5 minutes (next turn cycle)\n")


def test_a_continuous_board_without_anything(example: Situation) -> None:
    shown = markdown(board(situation(mode="continuous", next_turn=None)))
    assert "**Mode:** Continuous\n" in shown
    assert "**Active Agents:** 0\n" in shown
    assert "**Token Budget:** 1,000,000 / 1,000,000 remaining (100%)" in shown
    assert "### Recent Completions (Last Hour)\n\n- None\n" in shown
    assert "- First-time acceptance: n/a\n" in shown
    assert shown.endswith("**Next Review:** continuous (work is taken as it comes)\n")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"state": "ASSIGNED"}, "Assigned (15 min elapsed)"),
        ({"state": "GATING"}, "Assigned, At the Gate (15 min elapsed)"),
        ({"attempt": 2}, "Assigned, In Progress (15 min elapsed, attempt 2)"),
        ({"chain": ("research", "backend"), "stage": "research", "stage_agent": "cynthia"},
         "Assigned, In Progress (15 min elapsed, research by Cynthia)"),
        ({"state": "REJECTED", "rejections": 2}, "Rejected, goes back to Roy (2 rejections)"),
        ({"state": "REJECTED", "stopped": True}, "Rejected by its critique (waits for a human)"),
        ({"state": "ESCALATED"}, "Escalated (waits for a human)"),
        ({"state": "BLOCKED", "waits_for": ("REQ-9",)}, "Blocked (blocked by REQ-9)"),
        ({"state": "BLOCKED"}, "Blocked (waits for a human)"),
        ({"state": "READY", "due": NOW + timedelta(seconds=150)}, "Ready to assign in 2 min"),
        ({"state": "READY", "chain": ("backend", "qa"), "done": (Done("backend", "roy", "nats://x"),)},
         "Ready for qa by Billy"),
        ({"state": "PENDING", "agent": None}, "Pending (to be routed)"),
    ],
)  # fmt: skip
def test_states_in_words(changes: dict[str, Any], line: str) -> None:
    found = replace(working("REQ-1", 15), **changes)
    assert f"- REQ-1 ({words.name(found.agent)}) - {line}\n" in markdown(board(situation(found)))


def test_what_presses_stands_on_the_board() -> None:
    shown = markdown(board(situation(
        record("REQ-1", "BLOCKED", held_by="agent", blockers=("No key.",), title="Labels"),
        record("REQ-2", depends_on=("REQ-3",)), record("REQ-3"),
        conservation=SimpleNamespace(reasons=("80 % used", "night")), alerts=("NATS is slow",),
        breakers={"jen": "open"},
    )))  # fmt: skip
    assert "**Conservation Mode:** 80 % used; night\n" in shown
    assert "**Alert:** NATS is slow\n" in shown
    assert "- REQ-1 (Roy) - Labels: No key. (waits for a human)\n" in shown
    assert "- Jen rests: most of its last attempts failed\n" in shown
    assert "- Circuit breaker: open\n" in shown
    assert "### Critical Path\n\n- REQ-3 → REQ-2\n" in shown


def test_long_queues_are_counted_in_the_end() -> None:
    shown = board(situation(*(record(f"REQ-{n:04}") for n in range(5_000))))
    assert markdown(shown).count("\n- REQ-") == 200
    assert "- … and 4,800 more\n" in markdown(shown)
    assert "  … and 4,980 more\n" in text(shown)


@pytest.mark.parametrize(
    ("seconds", "short", "long"),
    [
        (0, "0 min", "less than a minute"), (60, "1 min", "1 minute"), (3_599, "59 min", "1 hour"),
        (7_500, "2 h 5 min", "2 hours 5 minutes"), (90_000, "1 d 1 h", "1 day 1 hour"),
    ],
)  # fmt: skip
def test_times_in_words(seconds: float, short: str, long: str) -> None:
    assert (words.short(seconds), words.long(seconds)) == (short, long)


def test_shares_in_words() -> None:
    assert [words.percent(share) for share in (None, 0, 1, 0.457, 0.9999)] == ["n/a", "0%", "100%", "45.7%", "100.0%"]


# --- text of strangers ------------------------------------------------------------------------------------------------
def hostile(word: str = HOSTILE) -> Situation:
    return situation(
        record("REQ-1", "BLOCKED", title=word, blockers=(word,), held_by="agent"),
        complete("REQ-2", ago(minutes=5), title=word), record("REQ-3", title=word, agent=word),
        alerts=(word,), conservation=SimpleNamespace(reasons=(word,)), lags={word: 3},
    )  # fmt: skip


READER = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["strikethrough", "table"])


def kinds(source: str) -> list[str]:
    found = []
    for token in READER.parse(source):
        found.append(token.type)
        found += [child.type for child in token.children or []]
    return found


def plain(source: str) -> str:
    return "".join(c.content for token in READER.parse(source) for c in token.children or [] if c.type == "text")


def test_hostile_titles_make_no_markdown() -> None:
    harmless = kinds(markdown(board(hostile("words"))))
    assert kinds(markdown(board(hostile()))).count("html_inline") == 0
    counts = {one: kinds(markdown(board(hostile()))).count(one) for one in harmless if one != "text"}
    assert counts == {one: harmless.count(one) for one in harmless if one != "text"}


@given(st.text(max_size=60))
def test_escaped_text_shows_as_it_was_written(word: str) -> None:
    shown = words.visible(word)
    source = f"- x {escaped(word)} x"
    assert plain(source).split() == f"x {shown} x".split()
    assert set(kinds(source)) <= {
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "text", "text_special", "paragraph_close",
        "list_item_close", "bullet_list_close",
    }  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 132])
def test_text_fits_its_columns_and_holds_nothing_that_a_terminal_obeys(width: int) -> None:
    wide = "漢字" * 60
    for facts in (situation(*seed()), hostile(), hostile(wide), hostile("\x1b]0;x\x07\r\x9b31m\u2066")):
        shown = text(board(facts), width=width)
        assert max(cell_len(line) for line in shown.split("\n")) <= width
        assert not any(ord(one) < 32 or 0x7F <= ord(one) < 0xA0 for one in shown.replace("\n", ""))
        assert not set(shown) & set("\u202e\u2066")


def test_text_of_the_example() -> None:
    shown = text(board(situation(*seed())))
    assert "HIGH  2 items\n  REQ-042 (Roy) Assigned, In Progress (15 min elapsed) · Title of REQ-042\n" in shown
    assert "\nRoy                  ACTIVE   18,542 / 300,000 (6.2%)       1  REQ-042\n" in shown
    assert "COMPLETED IN THE LAST HOUR\n  REQ-041 (Roy) Storage locations schema\n" in shown
