from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.memory.aging import Ageing, Header, plan
from pytest_agog.reference.orchestrator.memory.layers import LAYERS, ROUTED, Layer, Limits
from pytest_agog.reference.orchestrator.memory.memory import Memory
from pytest_agog.reference.orchestrator.memory.model import Aged, Remembered
from pytest_agog.reference.orchestrator.memory.summaries import MOST_NAMES, summary
from tests.reference.orchestrator.memory.ollama import Ollama

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LIMITS = Limits()
SMALL = Limits(capacity=dict.fromkeys(LAYERS, 2))


def header(number: int, layer: Layer, minutes: float, kind: str = "n", *, pinned: bool = False) -> Header:
    return Header(number, layer, kind, NOW - timedelta(minutes=minutes), pinned)


@pytest.mark.parametrize(
    ("minutes", "kind", "goes"),
    [(30, "n", False), (30.1, "n", True), (30.1, ROUTED, False), (60, ROUTED, False), (60.1, ROUTED, True)],
)
def test_what_is_recent_is_of_the_last_cycle_and_routing_of_the_last_hour(
    minutes: float, kind: str, goes: bool
) -> None:  # fmt: skip
    assert plan([header(1, "recent", minutes, kind)], NOW, LIMITS).moves == ({"medium_term": (1,)} if goes else {})


def test_a_longer_cycle_keeps_all_longer() -> None:
    limits = Limits(cycle=timedelta(hours=2))
    assert not plan([header(1, "recent", 119), header(2, "recent", 119, ROUTED)], NOW, limits)


def test_what_is_no_longer_current_is_summed_up_by_kind_and_day() -> None:
    day = 24 * 60
    found = plan(
        [header(1, "medium_term", day + 1), header(2, "recent", day + 2), header(3, "medium_term", day + 3, "other"),
         header(4, "medium_term", 2 * day + 1), header(5, "medium_term", day)], NOW, LIMITS,
    )  # fmt: skip
    assert found.summaries == {
        ("n", date(2026, 3, 3)): (1, 2), ("other", date(2026, 3, 3)): (3,), ("n", date(2026, 3, 2)): (4,),
    }  # fmt: skip
    assert not found.moves
    assert not found.drops


def test_core_long_term_and_compost_do_not_age() -> None:
    old = 1e6
    assert plan(
        [header(1, "core", old), header(2, "long_term", old), header(3, "compost", old)], NOW, LIMITS
    ) == Ageing({}, {}, ())


def test_full_layers_let_go_of_their_oldest() -> None:
    found = plan([header(10 + number, "recent", number) for number in range(3)], NOW, SMALL)
    assert found.moves == {"medium_term": (12,)}
    found = plan([header(20 + number, "medium_term", number) for number in range(4)], NOW, SMALL)
    assert found.summaries == {("n", NOW.date()): (22, 23)}
    found = plan([header(30 + number, "core", number) for number in range(3)], NOW, SMALL)
    assert found.moves == {"long_term": (32,)}
    for layer in ("long_term", "compost"):
        assert plan([header(40 + number, layer, number) for number in range(3)], NOW, SMALL).drops == (42,)


def test_what_is_pinned_stays() -> None:
    pinned = [header(number, layer, 1e6, pinned=True) for number, layer in enumerate(LAYERS * 3)]
    assert not plan(pinned, NOW, SMALL)


HEADERS = st.lists(
    st.builds(header, st.integers(1, 10**6), st.sampled_from(LAYERS), st.floats(-10, 5000), st.sampled_from("ab")),
    unique_by=lambda one: one.id, max_size=40,
)  # fmt: skip


@given(HEADERS, st.randoms(use_true_random=False))
def test_all_is_bounded_and_nothing_is_treated_twice(headers: list[Header], order: random.Random) -> None:
    found = plan(headers, NOW, SMALL)
    shuffled = list(headers)
    order.shuffle(shuffled)
    assert plan(shuffled, NOW, SMALL) == found
    treated = [*found.drops, *(n for ids in found.moves.values() for n in ids),
               *(n for ids in found.summaries.values() for n in ids)]  # fmt: skip
    assert len(treated) == len(set(treated))
    place = {one.id: one.layer for one in headers if one.id not in treated}
    place.update({number: layer for layer, ids in found.moves.items() for number in ids})
    assert all(count <= 2 for count in Counter(place.values()).values())


def memory_of(number: int, minutes: int = 0, body: str = "done", **data: Any) -> Remembered:
    happened = NOW + timedelta(minutes=minutes)
    return Remembered(number, "roy", "medium_term", "completed", str(number), body, ("t",), data, False, happened)


