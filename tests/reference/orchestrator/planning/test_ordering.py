"""Dependencies, cycles, features, waves, the critical path. [O5] [O6]"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.intake.stated import Stated, Taken
from pytest_agog.reference.orchestrator.planning.conflicts import overlap
from pytest_agog.reference.orchestrator.planning.lessons import Lessons
from pytest_agog.reference.orchestrator.planning.plan import make_plan
from tests.reference.orchestrator.planning.making import UNHURRIED, files, need, planned, roadmaps, waves


@UNHURRIED
@given(roadmaps())
def test_no_order_violates_a_dependency(stated: tuple[Stated, ...]) -> None:
    plan = planned(*stated)
    wave = {identity: at for at, some in enumerate(plan.waves) for identity in some}
    done = {one.id for one in stated if one.state == "COMPLETE"}
    for identity, at in wave.items():
        for needed in plan.items[identity].depends_on:
            assert needed in done or wave[needed] < at


@UNHURRIED
@given(roadmaps())
def test_no_pair_of_a_wave_overlaps_above_a_fifth(stated: tuple[Stated, ...]) -> None:
    plan = planned(*stated)
    for wave in plan.waves:
        for at, one in enumerate(wave):
            for other in wave[at + 1 :]:
                first, second = set(plan.items[one].stated.files), set(plan.items[other].stated.files)
                assert 5 * len(first & second) <= min(len(first), len(second))


@UNHURRIED
@given(roadmaps(), st.randoms(use_true_random=False))
def test_the_plan_does_not_depend_on_the_order_of_its_input(stated: tuple[Stated, ...], chance: object) -> None:
    shuffled = list(stated)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert make_plan(Taken(tuple(shuffled))) == make_plan(Taken(stated))


@UNHURRIED
@given(roadmaps())
def test_cycles_are_cycles_and_every_other_one_is_in_a_wave_or_told(stated: tuple[Stated, ...]) -> None:
    plan = planned(*stated)
    for cycle in plan.cycles:
        for identity, needed in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert needed in plan.items[identity].depends_on
    in_waves = [identity for wave in plan.waves for identity in wave]
    assert len(in_waves) == len(set(in_waves))
    told = {one.id for one in plan.missing} | {one.id for one in plan.human}
    told |= {identity for cycle in plan.cycles for identity in cycle}
    for identity, item in plan.items.items():
        left_out = identity not in in_waves
        reason = item.stated.state in ("COMPLETE", "BLOCKED") or identity in told
        assert left_out == (reason or any(needed not in in_waves for needed in item.blocked_by))


@UNHURRIED
@given(roadmaps())
def test_each_delayed_one_names_one_pair_that_really_conflicts(stated: tuple[Stated, ...]) -> None:
    plan = planned(*stated)
    wave = {identity: at for at, some in enumerate(plan.waves) for identity in some}
    delayed = [one.pair[1] for one in plan.serialised]
    assert len(delayed) == len(set(delayed))
    for one in plan.serialised:
        first, second = (plan.items[identity] for identity in one.pair)
        assert wave[first.id] < wave[second.id]
        breaks = first.touch.breaking or second.touch.breaking
        assert breaks or overlap(first.touch, second.touch) > 0.2


@UNHURRIED
@given(roadmaps())
def test_the_critical_path_is_the_dearest_chain(stated: tuple[Stated, ...]) -> None:
    plan = planned(*stated)
    in_waves = [identity for wave in plan.waves for identity in wave]
    cost: dict[str, int] = {}
    for identity in in_waves:
        item = plan.items[identity]
        cost[identity] = item.estimated_tokens + max((cost[one] for one in item.blocked_by), default=0)
    assert sum(plan.items[one].estimated_tokens for one in plan.critical_path) == max(cost.values(), default=0)
    for one, then in zip(plan.critical_path, plan.critical_path[1:], strict=False):
        assert one in plan.items[then].depends_on
    assert plan.prediction.hours == max(map(plan.prediction.finish, cost), default=0.0)


def test_a_cycle_is_reported_from_its_smallest_id_and_what_needs_it_is_held() -> None:
    plan = planned(
        need("REQ-10", dependencies=("REQ-2",)), need("REQ-2", dependencies=("REQ-9",)),
        need("REQ-9", dependencies=("REQ-10",)), need("REQ-11", dependencies=("REQ-9",)), need("REQ-12"),
    )  # fmt: skip
    assert plan.cycles == (("REQ-2", "REQ-9", "REQ-10"),)
    assert plan.waves == (("REQ-12",),)
    assert planned(need("REQ-1", dependencies=("REQ-1",))).cycles == (("REQ-1",),)


def test_every_member_of_a_knot_stands_in_a_cycle() -> None:
    plan = planned(
        need("REQ-1", dependencies=("REQ-2", "REQ-3")), need("REQ-2", dependencies=("REQ-1",)),
        need("REQ-3", dependencies=("REQ-4",)), need("REQ-4", dependencies=("REQ-1",)),
    )  # fmt: skip
    assert plan.cycles == (("REQ-1", "REQ-2"), ("REQ-1", "REQ-3", "REQ-4"))


def test_missing_dependencies_are_told_and_hold_what_needs_them() -> None:
    plan = planned(need("REQ-1", dependencies=("REQ-8", "REQ-9")), need("REQ-2", dependencies=("REQ-1",)))
    assert [(one.id, one.needs) for one in plan.missing] == [("REQ-1", "REQ-8"), ("REQ-1", "REQ-9")]
    assert plan.waves == ()
    settled = planned(need("REQ-1", dependencies=("REQ-8",)), settled={"REQ-8"})
    assert (settled.waves, settled.missing) == ((("REQ-1",),), ())
    assert settled.items["REQ-1"].blocked_by == ()


def test_a_file_name_alone_makes_no_feature() -> None:
    api, fix = (
        need("REQ-1", "Rate limit", files=("src/api/orders.ts",)),
        need("REQ-2", "Fix label colour", files=("src/components/Orders.tsx",)),
    )
    plan = planned(api, fix)
    assert (plan.waves, plan.items["REQ-2"].depends_on) == ((("REQ-2", "REQ-1"),), ())


def test_a_long_chain_is_no_deep_stack() -> None:
    chain = [need(f"REQ-{at}", dependencies=(f"REQ-{at + 1}",)) for at in range(3000)]
    assert len(planned(*chain[:-1], need("REQ-2999"), need("REQ-3000")).waves) == 3000
    assert len(planned(*chain, need("REQ-3000", dependencies=("REQ-0",))).cycles[0]) == 3001


@pytest.mark.parametrize(
    ("api", "page"),
    [
        (need("REQ-2", "Order search API"), need("REQ-1", "Build the order search page")),
        (need("REQ-2", "Add API endpoint for lot traceability"), need("REQ-1", "Traceability of lots: live view")),
        (need("REQ-2", "Backend of customer labels", agent="roy"), need("REQ-1", "Customer label form")),
        (need("REQ-2", "Tariffs of freight", files=("src/api/prices.ts",)),
         need("REQ-1", "Freight in euros", files=("src/pages/Price.tsx",))),
    ],
)  # fmt: skip
def test_the_backend_of_a_feature_comes_before_its_frontend(api: Stated, page: Stated) -> None:
    plan = planned(page, api)
    assert plan.waves == (("REQ-2",), ("REQ-1",))
    assert plan.items["REQ-1"].depends_on == ("REQ-2",)
    assert "needs REQ-2, the backend of its feature" in plan.items["REQ-1"].reasons


def test_backend_and_frontend_of_different_features_run_together() -> None:
    assert waves(need("REQ-1", "Order search API"), need("REQ-2", "Supplier rating page")) == [{"REQ-1", "REQ-2"}]
    assert waves(need("REQ-1", "Feature 1: an API"), need("REQ-2", "Feature 1: a page")) == [{"REQ-1", "REQ-2"}]


def test_a_theme_that_many_share_is_no_feature() -> None:
    many = [need(f"REQ-{at}", "Warehouse API") for at in range(20)]
    assert waves(*many, need("REQ-P", "Warehouse page")) == [{*(one.id for one in many), "REQ-P"}]


def test_a_stated_dependency_the_other_way_round_wins_over_the_guess() -> None:
    plan = planned(need("REQ-1", "Order search API", dependencies=("REQ-2",)), need("REQ-2", "Order search page"))
    assert (plan.waves, plan.cycles) == ((("REQ-2",), ("REQ-1",)), ())


def test_a_fifth_of_the_smaller_set_may_be_shared_and_more_may_not() -> None:
    shared = need("REQ-1", files=files("a", "b", "c", "d", "e", "f", "g"))
    assert waves(shared, need("REQ-2", files=files("a", "v", "w", "x", "y"))) == [{"REQ-1", "REQ-2"}]
    assert waves(shared, need("REQ-2", files=files("a", "w", "x", "y"))) == [{"REQ-1"}, {"REQ-2"}]
    assert waves(shared, need("REQ-2", files=files("a", "b", "x", "y", "z", "w"))) == [{"REQ-1"}, {"REQ-2"}]


def test_the_urgent_one_of_a_conflict_comes_first_and_the_pair_is_told() -> None:
    plan = planned(need("REQ-1", files=files("a")), need("REQ-2", files=files("a"), priority="CRITICAL"))
    assert plan.waves == (("REQ-2",), ("REQ-1",))
    assert [one.pair for one in plan.serialised] == [("REQ-2", "REQ-1")]
    assert "src/api/a" in plan.serialised[0].why


@pytest.mark.parametrize("folder", ["src/api/", "src/api/**", "./src/api/*", "src\\api\\"])
def test_a_folder_stands_for_all_that_is_in_it(folder: str) -> None:
    assert waves(need("REQ-1", files=(folder,)), need("REQ-2", files=files("deep/x"))) == [{"REQ-1"}, {"REQ-2"}]
    assert waves(need("REQ-1", files=(folder,)), need("REQ-2", files=("src/apis/x",))) == [{"REQ-1", "REQ-2"}]


def test_a_breaking_change_runs_beside_nothing_that_it_affects() -> None:
    breaking = need("REQ-1", "Breaking change of the lot labels API", files=files(*"abcdefghij"))
    one_of_ten = need("REQ-2", "Another API", files=files(*"jklmnopqrs"))
    named = need("REQ-3", "An API", text="Adapt to REQ-1.")
    same = need("REQ-4", "Migration of lot labels")
    apart = need("REQ-5", "An API", files=files("z"))
    assert waves(breaking, apart) == [{"REQ-1", "REQ-5"}]
    for affected in (one_of_ten, named, same):
        plan = planned(breaking, affected)
        assert len(plan.waves) == 2
        assert "breaking change" in plan.serialised[0].why


def test_what_met_in_a_conflict_before_does_not_run_together_again() -> None:
    both = (need("REQ-1", files=("src/api/lots/a.ts",)), need("REQ-2", files=("src/services/stock.ts",)))
    lessons = Lessons(conflicts=(("src/services/stock.ts", "src/api/lots/"),))
    assert len(planned(*both).waves) == 1
    plan = planned(*both, lessons=lessons)
    assert plan.waves == (("REQ-1",), ("REQ-2",))
    assert "in a conflict before" in plan.serialised[0].why
    beside = need("REQ-3", files=("src/api/lots/b.ts",))
    assert planned(both[0], beside, lessons=lessons).waves == (("REQ-1", "REQ-3"),)


def test_many_on_one_file_run_one_by_one() -> None:
    many = [need(f"REQ-{at}", files=(*files("hot"), f"src/api/{at}.ts")) for at in range(400)]
    plan = planned(*many)
    assert [wave for wave in plan.waves if len(wave) != 1] == []
    assert len(plan.serialised) == 399


def test_what_a_wave_leaves_out() -> None:
    plan = planned(
        need("REQ-1", state="BLOCKED"), need("REQ-2", dependencies=("REQ-1",)), need("REQ-3", "Nobody knows"),
        need("REQ-4", state="ESCALATED"), need("REQ-5", state="COMPLETE"), need("REQ-6", dependencies=("REQ-5",)),
        need("REQ-7", state="FAILED"), need("REQ-8", state="REJECTED"), need("REQ-9", state="IN_PROGRESS"),
    )  # fmt: skip
    assert [set(wave) for wave in plan.waves] == [{"REQ-6", "REQ-8", "REQ-9"}]
    assert [one.id for one in plan.human] == ["REQ-3", "REQ-4"]


def test_the_dependent_chain_of_the_seed() -> None:
    plan = planned(
        need("REQ-3", "Lots page", dependencies=("REQ-2",)), need("REQ-2", "Lots API", dependencies=("REQ-1",)),
        need("REQ-1", "Lots migration"),
    )  # fmt: skip
    assert plan.waves == (("REQ-1",), ("REQ-2",), ("REQ-3",))
    assert [plan.items[identity].agent for identity in plan.critical_path] == ["database", "roy", "jen"]
