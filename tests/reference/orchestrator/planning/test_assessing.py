"""Priority and size. [O2] [O3]"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.planning.complexity import TYPICAL, size
from pytest_agog.reference.orchestrator.planning.lessons import Lessons
from tests.reference.orchestrator.planning.making import UNHURRIED, need, planned, roadmaps


def priority(title: str, **given: object) -> str:
    return planned(need("REQ-1", title, **given)).items["REQ-1"].priority


@pytest.mark.parametrize(
    "title",
    ["Production down: no orders", "Production is down", "Fix production crash in lot creation",
     "The API fails in production", "Data corruption in the lot service", "A job corrupts customer data",
     "Security vulnerability in login", "SQL injection in the search API", "Security: tokens in logs",
     "CVE-2026-1234 in the parser", "Close the security hole of the upload form"],
)  # fmt: skip
def test_critical(title: str) -> None:
    assert priority(title) == "CRITICAL"


@pytest.mark.parametrize(
    "title",
    ["User-facing bug in the export service", "Bug: the order form loses input", "Customers see a broken total",
     "Breaking change of the lots API for the release", "Breaking change needed for release 2.0 of the service"],
)  # fmt: skip
def test_high(title: str) -> None:
    assert priority(title) == "HIGH"


@pytest.mark.parametrize(
    "title",
    ["New feature: export API", "Enhancement of the search service", "Refactoring of the lot service",
     "A form for the down payment of a production order", "Production order down payment form",
     "Production line failure report dashboard", "Lost and found page: data lost and found",
     "Security deposit form", "Add security guard roster page", "Social security number field on a form",
     "Add a production plan page", "Security settings page", "An API to break down costs", "Count down to the event",
     "Add a non-breaking change to the API for release 2.0"],
)  # fmt: skip
def test_medium(title: str) -> None:
    assert priority(title) == "MEDIUM"


@pytest.mark.parametrize(
    "title",
    ["Update README with setup steps", "Write the user guide", "Code cleanup in the lot service",
     "Clean up the API", "Nice-to-have: a dark page", "Tidy the service"],
)  # fmt: skip
def test_low(title: str) -> None:
    assert priority(title) == "LOW"


@pytest.mark.parametrize("stated", ["CRITICAL", "HIGH", "MEDIUM", "LOW"])
@pytest.mark.parametrize("title", ["Production is down", "An API", "Update README"])
def test_a_stated_priority_wins(stated: str, title: str) -> None:
    assert priority(title, priority=stated) == stated


def test_blocking_others_raises_medium_to_high_and_nothing_else() -> None:
    follower = need("REQ-9", "An API for labels", dependencies=("REQ-1",))
    for title, expected in (("An API", "HIGH"), ("Update README", "LOW"), ("Production is down", "CRITICAL")):
        assert planned(need("REQ-1", title), follower).items["REQ-1"].priority == expected
    stated = planned(need("REQ-1", "An API", priority="MEDIUM"), follower)
    assert stated.items["REQ-1"].priority == "MEDIUM"


def test_what_is_complete_blocks_nobody_and_waits_for_nobody() -> None:
    done = need("REQ-9", "An API for labels", dependencies=("REQ-1",), state="COMPLETE")
    assert planned(need("REQ-1", "An API"), done).items["REQ-1"].priority == "MEDIUM"


@pytest.mark.parametrize(("effort", "tokens"), TYPICAL.items())
def test_a_stated_size_wins(effort: str, tokens: int) -> None:
    item = planned(need("REQ-1", "An API", effort=effort)).items["REQ-1"]
    assert (item.complexity, item.estimated_tokens) == (effort, tokens)
    assert size(tokens) == effort


def test_stated_tokens_win_and_lessons_do_not_change_them() -> None:
    lessons = Lessons(token_factors={"backend": 3.0})
    item = planned(need("REQ-1", "An API", estimated_tokens=40_000), lessons=lessons).items["REQ-1"]
    assert (item.complexity, item.estimated_tokens) == ("L", 40_000)


def test_lessons_change_estimates_of_their_lane() -> None:
    lessons = Lessons(token_factors={"backend": 2.0})
    both = (need("REQ-1", "An API", effort="M"), need("REQ-2", "A page"))
    before, after = planned(*both).items, planned(*both, lessons=lessons).items
    assert after["REQ-1"].estimated_tokens == 2 * before["REQ-1"].estimated_tokens
    assert after["REQ-2"] == before["REQ-2"]
    assert any("2.00 times" in reason for reason in after["REQ-1"].reasons)


@UNHURRIED
@given(st.lists(st.integers(0, 60), unique=True, max_size=40), st.integers(0, 60))
def test_more_files_never_cost_less(numbers: list[int], further: int) -> None:
    few = need("REQ-1", "An API", files=tuple(f"src/api/{number}.ts" for number in numbers))
    more = replace(few, files=(*few.files, f"src/api/more{further}.ts"))
    costs = [planned(one).items["REQ-1"].estimated_tokens for one in (few, more)]
    assert 0 < costs[0] <= costs[1]


@UNHURRIED
@given(roadmaps())
def test_every_decision_has_its_reasons(stated: tuple[Stated, ...]) -> None:
    for item in planned(*stated).items.values():
        assert len(item.reasons) >= 3
        assert all(item.reasons)
        assert (item.lane is None) == (item.agent is None)
