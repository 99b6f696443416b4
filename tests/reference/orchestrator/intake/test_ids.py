"""Unique ids."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.intake import ids
from pytest_agog.wire.orchestration import requirement_id


def test_a_stream_made_anew_gives_other_ids() -> None:
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    assert ids.of_message(old, 1) != ids.of_message(new, 1)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), unique=True, min_size=2, max_size=2))
def test_issues_of_two_repositories_never_share_an_id(names: list[tuple[str, str]]) -> None:
    first, second = (f"{owner}/{name}" for owner, name in names)
    if first.casefold() != second.casefold():
        assert ids.of_issue(1, first) != ids.of_issue(1, second)
        assert requirement_id(ids.of_issue(1, first))


def test_dashes_do_not_make_two_repositories_one() -> None:
    assert ids.of_issue(1, "a-b/c") != ids.of_issue(1, "a/b-c")


@given(st.lists(st.from_regex(r"REQ-([0-9]{1,9}|[A-Z]{1,3}-?[0-9]{0,3})", fullmatch=True)))
def test_a_number_is_never_given_twice(taken: list[str]) -> None:
    numbering = ids.Numbering(taken[: len(taken) // 2])
    for identity in taken[len(taken) // 2 :]:
        numbering.take(identity)
    given_ids = [numbering.next() for _ in range(5)]
    assert len({*given_ids, *taken}) == 5 + len(set(taken))


def test_numbers_begin_at_one_with_three_digits() -> None:
    numbering = ids.Numbering()
    assert [numbering.next(), numbering.next()] == ["REQ-001", "REQ-002"]
    assert not numbering.take("REQ-002")
