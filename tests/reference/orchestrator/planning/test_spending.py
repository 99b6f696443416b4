"""Budgets, conservation mode, what starts. [O6] [O7] [O8] [O9]"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.planning.budget import Entry, Usage
from pytest_agog.reference.orchestrator.planning.config import BudgetConfig
from pytest_agog.reference.orchestrator.planning.conservation import Conservation, conservation
from pytest_agog.reference.orchestrator.planning.plan import Planned
from pytest_agog.reference.orchestrator.planning.selecting import Capacity, Selection, select
from tests.reference.orchestrator.planning.making import UNHURRIED, files, need, planned, roadmaps

NOON = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
BUDGET = BudgetConfig()
SAVING = Conservation(("80 % is spent",), ("budget",))


def spent(agent: str, tokens: int, at: datetime = NOON) -> Entry:
    return Entry(at, agent, tokens, "reported")


def ready(*stated: Stated) -> list[Planned]:
    return list(planned(*stated).items.values())


def chosen(
    items: list[Planned], *entries: Entry, running: list[Planned] | None = None, saving: Conservation | None = None,
    budget: BudgetConfig = BUDGET, most: int = 3,
) -> Selection:  # fmt: skip
    depths = Counter(item.agent for item in items if item.agent is not None)
    return select(items, running or [], Capacity(budget, Usage(entries), saving, depths, most))


def started(selection: Selection) -> list[str]:
    return [one.id for one in selection.start]


def features(count: int, title: str = "An API", **given: object) -> list[Planned]:
    return ready(*(need(f"REQ-{at}", title, files=(f"src/api/{at}.ts",), **given) for at in range(count)))


# --- budget and conservation mode
def test_the_budget_is_the_seeds() -> None:
    assert BUDGET.daily == 1_000_000
    assert BUDGET.shares == {
        "roy": 300_000, "jen": 300_000, "database": 100_000, "documentation": 50_000, "review": 150_000,
        "release": 50_000, "orchestrator": 50_000,
    }  # fmt: skip
    assert BudgetConfig.model_validate({"shares": {"roy": 7}}).shares == {**BUDGET.shares, "roy": 7}
    assert BudgetConfig.model_validate({"night": [23, 5], "conserve_at": "70%"}).night == (23, 5)


@pytest.mark.parametrize(
    "wrong", [{"daily": 0}, {"shares": {"roy": -1}}, {"night": [22, 24]}, {"spike": 1}, {"hourly": 5}]
)
def test_a_wrong_budget_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BudgetConfig.model_validate(wrong)


def test_usage_adds_up_what_is_reported_and_what_is_estimated() -> None:
    usage = Usage((spent("roy", 5), Entry(NOON, "roy", 3, "estimated"), spent("jen", 2)))
    assert (usage.total, usage.of("roy"), usage.of("vic")) == (10, 8, 0)


def test_a_quiet_day_saves_nothing() -> None:
    assert conservation(Usage(), BUDGET, NOON) is None
    assert conservation(Usage((spent("roy", 300_000, NOON - timedelta(hours=1)),)), BUDGET, NOON) is None


@pytest.mark.parametrize(("tokens", "saves"), [(799_999, False), (800_000, True)])
def test_it_saves_at_four_fifths_of_the_days_budget(tokens: int, saves: bool) -> None:
    used = Usage((spent("somebody", tokens),))
    found = conservation(used, BUDGET, NOON)
    assert (found is not None and found.triggers == ("budget",)) is saves


@pytest.mark.parametrize(("agent", "share"), BUDGET.shares.items())
def test_it_saves_when_an_agent_is_over_its_share(agent: str, share: int) -> None:
    assert conservation(Usage((spent(agent, share),)), BUDGET, NOON) is None
    found = conservation(Usage((spent(agent, share + 1),)), BUDGET, NOON)
    assert found is not None
    assert found.triggers == ("agent",)
    assert agent in found.reasons[0]


@pytest.mark.parametrize(("tokens", "saves"), [(30_000, False), (30_001, True)])
def test_an_hour_above_three_times_the_mean_so_far_is_a_spike(tokens: int, saves: bool) -> None:
    before = [spent("roy", 10_000, NOON - timedelta(hours=hours)) for hours in (1, 2, 4)]
    found = conservation(Usage((*before, spent("jen", tokens))), BUDGET, NOON)
    assert (found is not None and found.triggers == ("spike",)) is saves
    yesterday = [spent("roy", 10, NOON - timedelta(days=1))]
    assert conservation(Usage((*yesterday, spent("jen", tokens))), BUDGET, NOON) is None


@pytest.mark.parametrize(
    ("clock", "saves"),
    [("21:59", False), ("22:00", True), ("23:59", True), ("00:00", True), ("05:59", True), ("06:00", False)],
)  # fmt: skip
def test_it_saves_at_night(clock: str, saves: bool) -> None:
    now = datetime.fromisoformat(f"2026-03-02T{clock}:00+00:00")
    assert (conservation(Usage(), BUDGET, now) is not None) is saves
    assert conservation(Usage(), BudgetConfig(night=(6, 6)), now) is None


# --- the four scenarios of the seed
def test_five_independent_backend_features_are_one_roys() -> None:
    five = chosen(features(5))
    assert started(five) == ["REQ-0"]
    assert [identity for identity, _ in five.held] == ["REQ-1", "REQ-2", "REQ-3", "REQ-4"]


def test_backend_and_frontend_run_together() -> None:
    both = ready(need("REQ-1", "Order API"), need("REQ-2", "Supplier page"))
    assert started(chosen(both)) == ["REQ-1", "REQ-2"]


def test_three_independent_frontend_features_are_one_jens() -> None:
    three = ready(*(need(f"REQ-{at}", "A page", files=(f"src/pages/{at}.tsx",)) for at in range(3)))
    assert started(chosen(three)) == ["REQ-0"]


def test_of_a_dependent_chain_only_the_first_starts() -> None:
    chain = ready(
        need("REQ-1", "Lots migration"), need("REQ-2", "Lots API", dependencies=("REQ-1",)),
        need("REQ-3", "Lots page", dependencies=("REQ-2",)),
    )  # fmt: skip
    assert started(chosen(chain)) == ["REQ-1"]
    assert dict(chosen(chain).held)["REQ-2"] == "needs REQ-1, not complete yet"
    assert started(chosen(chain[1:2], running=chain[:1])) == []


# --- further instances
@pytest.mark.parametrize(("queue", "starts"), [(5, 1), (6, 2), (7, 3), (20, 3)])
def test_a_queue_above_five_starts_further_instances(queue: int, starts: int) -> None:
    assert len(chosen(features(queue)).start) == starts


def test_no_further_instance_in_conservation_mode_near_the_limit_or_above_the_most() -> None:
    many = features(10, estimated_tokens=10_000)
    assert len(chosen(many, saving=SAVING).start) == 1
    assert len(chosen(many, spent("roy", 230_000)).start) == 1
    assert len(chosen(many, most=1).start) == 1
    alike = ready(*(need(f"REQ-{at}", files=files("same")) for at in range(10)))
    assert len(chosen(alike).start) == 1


# --- conflicts and budget
def test_what_conflicts_with_what_runs_waits() -> None:
    one, two = ready(
        need("REQ-1", "Order API", files=files("x")), need("REQ-2", "A form", agent="jen", files=files("x"))
    )
    assert started(chosen([one, two])) == ["REQ-1"]
    assert dict(chosen([one], running=[two]).held)["REQ-1"].startswith("conflicts with REQ-2: they share 100%")


def test_the_most_urgent_starts_first_then_the_smaller_id() -> None:
    items = ready(need("REQ-10"), need("REQ-9"), need("REQ-11", priority="CRITICAL"))
    assert started(chosen(items)) == ["REQ-11"]
    assert started(chosen(items[:2])) == ["REQ-9"]


def test_a_share_is_never_exceeded_and_smaller_work_goes_on() -> None:
    items = ready(need("REQ-1", estimated_tokens=100_000, priority="HIGH"), need("REQ-2", estimated_tokens=20_000))
    left = chosen(items, spent("roy", 270_000))
    assert started(left) == ["REQ-2"]
    assert "more than roy has left today (30,000 of 300,000)" in left.held[0][1]
    day = chosen(items, spent("nobody", 950_000))
    assert started(day) == ["REQ-2"]
    assert "more than the day has left" in day.held[0][1]
    assert "split it" in chosen(ready(need("REQ-1", estimated_tokens=150_001))).held[0][1]


@UNHURRIED
@given(roadmaps(), st.integers(0, 1_100_000), st.sampled_from(("roy", "jen", "zoe")), st.booleans())
def test_no_budget_is_exceeded_and_nothing_that_runs_meets(
    stated: tuple[Stated, ...], tokens: int, agent: str, saves: bool
) -> None:
    plan = planned(*stated)
    items = [plan.items[identity] for identity in (plan.waves[0] if plan.waves else ())]
    running, candidates = items[:2], items[2:]
    found = chosen(candidates, spent(agent, tokens), running=running, saving=SAVING if saves else None)
    assert {*started(found), *(identity for identity, _ in found.held)} == {item.id for item in candidates}
    beside = [*running, *(plan.items[identity] for identity in started(found))]
    total = tokens + sum(item.estimated_tokens for item in beside)
    assert not found.start or total <= BUDGET.daily
    for one in started(found):
        name = plan.items[one].agent
        cost = sum(item.estimated_tokens for item in beside if item.agent == name) + tokens * (name == agent)
        assert cost <= BUDGET.share(name)
        for other in beside:
            shared = set(plan.items[one].stated.files) & set(other.stated.files)
            sizes = len(plan.items[one].stated.files), len(other.stated.files)
            assert other.id == one or 5 * len(shared) <= min(sizes)


# --- what conservation mode does
def test_conservation_mode_defers_documentation_and_gathers_low_priority() -> None:
    items = ready(
        need("REQ-1", "Write the user guide", priority="MEDIUM"), need("REQ-2", "A page", priority="LOW"),
        need("REQ-3", "A migration"),
    )  # fmt: skip
    assert started(chosen(items)) == ["REQ-1", "REQ-3", "REQ-2"]
    saving = chosen(items, saving=SAVING)
    assert started(saving) == ["REQ-3"]
    assert dict(saving.held)["REQ-1"] == "documentation is deferred in conservation mode"
    assert dict(saving.held)["REQ-2"] == "low priority is gathered until conservation mode ends"


def test_conservation_mode_gives_simple_tasks_a_cheaper_model() -> None:
    simple, hard = ready(need("REQ-1", effort="S")), ready(need("REQ-1", effort="M"))
    assert [one.model for one in chosen(simple, saving=SAVING).start] == ["haiku"]
    assert [one.model for one in chosen(hard, saving=SAVING).start] == [None]
    assert [one.model for one in chosen(simple).start] == [None]


def test_conservation_mode_starts_less_but_never_holds_up_critical_work() -> None:
    items = ready(
        need("REQ-1", "Order API"), need("REQ-2", "Supplier page"), need("REQ-3", "Migration"),
        need("REQ-4", "Review", agent="review", priority="CRITICAL"),
    )  # fmt: skip
    assert len(chosen(items).start) == 4
    assert started(chosen(items, saving=SAVING)) == ["REQ-4", "REQ-1"]
    assert started(chosen(items[3:], running=items[:3], saving=SAVING)) == ["REQ-4"]
