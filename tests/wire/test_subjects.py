"""Subjects: what may stand in them, and which patterns fit."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.errors import BadInput, InvalidToken
from pytest_agog.wire import subjects

NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zs", "Zl", "Zp"), exclude_characters=".*>"),
    min_size=1,
    max_size=32,
)
SMALL_PATTERN = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=3).map(".".join)
PATTERNS = st.builds(
    lambda head, tail: ".".join(filter(None, [head, tail])), SMALL_PATTERN | st.just(""), st.sampled_from(["", ">"])
).filter(bool)
ALL_SUBJECTS = [".".join(parts) for length in range(1, 6) for parts in itertools.product("abc", repeat=length)]


def fits(pattern: str, subject: str) -> bool:
    """The same rule, written as a regular expression."""
    parts = [{"*": "[^.]+", ">": ".+"}.get(part, re.escape(part)) for part in pattern.split(".")]
    return re.fullmatch(r"\.".join(parts), subject) is not None


@given(PATTERNS, st.sampled_from(ALL_SUBJECTS))
def test_matches_is_what_a_regular_expression_says(pattern: str, subject: str) -> None:
    assert subjects.matches(pattern, subject) == fits(pattern, subject)


@given(PATTERNS, PATTERNS)
def test_patterns_overlap_exactly_when_some_subject_fits_both(left: str, right: str) -> None:
    expected = any(fits(left, subject) and fits(right, subject) for subject in ALL_SUBJECTS)
    assert subjects.overlap(left, right) == expected
    assert subjects.overlap(right, left) == expected


@given(NAMES)
def test_ordinary_names_are_tokens(name: str) -> None:
    if len(name.encode()) <= 128:
        assert subjects.token(name) == name
        assert subjects.is_valid(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"), ("a.b", "'.'"), ("a b", "white space"), ("a\tb", "white space"), ("a\u00a0b", "white space"),
        ("a*", "'*'"), (">", "'>'"), ("a\0", "control"), ("a\x7f", "control"), ("a\u202eb", "control"),
        ("x" * 129, "129 bytes"), ("é" * 65, "130 bytes"), ("\ud800", "Unicode"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_token_is_named(name: str, reason: str) -> None:
    with pytest.raises(InvalidToken, match=re.escape(reason)) as caught:
        subjects.token(name, "feature")
    assert str(caught.value).startswith("feature ")


@given(NAMES, NAMES, NAMES)
def test_deliverables_round_trip(agent: str, kind: str, feature: str) -> None:
    if max(len(name.encode()) for name in (agent, kind, feature)) > 128:
        return
    subject = subjects.deliverable(agent, kind, feature)
    assert subjects.parse_deliverable(subject) == (agent, kind, feature)
    assert subjects.parse_deliverable(subjects.to_url(subject)) == (agent, kind, feature)


@pytest.mark.parametrize(
    "subject",
    ["", "agog.deliverables.roy.backend", "agog.deliverables.roy.backend.a.b", "agog.deliverables.*.backend.a",
     "agog.deliverables..backend.a", "agog.features.devops.x", "http://agog.deliverables.roy.backend.a"],
)  # fmt: skip
def test_other_subjects_are_no_deliverables(subject: str) -> None:
    with pytest.raises(BadInput, match=r"AGENT\.TYPE\.FEATURE"):
        subjects.parse_deliverable(subject)


def test_a_url_begins_with_nats() -> None:
    assert subjects.from_url("nats://a.b") == "a.b"
    with pytest.raises(BadInput, match="nats://"):
        subjects.from_url("a.b")


@pytest.mark.parametrize(
    ("subject", "plain", "filtering"),
    [("a.b", True, True), ("a..b", False, False), ("", False, False), ("a b", False, False), ("a.*", False, True),
     ("a.>", False, True), (">.a", False, False), ("a.", False, False), ("a*b", True, True)],
)  # fmt: skip
def test_valid_subjects_and_filters(subject: str, plain: bool, filtering: bool) -> None:
    assert subjects.is_valid(subject) == plain
    assert subjects.is_valid(subject, wildcards=True) == filtering
