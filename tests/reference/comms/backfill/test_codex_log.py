"""From a plain log to messages, without any server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.comms.backfill import codex_log
from pytest_agog.reference.comms.backfill.drafts import BadLine, Draft
from pytest_agog.reference.comms.backfill.files import Line
from tests.reference.comms.backfill.samples import SAMPLES, read


def parse(text: str) -> list[Draft]:
    lines = [Line(n, line.encode(), len(line), ended=True) for n, line in enumerate(text.split("\n"), 1)]
    return [item for item in codex_log.parse(lines) if isinstance(item, Draft)]


def test_a_log_with_times() -> None:
    drafts, bad = read(SAMPLES / "plain")
    assert not bad
    assert [(draft.kind, draft.role) for draft in drafts] == [
        ("log", "system"), ("message", "user"), ("message", "assistant"), ("tool_call", "assistant"),
        ("tool_result", "tool"), ("tool_call", "assistant"), ("tool_result", "tool"), ("message", "assistant"),
        ("error", "system"), ("status", "system"),
    ]  # fmt: skip
    assert drafts[1].content == "Find out why the nightly stock report is empty.\n\nDo not change the schema."
    assert drafts[2].attrs == {"item_type": "reasoning"}
    assert [drafts[n].fields["exit_code"] for n in (4, 6)] == [0, 1]
    assert drafts[4].content.count("2026-03-03 02:00:01") == 3, "times within output begin nothing"
    assert "\n    day = date.today()\n" in drafts[7].content
    assert drafts[9].attrs == {"usage": {"total_tokens": 18204}}
    assert all(draft.at is not None for draft in drafts)


def test_a_log_with_headings() -> None:
    drafts = parse(
        "OpenAI Codex v0.50.0\n--------\nworkdir: /w\n--------\nuser\nDo it.\nthinking\nHow?\nexec\n"
        "bash -lc 'make' in /w exited 2 in 1.2s:\nno rule\n\nexec\nls in /w\n succeeded in 4ms:\na\n"
        "codex\nDone:\n\n- a\ntokens used\n1,204"
    )
    assert [(draft.kind, draft.content) for draft in drafts[1:]] == [
        ("message", "Do it."),
        ("message", "How?"),
        ("tool_call", "bash -lc 'make'"),
        ("tool_result", "no rule"),
        ("tool_call", "ls"),
        ("tool_result", "a"),
        ("message", "Done:\n\n- a"),
        ("status", "Tokens used"),
    ]
    assert [draft.fields["exit_code"] for draft in drafts if draft.kind == "tool_result"] == [2, 0]
    assert drafts[-1].attrs == {"usage": {"total_tokens": 1204}}


def test_any_other_log_stays_whole() -> None:
    text = "starting\n  indented\n\ncodex\nuser\ndone"
    assert [(draft.kind, draft.content) for draft in parse(text)] == [("log", text)]


def test_a_long_log_is_told_in_parts() -> None:
    line = "x" * 1000
    drafts = parse("\n".join([line] * 200))
    assert "\n".join(draft.content for draft in drafts) == "\n".join([line] * 200)
    assert all(len(draft.content) <= codex_log.MAX_ENTRY for draft in drafts)


@given(
    st.lists(
        st.sampled_from([
            "OpenAI Codex v1", "user", "exec", "codex", "thinking", "tokens used", "tokens used: ,",
            "ls succeeded in 1ms:", "[2026-01-01T00:00:00] exec x in /w", "[2026-99-01T00:00:00] y exited -1 in 0s:",
            "2026-01-01 00:00:00", "", "ERROR: z",
        ])
        | st.text(max_size=10),
        max_size=15,
    )
)  # fmt: skip
def test_no_line_is_lost(lines: list[str]) -> None:
    encoded = [line.encode("utf-8", "surrogatepass").replace(b"\n", b" ") for line in lines]
    found = list(codex_log.parse(Line(n, data, len(data), ended=True) for n, data in enumerate(encoded, 1)))
    assert len({(item.line, item.part) for item in found if isinstance(item, Draft)}) == sum(
        isinstance(item, Draft) for item in found
    )
    for item in found:
        if isinstance(item, BadLine):
            assert b"\xed" in encoded[item.line - 1]
