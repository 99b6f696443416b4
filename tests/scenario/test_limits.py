"""Conditions that nothing can meet, and paths that lead nowhere."""

from __future__ import annotations

from typing import Any

import pytest

WHERE = "agog: 1\nname: s\nproof:\n  - {id: a, claim: b, check: message, with: {subject: results.>, where: {%s}}}\n"
COUNT = "agog: 1\nname: s\nproof:\n  - {id: a, claim: b, check: message, with: {subject: results.>, count: %s}}\n"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('»"": 1', "'' is no dotted path"),
        ("»a..b: 1", "'a..b' is no dotted path"),
        ("».a: 1", "'.a' is no dotted path"),
        ("»a.: 1", "'a.' is no dotted path"),
        ("»$headers: x", "'$headers' names no header"),
        ("»$headers.: x", "'$headers.' names no header"),
        ("»$header.X: x", "'$header.X' names no header"),
        ("»$Headers.X: x", "'$Headers.X' names no header"),
        ("a: {»equal: 1}", "unknown key 'equal'; did you mean 'equals'?"),
        ("a: {»Matches: x}", "unknown key 'Matches'; did you mean 'matches'?"),
        ("a: {»one-of: [x]}", "unknown key 'one-of'; did you mean 'one_of'?"),
        ("a: {»atleast: 3}", "unknown key 'atleast'; did you mean 'at_least'?"),
        ("a: »{exists: false, equals: 1}", "what does not exist has no value"),
        ("a: {one_of: »[]}", "nothing is one of an empty list"),
        ("a: {between: »[3, 1]}", "between takes the smaller number first"),
        ("a: {between: »[3]}", "expected 2 values, not 1"),
        ("a: »{at_least: 5, at_most: 3}", "no number is at least 5 and at most 3"),
        ("a: »{at_least: 5, between: [1, 3]}", "no number is at least 5 and at most 3"),
    ],
)
def test_a_condition_that_nothing_meets_is_wrong_at_its_place(desk: Any, condition: str, expected: str) -> None:
    assert desk.wrong_at(WHERE % condition) == [expected]


@pytest.mark.parametrize(
    "condition",
    [
        "$headers.Nats-Msg-Id: x",
        "$schema: x",
        "$headers.a.b: x",
        "deep.dotted.key.0: x",
        "a: {metadata: 1}",
        "a: {contact: 1}",
        "a: {x: 1, y: 2}",
        "a: {}",
        "a: {equals: {equal: 1}}",
        "a: {exists: true, at_least: 1, at_most: 1}",
        "a: {between: [1, 1]}",
        "a: {one_of: [null]}",
    ],
)
def test_a_condition_that_something_meets_is_taken(desk: Any, condition: str) -> None:
    assert desk.one(WHERE % condition)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        ("»{at_least: 5, at_most: 2}", "no number is at least 5 and at most 2"),
        ("»{equals: 3, at_most: 2}", "no number is at least 3 and at most 2"),
        ("»{between: [3, 1]}", "between takes the smaller number first"),
        ("{between: »[3]}", "expected 2 values, not 1"),
        ("»[1]", "expected a number, or limits such as {at_least: 3}, not a list"),
        ("{at_least: »" + "9" * 30 + "}", "a number is at most 1e+18"),
    ],
)
def test_a_number_that_cannot_be_is_wrong_at_its_place(desk: Any, count: str, expected: str) -> None:
    assert desk.wrong_at(COUNT % count) == [expected]


def test_limits_are_looked_at_in_steps_too(desk: Any) -> None:
    text = "agog: 1\nname: s\nsteps:\n  - wait: {until: {message: {subject: a, where: {»a..b: 1}}}}\n"
    assert desk.wrong_at(text) == ["'a..b' is no dotted path"]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ("{net_savings: »50}", "nothing saves more than 100%; write 50% for 50 hundredths"),
        ("{spawn_savings: »{at_least: 95}}", "nothing saves more than 100%; write 95% for 95 hundredths"),
        ("{net_savings: »{at_least: 60%, at_most: 50%}}", "no number is at least 0.6 and at most 0.5"),
        ("{spawn_savings: »true}", "expected a number, or limits such as {at_least: 3}, not true"),
    ],
)
def test_savings_that_cannot_be(desk: Any, claims: str, expected: str) -> None:
    assert desk.wrong_at(f"agog: 1\nname: s\ntokens: {claims}\n") == [expected]


def test_savings_may_be_negative_and_notices_large(desk: Any) -> None:
    assert desk.one("agog: 1\nname: s\ntokens: {net_savings: {at_least: -300%}, notice: {at_most: 200}}\n")
