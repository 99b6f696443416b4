from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pytest_agog.report.markdown import code, escape, fence
from pytest_agog.report.text import clean, one_line

anything = st.text(alphabet=st.characters())
markup = st.text(alphabet=st.sampled_from("\\`*_{}[]()<>#+-.!|~&@:/= \n\t1aw\"'$^;x?"))
untrusted = anything | markup


def rendered(source: str) -> list[Token]:
    """The inline tokens of a document, tables and strike-through included as GitHub has them."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [child for token in parser.parse(source) for child in token.children or ()]


def shown(tokens: list[Token]) -> str:
    assert {token.type for token in tokens} <= {"text"}, tokens
    return "".join(token.content for token in tokens)


@given(untrusted)
def test_a_paragraph_shows_the_text_itself(text: str) -> None:
    expected = one_line(text)
    assert shown(rendered(escape(text))).strip() == expected.strip()


@given(untrusted)
def test_a_list_item_shows_the_text_itself(text: str) -> None:
    assert shown(rendered(f"- {escape(text)}")).strip() == one_line(text).strip()


@given(untrusted)
def test_a_table_cell_shows_the_text_itself(text: str) -> None:
    tokens = rendered(f"| a | b |\n|---|---|\n| {escape(text)} | end |\n")
    assert shown(tokens) == f"ab{one_line(text)}end"


@given(untrusted)
def test_a_fence_holds_every_text(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"{fence(text)}\n\nafter\n")
    assert [token.type for token in tokens][:2] == ["fence", "paragraph_open"]
    assert tokens[0].content.strip("\n") == clean(text).strip("\n")


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "![x](https://example.org/pixel.png)",
        "https://example.org",
        "www.example.org",
        "@somebody #123",
        "`code` **bold** ~~gone~~ $x$",
        "a | b",
        "\\| x",
        "# heading",
        "1. item",
        "- item",
    ],
)
def test_nothing_is_obeyed(text: str) -> None:
    escaped = escape(text)
    for sign in ("<", "`", "**", "](", "~~", "|", "://", "www.", "@", "\\"):
        assert sign not in escaped
    assert shown(rendered(escaped)) == text


def test_code_in_a_cell() -> None:
    assert code("a|`b`<c>") == "<code>a&#124;&#96;b&#96;&#60;c&#62;</code>"
