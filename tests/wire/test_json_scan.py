"""Complete JSON objects in messy text, against a slow and obvious search."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.wire import json_scan
from pytest_agog.wire.json_scan import MAX_DEPTH, Scan

KEYS = ("agent", "status")
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.sampled_from(KEYS), inner),
    max_leaves=8,
)
WANTED = st.builds(
    lambda rest: rest | {"agent": "roy", "status": "x"}, st.dictionaries(st.text(max_size=4), JSON_VALUES)
)
FRAGMENTS = st.sampled_from(
    ['{"', '"', "{", "}", "[", "]", ":", ",", "\\", '{"agent":', '"status":1', "\n", " ", "a", "1"]
)
NOISE = st.lists(FRAGMENTS, max_size=12).map("".join)


def found(text: str) -> list[str]:
    return [one.text for one in Scan(text, KEYS).last_first()]


def obvious(text: str) -> list[tuple[int, int]]:
    """Every span that strict JSON reads as an object with the keys."""
    spans = []
    decoder = json.JSONDecoder(parse_constant=lambda _: pytest.fail("NaN is no JSON"))
    for start, character in enumerate(text):
        if character == "{":
            try:
                value, end = decoder.raw_decode(text, start)
            except ValueError:
                continue
            if all(key in value for key in KEYS):
                spans.append((start, end))
    return spans


@given(NOISE, WANTED, NOISE)
def test_an_object_between_noise_is_found_when_an_obvious_search_finds_it(
    before: str, value: dict[str, Any], after: str
) -> None:
    text = before + json.dumps(value) + after
    spans = obvious(text)
    # What stands inside a string of another object is text, unless that text is read for its own sake.
    outside = {text[a:b] for a, b in spans}
    results = found(text)
    assert set(results) <= outside | {one for one in results if "\\" in text}
    if before.count('"') == 0:
        assert json.dumps(value) in results


@given(st.lists(WANTED, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n", " then ", "```\r\n```json\r\n"]))
def test_objects_come_last_first(values: list[dict[str, Any]], between: str) -> None:
    texts = [json.dumps(value, indent=1) for value in values]
    outermost = [one for one in found(between.join(texts)) if one in texts]
    assert outermost == texts[::-1]


@given(WANTED, st.integers(1, 3))
def test_an_object_inside_json_strings_is_found(value: dict[str, Any], times: int) -> None:
    text = inner = json.dumps(value)
    for _ in range(times):
        text = json.dumps("Done: " + text)
    assert inner in found(text)
    assert inner in found('{"type": "result", "result": ' + text + ', "cost": 1}')


def test_an_outer_object_comes_before_those_inside_it() -> None:
    text = '{"agent": 1, "status": 2, "was": {"agent": 3, "status": 4}}'
    assert found(text) == [text, '{"agent": 3, "status": 4}']


@pytest.mark.parametrize(
    "text",
    [
        '{"agent": 1, "status": 2',
        '{"agent": 1, "status": }',
        '{"agent": 1, "status": 2,}',
        '{"agent": 01, "status": 2}',
        '{"agent": NaN, "status": 2}',
        '{"agent": "a\nb", "status": 2}',
        "{'agent': 1, 'status': 2}",
        '{"agent": [1, 2}, "status": 2]',
        '{"agent": "\\x", "status": 2}',
        '{"agent": {"status": 2}}',
    ],
)
def test_what_is_no_json_or_lacks_a_key_is_not_found(text: str) -> None:
    assert found(text) == []


def test_a_cut_off_object_is_pointed_at() -> None:
    assert Scan('fine {"agent": 1, "status": 2} and {"agent": 1, ', KEYS).broken == 35
    assert Scan('fine {"agent": 1, "status": 2}', KEYS).broken is None
    assert Scan('code {"x": 1, ', KEYS).broken is None


def test_patterns_for_faulty_pythons_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert json_scan.__file__ is not None
    spec = importlib.util.spec_from_file_location("json_scan_of_3_11_2", json_scan.__file__)
    assert spec is not None
    assert spec.loader is not None
    older = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, older)
    monkeypatch.setattr(sys, "version_info", (3, 11, 2))
    spec.loader.exec_module(older)
    monkeypatch.undo()
    assert "*+" not in older._MEMBER.pattern
    tail = '"agent": "roy", "status": "x\\n\\u00e9\\""}'
    for value in ("[null]", "[1, 2]", "[-0.5e+3, []]", '"\\\\"', '["a", "\\u12"]', "[1,, 2]", "[nul]", "[01]", '"\\'):
        text = f'{{"x": {value}, {tail}'
        quoted = json.dumps("Done: " + text)
        for one in (text, quoted, text[:-1]):
            assert [found.text for found in older.Scan(one, KEYS).last_first()] == found(one)


@pytest.mark.parametrize("count", [998, 999, 1000, 1001, 5000])
def test_a_long_array_is_read_to_its_end(count: int) -> None:
    text = json.dumps({"agent": list(range(count)), "status": [*["x"] * count, {}]})
    assert found(text) == [text]
    assert found(text.replace("]", ",]", 1)) == []


def test_depth_is_no_danger() -> None:
    good = '{"agent": 1, "status": 2}'
    for opening in ("[", '{"a":', '{"a":[', '{"agent":1,"status":'):
        assert good in found(opening * 50_000 + good)
    assert found('{"a":' * 50_000 + good + "}" * 50_000) == [good]
    deep = '{"agent": 1, "status": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}"
    assert found(deep + good) == [good]
    shallow = '{"agent": 1, "status": ' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}"
    assert found(shallow) == [shallow]


@pytest.mark.parametrize(
    "piece",
    [
        '{"', '{"a":', '{"a":"', '{\\"', "{ \n", '{"agent":"x","status":"', "[[{", "\\\\", '{"a" {"b" ', '"{"',
        '{"a":1,"', '{"a":"{\\"', "{\\\\\\",
    ],
)  # fmt: skip
def test_time_grows_with_the_length_and_not_with_its_square(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        begin = time.process_time()
        found(text)
        return time.process_time() - begin

    seconds(20_000)
    # A quadratic search takes 64 times as long for 8 times the text; half of that is far from linear growth and noise.
    assert seconds(1_600_000) < 32 * max(seconds(200_000), 0.01)
