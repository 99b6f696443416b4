from __future__ import annotations

import html
import json
import re
import textwrap
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agog.checks.evidence import overlap
from pytest_agog.checks.evidence.overlap import Reports, letters
from tests.checks.builders import prose


def _fold(text: str, width: int) -> str:
    """Hard wraps in the middle of words, as `fold` makes them."""
    return "\n".join(text[start : start + width] for start in range(0, len(text), width))


DISGUISES: dict[str, Callable[[str], str]] = {
    "whole": lambda text: text,
    "wrapped": lambda text: textwrap.fill(text, 60),
    "wrapped narrowly": lambda text: textwrap.fill(text, 23),
    "folded in words": lambda text: _fold(text, 40),
    "quoted": lambda text: textwrap.indent(text, "> ", lambda _: True),
    "json": lambda text: json.dumps({"prompt": text}),
    "json, twice": lambda text: json.dumps({"context": json.dumps({"report": text})}),
    "json, three times": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "lines of a list": lambda text: json.dumps(text.splitlines()),
    "html": lambda text: f"<report>{html.escape(text)}</report>",
    "without markdown": lambda text: re.sub(r"[#*`|_>-]+", "", text),
    "upper case": str.upper,
    "on one line": lambda text: " ".join(text.split()),
    "crlf": lambda text: text.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("name", DISGUISES)
@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_a_report_is_found_in_disguise(name: str, share: float) -> None:
    report = prose(7, 1500)
    cut = report[len(report) // 3 :][: int(len(report) * share)] if share < 1 else report
    prompt = f"You are roy. {prose(1, 300)} {DISGUISES[name](cut)} Now begin. {prose(2, 300)}"
    found = Reports([report]).in_text(prompt)
    assert found
    assert found[0].share == pytest.approx(len(letters(cut)) / len(letters(report)), abs=0.03)
    assert found[0].letters > overlap.allowance(found[0].total, 0.05)


@given(st.integers(0, 10**6), st.floats(0.06, 1), st.floats(0, 1), st.sampled_from(sorted(DISGUISES)))
@settings(max_examples=60, deadline=None)
def test_any_excerpt_above_the_threshold_is_found(seed: int, share: float, place: float, disguise: str) -> None:
    report = prose(seed, 1200).replace("#", "")  # headings do not count
    size = int(len(report) * share)
    start = int((len(report) - size) * place)
    excerpt = report[start : start + size]
    prompt = prose(seed + 1, 200) + DISGUISES[disguise](excerpt) + prose(seed + 2, 200)
    found = Reports([report]).in_text(prompt)
    # One run, cut at both ends in mid-escape at worst: all but a few letters are found.
    assert found[0].letters >= 0.97 * len(letters(excerpt)) - 2


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_other_text_from_the_same_words_is_not_found(seed: int) -> None:
    report, prompt = prose(seed, 1500), json.dumps({"prompt": prose(seed + 1, 3000)})
    assert all(item.share < 0.01 for item in Reports([report]).in_text(prompt))


@given(st.text("ab \n", max_size=400), st.text("ab \n", max_size=400))
def test_runs_are_common_substrings_whatever_the_text(report: str, other: str) -> None:
    plain, text = letters(report), letters(other)
    for item in Reports([report]).in_text(other):
        start, end = item.longest
        assert plain[start:end] in text
        assert end - start >= min(overlap.SHORTEST_RUN, len(plain))
        assert 0 < item.letters <= len(plain)


def test_accents_and_other_scripts_survive_escapes() -> None:
    report = "Überprüfte Größen für Kunden. 検索の結果を並べ替える方法について説明します。 " * 10 + "😀 naïve café"
    for prompt in (json.dumps(report), json.dumps(json.dumps(report)), report.replace("é", "e\u0301")):
        assert Reports([report]).in_text(prompt)[0].share > 0.95


@pytest.mark.parametrize("before", ["{:>6}\t", "{:04d}| ", "L{}: ", "> {}. ", "{:>5}→"])
@pytest.mark.parametrize("width", [30, 72])
@pytest.mark.parametrize("quoting", [0, 1, 3])
def test_line_numbers_hide_nothing(before: str, width: int, quoting: int) -> None:
    lines = textwrap.wrap(prose(5, 300), width)
    prompt = "\n".join(before.format(number) + line for number, line in enumerate(lines, 1))
    for _ in range(quoting):
        prompt = json.dumps({"prompt": prompt})
    assert Reports([prose(5, 300)]).in_text(prompt)[0].share > 0.95


def test_line_numbers_that_count_nothing_stay() -> None:
    assert overlap.without_line_numbers("7 of 9 tests pass\n3 of 9 fail\nplain") is None
    assert overlap.without_line_numbers("1 a\n2 b\n\n3 c\n9 d") == " a\n b\n\n c\n9 d"


def test_headings_do_not_count() -> None:
    """An outline is what an agent is given instead of the report."""
    titles = [f"{number}. What was found about the part with number {number} of the system" for number in range(30)]
    report = "".join(f"## {title}\n\n{prose(number, 40)}\n" for number, title in enumerate(titles))
    sought = Reports([report])
    assert sought.in_text(json.dumps({"outline": [f"## {title}" for title in titles]})) == []
    whole = sought.in_text(json.dumps({"prompt": report}))[0]
    assert (whole.share, whole.letters) == (1, sought.sizes[0])
    assert sought.sizes[0] < len(letters(report))
    only = Reports(["\n".join(f"# {title}" for title in titles)])
    assert only.in_text("\n".join(titles))[0].share > 0.9, "a report of headings alone is known by them"


def test_short_reports() -> None:
    phrase, sentence = "All tests pass.", "The search index must be rebuilt nightly."
    assert Reports([phrase]).in_text(f"ok: {phrase}") == []
    found = Reports([sentence]).in_text(json.dumps({"prompt": f"Note that\n{sentence} Go."}))
    assert found[0].share == 1
    assert found[0].letters > overlap.allowance(found[0].total, 0.05)
    assert Reports([sentence]).in_text("The search index must be rebuilt weekly.") == []


def test_repetitive_text_takes_no_longer() -> None:
    report, prompt = "ab" * 30_000, "ab" * 500_000
    started = time.perf_counter()
    found = Reports([report] * 3).in_text(prompt)
    assert found[0].share == 1
    assert time.perf_counter() - started < 5


def test_the_lines_of_a_run() -> None:
    report = "# Title\n\nFirst line here.\nSecond *line* there.\nThird.\n"
    run = letters(report).index("second"), letters(report).index("third")
    assert overlap.lines_of(report, run) == "Second *line* there."
