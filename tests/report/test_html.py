from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_agog.checks.base import Evidence
from pytest_agog.play.result import PlayResult
from pytest_agog.report.html import MAX_EVIDENCE, html, segments, write
from pytest_agog.report.token_view import TokenView
from tests.report.builders import ENVIRONMENT, START, chain_ledger, claim, judged, message_evidence, play, views

ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "main", "h1", "h2", "h3",
    "p", "ul", "li", "strong", "span", "details", "summary", "div", "code", "dl", "dt", "dd",
    "pre", "table", "thead", "tbody", "tr", "th", "td", "svg", "rect", "text", "line", "path",
    "circle",
}  # fmt: skip
VOID = {"meta", "rect", "line", "path", "circle"}


class Reader(HTMLParser):
    """Elements, attributes and text of a page; fails on elements that are closed in the wrong order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag != "meta" and not (tag in VOID and self.get_starttag_text_ends()):
            self._open.append(tag)

    def get_starttag_text_ends(self) -> bool:
        return (self.get_starttag_text() or "").endswith("/>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def page(file: Path, plays: list[PlayResult] | None = None) -> str:
    return html(views(file, plays), started_at=START, duration=12.3, environment=ENVIRONMENT)


def test_it_tells_everything(file: Path) -> None:
    text = Reader(page(file)).text
    for words in (
        "3 claims and 2 plays failed",
        "Python 3.11.9 · nats-server 2.15.1 · Postgres 18.4 · embedded · target reference",
        "retry-stores-once",
        "2 messages, stored 120 ms apart",
        "agog_features_research",
        "pytest --agog-scenario=scenarios/retry-stores-once.yaml::stored-once",
        "roy exited with 1 in turn 3 (backend)",
        "close: took 4.6s of 5s",
        "line 50 of roy's output",
        "Tokens by agent",
        "Timeline",
    ):
        assert words in text
    assert "hunter2" not in text


def test_it_needs_no_network_and_no_script(file: Path) -> None:
    read = Reader(page(file))
    assert set(read.elements) <= ALLOWED
    for _, name, value in read.attributes:
        assert not name.startswith("on")
        assert name not in {"src", "style", "srcset", "action", "xlink:href"}
        assert name != "href" or value.startswith("#")


def test_the_policy_allows_its_own_style_and_nothing_else(file: Path) -> None:
    made = page(file)
    policy = next(value for tag, name, value in Reader(made).attributes if tag == "meta" and "default-src" in value)
    style = re.search(r"<style>(.*?)</style>", made, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_every_inner_link_leads_somewhere(file: Path) -> None:
    read = Reader(page(file))
    ids = [value for _, name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, name, value in read.attributes if name == "href"} <= set(ids)


def spoiled(file: Path, text: str) -> list[PlayResult]:
    """A play in which every free text is `text`."""
    evidence = Evidence(text, START, text, text, {text: text, "subject": text, "deep": [{text: text}]})
    one = judged(claim("a", text, file), "failed", expected=text, observed=text, nearest=text, evidence=(evidence,))
    return [play(text, file, (one,), summary=text, ledger=chain_ledger(20))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.text(alphabet=st.characters())
    | st.text(alphabet=st.sampled_from("<>&\"'/=!-[]{}%#a \n\x1b"))
    | st.sampled_from(["</style><script>alert(1)</script>", "{{ 7 * 7 }}", "--><img src=x onerror=y>", "]]>", "</svg>"])
)
def test_no_text_becomes_markup(file: Path, text: str) -> None:
    plain = Reader(page(file, spoiled(file, "plain")))
    read = Reader(page(file, spoiled(file, text)))
    # The same elements, whatever the text is: only what is empty may leave out its own.
    assert set(read.elements) <= ALLOWED
    if text.strip():
        assert [e for e in read.elements if e not in {"pre", "dt", "dd"}] == [
            e for e in plain.elements if e not in {"pre", "dt", "dd"}
        ]
    assert {name for _, name, _ in read.attributes} <= {name for _, name, _ in plain.attributes} | {"open"}


def test_templates_in_text_are_not_run(file: Path) -> None:
    text = Reader(page(file, spoiled(file, "{{ 7 * 7 }} {% raw %}"))).text
    assert "{{ 7 * 7 }} {% raw %}" in text


def test_control_characters_are_seen(file: Path) -> None:
    made = page(file, spoiled(file, "a\x1b[31m\u202eb\0c"))
    assert r"a\x1b[31m\u202eb\x00c" in made
    assert "\x1b" not in made
    assert "\u202e" not in made
    assert "\0" not in made


def test_a_million_pieces_of_evidence_do_not_make_a_page_of_gigabytes(file: Path) -> None:
    one = judged(claim("a", "b", file), "failed", evidence=(message_evidence(),) * (MAX_EVIDENCE + 1234))
    made = page(file, [play("a", file, (one,))])
    assert made.count('<details class="evidence"') == MAX_EVIDENCE
    assert "1,234 more pieces of evidence" in made


def test_token_bars_add_up() -> None:
    parts = segments(TokenView(1000, 50, 250))
    assert [(part.kind, part.start, part.length) for part in parts] == [
        ("notices", 0, 5), ("fetched", 5, 25), ("saved", 30, 70),
    ]  # fmt: skip
    overspent = segments(TokenView(100, 50, 350))
    assert sum(part.length for part in overspent) == 100
    assert overspent[2].length == 0


def test_an_empty_run_is_a_page_too(tmp_path: Path) -> None:
    path = write(tmp_path, [], started_at=START, duration=0, environment=ENVIRONMENT)
    assert "Nothing was judged" in Reader(path.read_text("utf-8")).text


def test_all_good_says_so(file: Path) -> None:
    made = page(file, [play("a", file, (judged(claim("a", "b", file)),) * 3)])
    assert "<h1>All 3 claims hold</h1>" in made
