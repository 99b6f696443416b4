from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.comms.pages.markdown import MAX_CHARACTERS, render

ALLOWED = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"href", "title", "rel", "target", "class", "start", "tabindex"}


class Reader(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(str(render(text)))
    reader.close()
    return reader


def harmless(reader: Reader) -> None:
    for tag, attributes in reader.tags:
        assert tag in ALLOWED
        assert set(attributes) <= ATTRIBUTES
        if "href" in attributes:
            assert re.match(r"(?i)(https?://|mailto:)", attributes["href"] or "")
            assert set((attributes["rel"] or "").split()) == {"noopener", "noreferrer", "nofollow"}


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](&#x6A;avascript:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[a](vbscript:x)",
    "[a](\u202ejavascript:alert(1))",
    "[a](//evil.example/x)",
    "[a](/agents/general)",
    "![a](javascript:alert(1))",
    "![a](https://evil.example/pixel.png)",
    '[a](https://ok.example "x\\" onmouseover=\\"alert(1)")',
    "<javascript:alert(1)>",
    "<style>body{display:none}</style>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x]: javascript:alert(1)\n\n[x]",
    '```"><script>alert(1)</script>\nx\n```',
    "|a|\n|:-|\n|<script>alert(1)</script>|",
    "<form action=x><input name=body>",
    "<base href=//evil.example>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<!--><script>alert(1)</script>-->",
    "\u0000<scr\u0000ipt>alert(1)</script>",
    "\ufeff<\u200bscript>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_runs_and_nothing_is_lost_that_people_should_see(text: str) -> None:
    reader = read(text)
    harmless(reader)
    assert "img" not in [tag for tag, _ in reader.tags]


@given(st.text(alphabet="<>[]()`*_~|:\\\"'&;#!-=\n\t /\u202eaxjs\u0301😀"))
def test_whatever_comes_is_harmless(text: str) -> None:
    harmless(read(text))


@given(st.lists(st.sampled_from([*HOSTILE, "> ", "- ", "\n\n", "`", "**", "[", "](", "<", "| "])))
def test_pieces_of_attacks_put_together_are_harmless(pieces: list[str]) -> None:
    harmless(read("".join(pieces)))


def test_what_people_write_looks_right() -> None:
    html = render("# T\n\n~~old~~ **new**\n\n|a|b|\n|:-|-:|\n|1|2|\n\n```py\n  x = 1\n```\n\nline\nbreak")
    assert "<h1>T</h1>" in html
    assert "<s>old</s>" in html
    assert '<td class="align-right">2</td>' in html
    assert "  x = 1\n" in html  # indentation stays [J06]
    assert "line<br>\nbreak" in html
    assert "style=" not in html


def test_a_picture_is_a_link() -> None:
    assert '<a href="https://e.example/p.png"' in render("![chart](https://e.example/p.png)")
    assert ">chart</a>" in render("![chart](https://e.example/p.png)")


LONG = MAX_CHARACTERS
HUGE = {
    "quotes": "> " * LONG,
    "quotes without space": ">" * LONG,
    "lists": "- " * LONG,
    "nested lists": "".join("  " * depth + "- a\n" for depth in range(180)),
    "quoted lists": "> - " * LONG,
    "brackets": "[" * LONG,
    "open links": "[a](" * LONG,
    "images": "![[]()" * LONG,
    "stars": "*a **b " * LONG,
    "ticks": "".join("`" * length + " " for length in range(1, 170)),
    "wide table": "|a" * 3000 + "\n" + "|-" * 3000 + "\n" + "|b" * 1900,
    "long table": "|a|b|\n|-|-|\n" + "|1|2|\n" * LONG,
    "lazy quotes": ">" * 100 + "\n" + "a\n" * LONG,
    "references": "".join(f"[a{number}]: b\n" for number in range(2000)),
    "entities": "&#x;" * LONG,
    "tags": "<a:" * LONG,
    "one line": "x" * 9_000_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_hostile_sizes_come_to_an_end(name: str) -> None:
    """Superlinear work would take minutes; a bound on the text keeps it at tenths of a second."""
    reader = read(HUGE[name])
    harmless(reader)
    assert len(reader.tags) < 3 * MAX_CHARACTERS


def test_nesting_is_bounded() -> None:
    for text in ("> " * 5000 + "a", "- " * 5000 + "a"):
        assert str(render(text)).count("<blockquote>") + str(render(text)).count("<ul>") < 30
