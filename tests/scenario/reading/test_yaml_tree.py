"""Text to a tree with places; everything that is no YAML, or a bomb, is refused at its place."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pytest_agog.scenario.problems import Problems, ScenarioErrors
from pytest_agog.scenario.reading.nodes import Mapping, locate, plain
from pytest_agog.scenario.reading.source import Source
from pytest_agog.scenario.reading.yaml_tree import parse


def read(text: str) -> object:
    problems = Problems()
    node = parse(Source(Path("/x/s.yaml"), text), problems)
    problems.raise_if_any()
    return None if node is None else plain(node)


def wrong(text: str) -> list[str]:
    with pytest.raises(ScenarioErrors) as caught:
        read(text)
    return [f"{p.line}:{p.column}: {p.message}" for p in caught.value.problems]


def test_plain_data() -> None:
    text = "a: 22:00\nb: [no, 1, 0x10, \"1\", 'true', ~]\nc: {d: |\n    two\n    lines\n  }\n404: on\n"
    assert read("a: 22:00\nb: [no, 1, 0x10, \"1\", 'true', ~]\nc:\n  d: |\n    two\n    lines\n404: on\n") == {
        "a": "22:00",
        "b": ["no", 1, 16, "1", "true", None],
        "c": {"d": "two\nlines\n"},
        "404": "on",
    }
    assert wrong(text)


def test_nothing_is_none() -> None:
    assert read("") is None
    assert read("# only a comment\n") is None


def test_standard_tags_are_taken() -> None:
    assert read("a: !!str 12\nb: !!int 3\nc: !!float 1\nd: !!map {}\ne: !!seq []\nf: !!null ~\ng: ! 12") == {
        "a": "12", "b": 3, "c": 1.0, "d": {}, "e": [], "f": None, "g": "12",
    }  # fmt: skip


def test_aliases_share() -> None:
    assert read("a: &x [1, 2]\nb: *x\nc: {d: *x}") == {"a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}}


def test_every_key_and_value_knows_its_place() -> None:
    source = Source(Path("/x/s.yaml"), "a:\n  - b: 1\n    c: [x, {d: deep}]\n")
    tree = parse(source, Problems())
    assert isinstance(tree, Mapping)
    value = locate(tree, ("a", 0, "c", 1, "d"))
    assert (value.place.position.line, value.place.position.column, value.place.position.end_column) == (3, 16, 20)
    assert value.key is not None
    assert (value.key.position.line, value.key.position.column, value.key.position.end_column) == (3, 13, 14)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_and_columns_count_characters_whatever_ends_lines(end: str) -> None:
    text = end.join(["# ünïcödé ✓ 🎈", "a: 🎈🎈", "b: {ü: 1, ü: 2}", ""])
    assert wrong(text) == ["3:11: the key 'ü' stands here twice"]


def test_unusual_line_separators_do_not_shift_lines() -> None:
    assert wrong('a: "x\u2028y\x85z"\nb: 1\nb: 2\n') == ["3:1: the key 'b' stands here twice"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1: the key 'a' stands here twice"),
        ("x: {a: 1, 'a': 2}", "1:11: the key 'a' stands here twice"),
        ("a:\n\tb: 1", "2:1: a tab indents this line; YAML takes spaces only"),
        ("a:\n  b: 1\n\tc: 2\n", "3:1: a tab indents this line; YAML takes spaces only"),
        ("a:\n  b: 1\n  \tc: 2\n", "3:3: a tab indents this line; YAML takes spaces only"),
        ("<<: {a: 1}", "1:1: `<<` merges nothing in YAML 1.2"),
        ("a: &a [1, *a]", "1:11: the alias *a stands inside what it repeats, so it has no end"),
        ("a: &a {b: {c: *a}}", "1:15: the alias *a stands inside what it repeats, so it has no end"),
        ("a: *nope\n", "1:4: nothing before this has the anchor &nope"),
        ("x: &base 1\na: *bsae\n", "2:4: nothing before this has the anchor &bsae; did you mean 'base'?"),
        ("a: !!python/object/apply:os.system [id]", "1:4: the tag '!!python/object/apply:os.system' is not allowed"),
        ("a: !custom 1", "1:4: the tag '!custom' is not allowed"),
        ("a: !!int x", "1:4: 'x' is no !!int"),
        ("a: !!int true", "1:4: 'true' is no !!int"),
        ("a: !include [x]", "1:4: !include takes the name of one file"),
        ("{[a]: 1, b: 2}", "1:2: a key must be plain text, not a list or mapping"),
        ("k: &k v\n*k : 1", "2:1: a key must be plain text, not an alias"),
        ("a: 1\n? \n: x", "2:2: a key is missing before the colon"),
        ("a: 1\nbare\nb: 2\n", "2:1: a key without a value"),
        ("a: 1\nb:2\n", "2:1: a key without a value"),
        ("a: 1\n[b, c\n", "2:1: not valid YAML: this is never closed"),
        ("a: 1\nb: 'x\nc: 2\n", "2:4: not valid YAML: found unexpected end of stream (while scanning a quoted scalar)"),
        ("a: 1\nb: {c: 1\n", "2:4: not valid YAML: did not find expected ',' or '}' (while parsing a flow mapping)"),
        ("!!int 1: x", "1:1: the tag '!!int' is not allowed"),
        ("--- 1\n--- 2\n", "2:1: a second document; a file holds one"),
        ("a: .inf", "1:4: .inf is no number that JSON can carry; put it in quotes if it is text"),
        ("a: b: c", "1:5: not valid YAML: mapping values are not allowed in this context"),
    ],
)
def test_problems_have_their_place(text: str, expected: str) -> None:
    assert wrong(text) == [expected]


def test_a_refused_key_takes_its_value_with_it_and_reading_goes_on() -> None:
    found = wrong("[x, y]: {deep: [1]}\n? {a: b}\n: c\nd: 1\nd: 2\n")
    assert found == [
        "1:1: a key must be plain text, not a list or mapping",
        "2:3: a key must be plain text, not a list or mapping",
        "5:1: the key 'd' stands here twice",
    ]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture(scope="module")
def effort() -> float:
    """Seconds of processor time that the largest file within the limits takes."""
    began = time.process_time()
    assert isinstance(read("[" + "a," * 99_999 + "]"), list)
    return time.process_time() - began


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 100,000 values"),
        ("a: &a " + "x" * 500_000 + "\nb: [" + ",".join(["*a"] * 100) + "]", "more than 8,000,000 characters"),
        ("[" + "1," * 100_001 + "]", "more than 100,000 values"),
        ("[" * 900_000, "nested more than 100 levels"),
        ("- " * 400_000, "nested more than 100 levels"),
        ("{a: " * 200_000, "nested more than 100 levels"),
        ("? " * 400_000, "a key must be plain text"),
        ("a:\n" + "".join(" " * depth + "a:\n" for depth in range(1, 1200)), "nested more than 100 levels"),
        ("a: &a [[[[[[[[[[x]]]]]]]]]]\n" + "".join(
            f"{n}: &{n} [[[[[[[[[[*{b}]]]]]]]]]]\n" for b, n in zip("abcdefghijk", "bcdefghijkl", strict=True)
        ), "nested more than 100 levels"),
        ("'" * 999_999, "not valid YAML"),
        ('"\\\n' * 300_000, "not valid YAML"),
        ("a: " + "\n" * 900_000 + "[", "not valid YAML"),
        ("".join(f"k{n}: 1\nk{n}: 2\n" for n in range(40_000)), "200 problems were found"),
    ],
    ids=["laughs", "long-text", "many", "deep-flow", "deep-block", "deep-map", "deep-keys", "deep-indent", "deep-alias",
         "quotes", "escapes", "blank-lines", "doubles"],
)  # fmt: skip
def test_bombs_cost_no_more_than_a_file_within_the_limits(text: str, message: str, effort: float) -> None:
    began = time.process_time()
    assert any(message in line for line in wrong(text))
    assert time.process_time() - began < 10 * effort  # a bomb that goes off takes thousands of times as much


def test_the_limit_on_values_counts_keys_too_and_is_exact() -> None:
    assert isinstance(read("[" + "1," * 99_999 + "]"), list)
    assert wrong("{" + ",".join(f"a{n}: 1" for n in range(50_000)) + "}")