def test_a_summary_counts() -> None:
    first = summary("completed", NOW.date(), [
        memory_of(2, 5, "REQ-2 is complete", lane="backend", tokens=3000, requirement="REQ-2"),
        memory_of(1, 1, "REQ-1 is complete", lane="frontend", tokens=1000, requirement="REQ-1"),
    ])  # fmt: skip
    assert first.text == (
        "2026-03-04, completed: 2 (backend 1, frontend 1), 4000 tokens, 2000 each; REQ-1, REQ-2. "
        "Last: REQ-2 is complete"
    )
    second = summary("completed", NOW.date(), [memory_of(3, 9, lane="backend", tokens=2000)], first.data)
    assert second.data == {
        "count": 3, "tokens": 6000, "lanes": {"backend": 2, "frontend": 1}, "requirements": ["REQ-1", "REQ-2"]
    }  # fmt: skip
    assert (second.layer, second.source, second.tags) == ("long_term", first.source, ("t",))
    assert second.happened == NOW + timedelta(minutes=9)


def test_a_summary_is_bounded_and_survives_odd_data() -> None:
    many = [memory_of(n, n, "x" * 10_000, requirement=f"REQ-{n}", lane=f"lane{n}", tokens="many") for n in range(500)]
    found = summary("completed", NOW.date(), many, {"count": "no", "lanes": [1], "requirements": 7, "tokens": -1})
    assert len(found.text) < 2000
    assert found.data["count"] == 500
    assert found.data["requirements"] == [f"REQ-{n}" for n in range(500 - MOST_NAMES, 500)]


async def fill(memory: Memory, count: int, days: int = 2) -> None:
    for number in range(count):
        await memory.remember(
            "roy", "recent", f"REQ-{number} completed", kind="completed", source=f"REQ-{number}",
            data={"lane": "backend", "tokens": 100, "requirement": f"REQ-{number}"},
            happened=NOW - timedelta(days=days),
        )  # fmt: skip


async def test_memories_age_step_by_step(memory: Memory) -> None:
    await memory.remember("roy", "recent", "REQ-1 routed", kind=ROUTED, source="REQ-1", happened=NOW)
    assert await memory.age(NOW) == Aged()
    assert await memory.age(NOW + timedelta(minutes=61)) == Aged(moved=1)
    assert (await memory.briefing("roy")).counts["medium_term"] == 1
    assert await memory.age(NOW + timedelta(days=1, minutes=1)) == Aged(summed_up=1)
    briefing = await memory.briefing("roy")
    assert briefing.counts == {"core": 0, "long_term": 1, "medium_term": 0, "recent": 0, "compost": 0}
    assert briefing.newest["long_term"][0].text == "2026-03-04, routed: 1. Last: REQ-1 routed"
    assert await memory.age(NOW + timedelta(days=400)) == Aged()
    assert (await memory.briefing("orchestrator")).counts["core"] == 3


async def test_several_age_at_once_and_count_once(dsn: str) -> None:
    memories = [Memory(dsn) for _ in range(3)]
    await fill(memories[0], 30)
    done = await asyncio.gather(*(memory.age(NOW) for memory in memories))
    assert sum(one.summed_up for one in done) == 30
    await memories[1].remember("roy", "medium_term", "late", kind="completed", source="late",
                               data={"tokens": 500}, happened=NOW - timedelta(days=2))  # fmt: skip
    await memories[2].age(NOW, "roy")
    (found,) = (await memories[0].briefing("roy")).newest["long_term"]
    assert (found.data["count"], found.data["tokens"], found.data["lanes"]) == (31, 3500, {"backend": 30})
    for memory in memories:
        await memory.close()


async def test_a_summary_that_grew_is_embedded_anew(dsn: str, ollama: Ollama) -> None:
    async with Memory(dsn, ollama.config()) as memory:
        await fill(memory, 2)
        await memory.age(NOW)
        await memory.remember("roy", "recent", "automobile", kind="completed", source="late",
                              happened=NOW - timedelta(days=2) + timedelta(seconds=1))  # fmt: skip
        await memory.age(NOW)
        asked = [one for one in ollama.asked if "completed: " in one]
        assert [one.partition(", completed: ")[2][:1] for one in asked] == ["2", "3"]
        (kept,) = (await memory.briefing("roy")).newest["long_term"]
        assert kept.text.endswith("Last: automobile")
        (found,) = await memory.recall("roy", kept.text)
        assert found.closeness == pytest.approx(1.0)


async def test_layers_are_bounded_in_the_database(dsn: str) -> None:
    async with Memory(dsn, limits=SMALL) as memory:
        for layer in LAYERS:
            for number in range(4):
                await memory.remember("roy", layer, f"{layer} {number}", kind=layer, source=str(number), happened=NOW)
        await memory.age(NOW)
        await memory.age(NOW)
        assert all(count <= 2 for count in (await memory.briefing("roy")).counts.values())
