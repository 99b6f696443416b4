from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.intake.stated import Stated, Taken
from pytest_agog.reference.orchestrator.memory.happenings import (
    BuiltTooEarly,
    Conflicted,
    Happening,
    Rerouted,
    SpawnWasted,
    TokensSpent,
)
from pytest_agog.reference.orchestrator.memory.lessons import ENOUGH, LAST, LEAST, MOST, gather, learn, load_lessons
from pytest_agog.reference.orchestrator.memory.memory import Memory
from pytest_agog.reference.orchestrator.memory.model import Note, Remembered
from pytest_agog.reference.orchestrator.planning.lessons import Lessons
from pytest_agog.reference.orchestrator.planning.plan import make_plan

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
BLOWN = TokensSpent("REQ-1", "backend", 10_000, 30_000)


def learned(happening: Happening) -> Note:
    note = learn(happening, NOW)
    assert note is not None
    return note


def memories(*happenings: Happening) -> list[Remembered]:
    """As memory gives them: the newest first."""
    notes = [learned(happening) for happening in reversed(happenings)]
    return [
        Remembered(
            number, "orchestrator", note.layer, note.kind, note.source, note.text, note.tags, note.data, False, NOW
        )
        for number, note in enumerate(notes)
    ]


def pairs(**what: Any) -> Any:
    return learned(Conflicted("A", "B", **what)).data["pairs"]


# --- conflicts ------------------------------------------------------------------------------------------------------
def test_a_conflict_between_folders_keeps_them_apart() -> None:
    note = learned(
        Conflicted("B", "A", ("src/api/users.py", "src/api/v2/x.py"), ("src/web/form.ts",), ("package.json",))
    )
    assert (note.layer, note.kind, note.source, note.happened) == ("core", "conflict", "A:B", NOW)
    assert note.data == {"pairs": [["src/api", "src/web"]]}
    assert note.text == (
        "A and B were worked at side by side and met in a conflict in package.json. From now on one waits for the "
        "other: work in src/api and work in src/web."
    )


def test_a_conflict_in_one_folder_keeps_work_at_its_files_apart() -> None:
    assert pairs(one_paths=("src/api/a.py",), other_paths=("src/api/b.py",), files=("src/api/routes.py",)) == [
        ["src/api/routes.py", "src/api/routes.py"]
    ]
    assert pairs(one_paths=("src/api/a.py",), other_paths=("src/api/deep/b.py",), files=("./src//x.py",)) == [
        ["src/x.py", "src/x.py"]
    ]
    assert pairs(one_paths=("src/api/a.py",), other_paths=("src/api/b.py",)) == [["src/api", "src/api"]]


@pytest.mark.parametrize(
    "paths", [("src/a.py", "docs/b.md"), ("a.py",), ("src/a.py",), ("../../etc/passwd",), ("/",), (), (".",), ("src/",)]
)
def test_what_would_hold_up_everything_is_not_learned(paths: tuple[str, ...]) -> None:
    assert pairs(one_paths=paths, other_paths=("src/web/x.ts",)) == []
    assert pairs(one_paths=paths, other_paths=paths) == []


def test_a_requirement_has_no_conflict_with_itself() -> None:
    assert learn(Conflicted("A", "A")) is None


# --- tokens ---------------------------------------------------------------------------------------------------------
def test_a_blowout_is_a_core_memory() -> None:
    note = learned(BLOWN)
    assert (note.layer, note.kind, note.source) == ("core", "tokens", "REQ-1:backend:1")
    assert note.text.startswith("REQ-1 (backend) took 30000 tokens; 10000 were estimated, 3.0 times as many.")
    assert gather(memories(BLOWN)).token_factors == {"backend": 3.0}


def test_twice_the_estimate_is_no_blowout() -> None:
    assert learned(replace(BLOWN, actual=20_000)).layer == "long_term"
    assert learned(replace(BLOWN, actual=20_001)).layer == "core"


@pytest.mark.parametrize(("actual", "factor"), [(10**9, MOST), (80_001, MOST), (30_000, 3.0)])
def test_factors_are_bounded(actual: int, factor: float) -> None:
    assert gather(memories(replace(BLOWN, actual=actual))).token_factors == {"backend": factor}


def test_cheap_work_lowers_estimates_when_there_is_enough_of_it() -> None:
    cheap = [TokensSpent(f"REQ-{number}", "backend", 10_000, 1_000) for number in range(ENOUGH)]
    assert gather(memories(*cheap[:-1])).token_factors == {}
    assert gather(memories(*cheap)).token_factors == {"backend": LEAST}


def test_a_factor_that_was_applied_is_not_applied_twice() -> None:
    # The estimate of 10,000 became 30,000 by an earlier lesson, and was right.
    again = TokensSpent("REQ-2", "backend", 30_000, 30_000, factor=3.0)
    assert gather(memories(BLOWN, again)).token_factors == {"backend": 3.0}


