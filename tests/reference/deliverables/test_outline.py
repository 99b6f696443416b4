from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.errors import SectionMissing
from pytest_agog.reference.deliverables.outline import outline, section
from pytest_agog.tokens import count

REPORT = """\
---
title: Front matter
---
Before any heading.

# Search

Intro.

Setext heading
--------------

Text.

```python
# not a heading
```

    # nor this

> # nor a quoted one

- # nor one in a list

## Risks ##

### Summary

One.

## **Costs** of `x`

### Summary

Two.

Last one
========

The end"""


def test_headings() -> None:
    assert [(h.level, h.title, h.path, h.line) for h in outline(REPORT)] == [
        (1, "Search", "Search", 6),
        (2, "Setext heading", "Search > Setext heading", 10),
        (2, "Risks", "Search > Risks", 25),
        (3, "Summary", "Search > Risks > Summary", 27),
        (2, "Costs of x", "Search > Costs of x", 31),
        (3, "Summary", "Search > Costs of x > Summary", 33),
        (1, "Last one", "Last one", 37),
    ]


def test_tokens_are_those_of_the_section() -> None:
    for heading in outline(REPORT):
        assert heading.tokens == count(section(REPORT, heading.path))


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Risks", "## Risks ##\n\n### Summary\n\nOne.\n\n"),
        ("Costs of x", "## **Costs** of `x`\n\n### Summary\n\nTwo.\n\n"),
        ("**Costs** of `x`", "## **Costs** of `x`\n\n### Summary\n\nTwo.\n\n"),
        ("Summary", "### Summary\n\nOne.\n\n### Summary\n\nTwo.\n\n"),
        ("Search > Risks > Summary", "### Summary\n\nOne.\n\n"),
        ("Last one", "Last one\n========\n\nThe end"),
        ("  Last one ", "Last one\n========\n\nThe end"),
    ],
)
def test_sections(heading: str, expected: str) -> None:
    assert section(REPORT, heading) == expected


def test_a_section_inside_one_of_the_same_name_is_not_repeated() -> None:
    assert section("# A\n\n## A\n\nx\n\n# B\n", "A") == "# A\n\n## A\n\nx\n\n"


@pytest.mark.parametrize(
    ("heading", "told"),
    [
        ("Risk", "Nearest: 'Risks'"),
        ("risks", "Nearest: 'Risks'"),
        ("Cost", "Nearest: 'Costs of x'"),
        ("zzzzqq", "Nothing comes near it"),
        ("", "agog outline"),
    ],
)
def test_a_missing_heading_names_the_nearest(heading: str, told: str) -> None:
    with pytest.raises(SectionMissing) as caught:
        section(REPORT, heading)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_headings_at_all() -> None:
    assert outline("just text") == []
    with pytest.raises(SectionMissing, match="no headings at all"):
        section("just text", "Risks")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_stay_and_odd_characters_end_no_line(end: str) -> None:
    text = end.join(["# One", "", "a\x0bb\x0cc\u2028d\x85e", "", "# Two", "", "f"])
    assert section(text, "One") == end.join(["# One", "", "a\x0bb\x0cc\u2028d\x85e", "", ""])
    assert section(text, "Two") == end.join(["# Two", "", "f"])
    assert [heading.line for heading in outline(text)] == [1, 5]


def test_a_rule_at_the_beginning_is_no_front_matter() -> None:
    assert [heading.title for heading in outline("---\n\n# A\n\n---\n")] == ["A"]


def test_a_heading_below_one_without_text_has_a_path() -> None:
    text = "#\n=\n-"
    assert [heading.path for heading in outline(text)] == ["", " > ="]
    assert section(text, " > =") == "=\n-"


words = st.text(alphabet="abcXYZ # *`_\n\r-=>", max_size=40)


@given(st.lists(words, max_size=12).map("\n".join))
def test_sections_are_cut_out_of_the_text_as_it_stands(text: str) -> None:
    for heading in outline(text):
        if heading.title:
            assert all(part in text for part in [section(text, heading.path)])
            assert section(text, heading.path)


@given(st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta"]), min_size=1, max_size=8))
def test_top_level_sections_put_together_are_the_report(titles: list[str]) -> None:
    unique = [f"{title} {number}" for number, title in enumerate(titles)]
    text = "".join(f"# {title}\n\nText of {title}.\n\n## Sub of {title}\n\nmore\n\n" for title in unique)
    assert "".join(section(text, title) for title in unique) == text


def test_a_byte_order_mark_hides_neither_heading_nor_front_matter() -> None:
    assert [heading.title for heading in outline("\ufeff# First\n")] == ["First"]
    assert section("\ufeff# First\n\ntext\n", "First") == "\ufeff# First\n\ntext\n"
    assert [heading.title for heading in outline("\ufeff---\na: b\n---\n# First\n")] == ["First"]


@given(st.lists(st.integers(1, 6), max_size=12))
def test_a_section_ends_at_the_next_heading_that_is_not_deeper(levels: list[int]) -> None:
    text = "".join(f"{'#' * level} h{number}\n" for number, level in enumerate(levels))
    for number, level in enumerate(levels):
        following = [later for later in range(number + 1, len(levels)) if levels[later] <= level]
        end = following[0] if following else len(levels)
        assert section(text, f"h{number}").count("\n") == end - number
