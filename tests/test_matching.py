from __future__ import annotations

import importlib.util

import pytest

from pytest_agog import matching
from pytest_agog.errors import MatchTooSlow
from pytest_agog.matching import is_found


def test_there_is_an_engine_with_a_time_limit() -> None:
    assert importlib.util.find_spec("regex") is not None, "`regex` belongs to the dependencies"


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^nats://agog(\.[a-z-]+)+$", "nats://agog.deliverables.cynthia", True),
        (r"^nats://agog(\.[a-z-]+)+$", "nats://agog.Deliverables", False),
        (r"^(\d+\.)+\d+$", "1.22.333", True),
        (r"x$", "y" * 9_000_000 + "x", True),
        (r"(?i)REQ-\d{3}", "see req-042", True),
        ("a{2}", "aa", True),
        ("", "anything", True),
        (r"\(\*\)\*", "(*)*", True),
        (r"(\w+\s?)*!", "words and words!", True),
    ],
)
def test_what_is_found(pattern: str, text: str, found: bool) -> None:
    assert is_found(pattern, text) is found


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"^(\w+)*\1$", r"(x+x+)+y"])
def test_repeats_in_repeats_come_to_an_end(pattern: str) -> None:
    """Python's own engine would take 2 ** 60 steps."""
    assert not is_found(pattern, "a" * 60 + "!")
    assert not is_found(pattern, "x" * 60 + "!")


def test_no_search_goes_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "TIME_LIMIT", 0.2)
    with pytest.raises(MatchTooSlow, match=r"takes longer than 0\.2 s on a text of 20,000 characters"):
        is_found(r"a.*b.*c.*d.*e", "abcd" * 5_000)