def test_a_factor_is_the_mean_of_the_last_and_is_outgrown() -> None:
    well = [TokensSpent(f"REQ-{number}", "backend", 10_000, 10_000) for number in range(2, LAST + 2)]
    assert gather(memories(BLOWN, well[0])).token_factors == {"backend": 2.0}
    assert gather(memories(BLOWN, *well)).token_factors == {"backend": 1.0}
    assert gather(memories(BLOWN, replace(BLOWN, lane="frontend", actual=40_000))).token_factors == {
        "backend": 3.0, "frontend": 4.0,
    }  # fmt: skip


@pytest.mark.parametrize(("estimated", "actual", "lane"), [(0, 5, "a"), (5, 0, "a"), (-1, 5, "a"), (5, 50, "")])
def test_costs_that_tell_nothing(estimated: int, actual: int, lane: str) -> None:
    assert learn(TokensSpent("REQ-1", lane, estimated, actual)) is None


def test_speed_is_learned_from_work_that_took_time() -> None:
    slow = [TokensSpent(f"REQ-{n}", "backend", 10_000, 10_000, seconds=1200.0) for n in range(ENOUGH)]
    assert gather(memories(*slow)).tokens_per_hour == 30_000
    assert gather(memories(*slow[1:])).tokens_per_hour == Lessons().tokens_per_hour
    instant = [replace(one, seconds=0.001) for one in slow]
    assert gather(memories(*instant)).tokens_per_hour == Lessons().tokens_per_hour


# --- other lessons --------------------------------------------------------------------------------------------------
def test_wrong_routing_and_wasted_spawns_are_compost() -> None:
    routed = learned(Rerouted("REQ-1", "frontend", "backend", "all files are in src/api", "Orders"))
    assert (routed.layer, routed.text) == (
        "compost", "REQ-1 (Orders) went to frontend and belonged to backend: all files are in src/api.",
    )  # fmt: skip
    spawned = learned(SpawnWasted("REQ-1", "roy", 500_000, "five at once"))
    assert (spawned.layer, spawned.data["tokens"]) == ("compost", 500_000)
    assert learn(Rerouted("REQ-1", "backend", "backend")) is None
    assert learn(SpawnWasted("REQ-1", "roy", 0, "one")) is None


def test_a_frontend_before_its_api_is_a_core_memory() -> None:
    note = learned(BuiltTooEarly("REQ-UI", "REQ-API"))
    assert (note.layer, note.kind) == ("core", "order")
    assert "REQ-UI was built before REQ-API" in note.text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda one: st.lists(one, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["conflict", "tokens", "other"]), st.dictionaries(
    st.sampled_from(["pairs", "lane", "token_factor", "blown", "tokens", "seconds"]), JSON))  # fmt: skip
def test_damaged_memories_do_no_harm(kind: str, data: dict[str, Any]) -> None:
    damaged = Remembered(1, "orchestrator", "core", kind, "s", "t", (), data, False, NOW)
    found = gather([damaged] * 6)
    assert all(LEAST <= factor <= MOST for factor in found.token_factors.values())
    assert 1000 <= found.tokens_per_hour <= 1_000_000


# --- from memory to decisions ---------------------------------------------------------------------------------------
def stated(identity: str, *files: str) -> Stated:
    return Stated(id=identity, title=f"Service endpoint {identity}", line=1, files=files)


async def test_lessons_change_later_decisions(memory: Memory) -> None:
    work = Taken((stated("REQ-1", "src/api/a.py"), stated("REQ-2", "src/services/b.py")))
    before = make_plan(work, lessons=await load_lessons(memory))
    for happening in (BLOWN, Conflicted("X", "Y", ("src/api/x.py",), ("src/services/y.py",), ("package.json",))):
        await memory.keep("orchestrator", learned(happening))
    after = make_plan(work, lessons=await load_lessons(memory))
    first, second = before.items["REQ-1"], after.items["REQ-1"]
    assert second.estimated_tokens == pytest.approx(3 * first.estimated_tokens, rel=0.02)
    assert before.waves == (("REQ-1", "REQ-2"),)
    assert after.waves == (("REQ-1",), ("REQ-2",))


async def test_what_became_compost_no_longer_counts(memory: Memory) -> None:
    number = await memory.keep("orchestrator", learned(BLOWN))
    assert (await load_lessons(memory)).token_factors == {"backend": 3.0}
    await memory.compost(number, "the test was broken")
    assert await load_lessons(memory) == Lessons()


async def test_busy_lanes_do_not_hide_others(memory: Memory) -> None:
    await memory.keep("orchestrator", learned(replace(BLOWN, lane="database")))
    for number in range(LAST + 5):
        note = learn(TokensSpent(f"REQ-{number}", "backend", 10, 10), NOW + timedelta(minutes=number))
        assert note is not None
        await memory.keep("orchestrator", note)
    assert (await load_lessons(memory)).token_factors == {"backend": 1.0, "database": 3.0}
