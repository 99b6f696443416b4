from __future__ import annotations

import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pytest_agog.report.text import (
    clean,
    expand_tabs,
    masked,
    one_line,
    pad,
    shorten,
    shorten_middle,
    visible,
    wrap,
)

anything = st.text(alphabet=st.characters())
"""Lone surrogates and control characters included."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\r\nb", "a\nb"),
        ("a\rb", r"a\rb"),
        ("nul\0", r"nul\x00"),
        ("admin\u202etxt.exe", r"admin\u202etxt.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("line\u2028break", r"line\u2028break"),
        ("lone\udc80", r"lone\udc80"),
        ("c1\x9b31m", r"c1\x9b31m"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("größe 表", "größe 表"),
    ],
)
def test_control_characters_are_seen(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(anything)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = clean(text)
    obeyed = {c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert obeyed <= set("\n\t\u200c\u200d")
    shown.encode("utf-8")


@given(anything)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


def test_secrets_are_masked_before_text_is_cut() -> None:
    text = "nats://agent:hunter2@localhost:4222"
    assert "hunter2" not in shorten(one_line(text), 22)
    assert "hun" not in shorten(one_line(text), 22)


@given(anything, st.integers(0, 40))
def test_shortened_text_fits(text: str, width: int) -> None:
    line = one_line(text)
    assert cell_len(shorten(line, width)) <= width
    assert cell_len(shorten_middle(line, width)) <= width
    if cell_len(line) <= width:
        assert shorten(line, width) == line


def test_the_middle_is_left_out() -> None:
    assert shorten_middle("agog.deliverables.cynthia.research.search", 21) == "agog.deliv…rch.search"


@given(anything, st.integers(8, 60))
def test_wrapped_lines_fit_and_lose_nothing_but_space(text: str, width: int) -> None:
    cleaned = clean(text)
    lines = wrap(cleaned, width)
    assert lines
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(cleaned.split())


def test_wrap_breaks_between_words() -> None:
    assert wrap("every published message has one row", 20) == ["every published", "message has one row"]
    assert wrap("", 20) == [""]
    assert wrap("a\n\nb", 20) == ["a", "", "b"]


def test_tabs_reach_the_next_stop_in_cells() -> None:
    assert expand_tabs("a\tb") == "a   b"
    assert expand_tabs("表\tb") == "表  b"
    assert expand_tabs("abcd\tb") == "abcd    b"


def test_pad_counts_cells() -> None:
    assert pad("表", 4) == "表  "
    assert pad("12", 4, right=True) == "  12"
    assert pad("12345", 4) == "12345"


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | anything | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(anything, inner) | st.tuples(inner),
    max_leaves=20,
)


@given(json_like)
def test_masked_data_is_json(value: object) -> None:
    text = json.dumps(masked(value), ensure_ascii=False, allow_nan=False)
    text.encode("utf-8")


def test_secrets_are_found_by_their_key() -> None:
    found = masked({"password": "hunter2", "deep": [{"api_key": b"s3"}], "url": "nats://u:pw@h", "n": math.inf, "t": 1})
    assert found == {"password": "****", "deep": [{"api_key": "****"}], "url": "nats://u:****@h", "n": None, "t": 1}
