"""Typed words: durations, sizes, shares, bounds, patterns, and dotted paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pytest_agog import json_values, values
from pytest_agog.values import ABSENT, Bound, Pattern, look_up

BOUND = TypeAdapter(Bound)
PATTERN = TypeAdapter(Pattern)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("2s", 2), ("30m", 1800), ("1h30m", 5400), ("7d", 604_800), ("0.5s", 0.5), (0, 0), (" 2s ", 2)],
)
def test_durations(text: object, seconds: float) -> None:
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize("wrong", ["", "2", "s", "2 s", "-2s", "2x", 5, True, None, "2s3", [], "\uff11s"])
def test_wrong_durations(wrong: object) -> None:
    with pytest.raises(ValueError, match="500ms"):
        values.parse_duration(wrong)


@given(st.integers(1, 10**6), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_durations_that_are_written_can_be_read(number: int, unit: str) -> None:
    seconds = values.parse_duration(f"{number}{unit}")
    assert values.parse_duration(values.format_duration(seconds)) == pytest.approx(seconds, rel=0.01)


@pytest.mark.parametrize(
    ("text", "size"),
    [("10MB", 10**7), ("10 MB", 10**7), ("1GB", 10**9), ("5GiB", 5 * 2**30), ("128KiB", 131_072), ("1.5kB", 1500),
     ("7B", 7), ("7", 7), (7, 7), ("1KB", 1000), ("0.3B", 1)],
)  # fmt: skip
def test_sizes(text: object, size: int) -> None:
    assert values.parse_size(text) == size


@given(st.integers(0, 10**7))
def test_decimal_sizes_are_exact(tenths: int) -> None:
    assert values.parse_size(f"{tenths // 10}.{tenths % 10}kB") == tenths * 100


@pytest.mark.parametrize("wrong", ["", "MB", "-1", -1, True, 1.5, "1mb", "1 mB", None, "1e3"])
def test_wrong_sizes(wrong: object) -> None:
    with pytest.raises(ValueError, match="10MB"):
        values.parse_size(wrong)


def test_sizes_are_written_in_powers_of_ten() -> None:
    assert [values.format_size(size) for size in (700, 40_200, 12 * 10**6, 3 * 10**9)] == [
        "700 B",
        "40.2 kB",
        "12 MB",
        "3 GB",
    ]


@pytest.mark.parametrize(("text", "share"), [("95%", 0.95), (0.95, 0.95), ("-5%", -0.05), (1, 1.0), ("2.5 %", 0.025)])
def test_shares(text: object, share: float) -> None:
    assert values.parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("wrong", [95, "95", True, "%", None])
def test_wrong_shares(wrong: object) -> None:
    with pytest.raises(ValueError, match="95%"):
        values.parse_share(wrong)


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-50, 50))
def test_bounds_hold_within_their_limits(low: int, high: int, value: int) -> None:
    assert BOUND.validate_python(low).holds(value) == (value == low)
    assert BOUND.validate_python({"at_least": low}).holds(value) == (value >= low)
    assert BOUND.validate_python({"at_most": high}).holds(value) == (value <= high)
    if low <= high:
        assert BOUND.validate_python({"between": [low, high]}).holds(value) == (low <= value <= high)
    else:
        with pytest.raises(ValidationError, match="smaller number first"):
            BOUND.validate_python({"between": [low, high]})


def test_bounds_know_whether_they_can_fail() -> None:
    assert BOUND.validate_python({"at_least": 0}).cannot_fail
    assert not BOUND.validate_python({"at_least": 1}).cannot_fail
    assert not BOUND.validate_python({"at_least": 0, "at_most": 3}).cannot_fail
    assert BOUND.validate_python({"at_most": 3}).has_upper_limit
    assert not BOUND.validate_python({"at_least": 3}).has_upper_limit
    assert str(BOUND.validate_python({"at_least": "95%"})) == "at least 0.95"


@pytest.mark.parametrize("wrong", [{}, {"equals": None}, {"atleast": 3}, True, "many", [1]])
def test_wrong_bounds(wrong: object) -> None:
    with pytest.raises(ValidationError):
        BOUND.validate_python(wrong)


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        (1, 1.0, True), (1, True, False), (None, None, True), (None, ABSENT, False), ("a", "ab", False),
        ({"matches": "^a.c$"}, "abc", True), ({"matches": "4"}, 42, True), ({"matches": "true"}, True, True),
        ({"contains": "b"}, "abc", True), ({"contains": 1}, [1, 2], True), ({"contains": 1}, [True], False),
        ({"contains": "k"}, {"k": 1}, True), ({"contains": "k"}, ABSENT, False),
        ({"exists": True}, None, True), ({"exists": True}, ABSENT, False), ({"exists": False}, ABSENT, True),
        ({"one_of": [1, "a"]}, "a", True), ({"one_of": [1]}, True, False), ({"one_of": []}, None, False),
        ({"at_least": 3}, 3, True), ({"at_least": 3}, "3", False), ({"at_least": 0}, True, False),
        ({"between": [1, 2]}, 3, False), ({"at_least": 1, "at_most": 2}, 2, True),
        ({"x": 1}, {"x": 1.0}, True), ([1, {"a": 2}], [1, {"a": 2}], True),
        ({"equals": {"exists": True}}, {"exists": True}, True),
    ],
)  # fmt: skip
def test_patterns(pattern: object, value: object, fits: bool) -> None:
    assert PATTERN.validate_python(pattern).holds(value) is fits


@given(JSON_VALUES, JSON_VALUES)
def test_json_equality_is_an_equivalence(left: Any, right: Any) -> None:
    assert json_values.same_json(left, left)
    assert json_values.same_json(left, right) == json_values.same_json(right, left)


def test_a_wrong_expression_is_refused() -> None:
    with pytest.raises(ValidationError, match="regular expression"):
        PATTERN.validate_python({"matches": "("})


@pytest.mark.parametrize(
    ("path", "found"),
    [("", "whole"), ("a", {"b.c": 1, "list": [{"x": None}]}), ("a.b.c", 1), ("a.list.0.x", None), ("a.list.1", ABSENT),
     ("a.list.-1", ABSENT), ("a.list.x", ABSENT), ("a.b", ABSENT), ("z", ABSENT), ("a.list.0.x.y", ABSENT)],
)  # fmt: skip
def test_dotted_paths(path: str, found: object) -> None:
    document = {"a": {"b.c": 1, "list": [{"x": None}]}}
    expected = document if found == "whole" else found
    result = look_up(document, path)
    assert result is ABSENT if expected is ABSENT else result == expected
