"""Planning: 100,000 requirements, and how the time grows with their number. [O2]-[O6]

The verdict rests on the processor time of this process: what else the machine does is not ours.
"""

from __future__ import annotations

import gc
import random
import statistics
import time

from benchmarks.harness import Result, result
from pytest_agog.reference.orchestrator.intake.stated import Stated, Taken
from pytest_agog.reference.orchestrator.planning.plan import make_plan

MANY, FEW = 100_000, 10_000
GOAL, GROWTH = 5.0, 12.0
ROUNDS = 3
AS_LONG = 5
HOT = 20_000
_KINDS = (
    ("Add an API endpoint for {}", "src/api", "src/services"),
    ("Show {} on a page", "src/pages", "src/components"),
    ("Migration: a column for {}", "src/db/migrations", "src/db/migrations"),
    ("User guide: {}", "docs", "docs/howto"),
)
_THINGS = ("lots", "pallets", "recipes", "suppliers", "invoices", "scales", "labels", "routes", "shelves", "spices")


def run() -> list[Result]:
    """Both sizes in turns, as long at the one as at the other, so that what disturbs one disturbs the other too."""
    few, many = requirements(FEW), requirements(MANY)
    large, growths = [], []
    for _ in range(ROUNDS):
        before = [_seconds(few) for _ in range(AS_LONG)]
        large.append(_seconds(many))
        growths.append(large[-1] / statistics.fmean((*before, *(_seconds(few) for _ in range(AS_LONG)))))
    took, growth = min(large), statistics.median(growths)
    hot, cold = _seconds(hot_file(HOT)), _seconds(requirements(HOT))
    shape = "2 dependencies and 4 files each"
    return [
        result(f"{MANY:,} requirements planned, {shape}", took, "s", goal=f"< {GOAL:g} s", ok=took < GOAL),
        result(
            f"{MANY:,} against {FEW:,} requirements", growth, "x", goal=f"<= {GROWTH:g} x", ok=growth <= GROWTH,
            note="ten times as many; what is above ten grows faster than they do",
        ),
        result(
            f"{HOT:,} requirements that all share a file", hot, "s", peer=cold, goal="< 3 x the peer",
            ok=hot < 3 * cold, note="peer: as many that share little",
        ),
    ]  # fmt: skip


def _seconds(taken: Taken) -> float:
    gc.collect()
    started = time.process_time()
    plan = make_plan(taken)
    took = time.process_time() - started
    assert len(plan.items) == len(taken.requirements)
    assert sum(map(len, plan.waves)) + len(plan.human) >= len(plan.items) // 2
    return took


def requirements(count: int) -> Taken:
    """A roadmap of so many: four kinds of work, dependencies on earlier requirements, now and then a shared file."""
    chance = random.Random(count)
    found = []
    for number in range(count):
        title, first, second = _KINDS[number % len(_KINDS)]
        named = [f"{chance.choice((first, second))}/f{chance.randrange(count * 4)}.ts" for _ in range(4)]
        needs = {f"REQ-{chance.randrange(max(number - 500, 0), number)}" for _ in range(2)} if number else set()
        found.append(
            Stated(
                f"REQ-{number}", f"{title.format(chance.choice(_THINGS))} {number}", number + 1,
                dependencies=tuple(sorted(needs)), files=tuple(named),
            )
        )  # fmt: skip
    return Taken(tuple(found))


def hot_file(count: int) -> Taken:
    """As many that must all wait for each other: the worst case for waves."""
    return Taken(
        tuple(
            Stated(f"REQ-{number}", f"Endpoint {number}", number + 1,
                   files=("src/api/index.ts", *(f"src/api/{number}-{part}.ts" for part in range(3))))
            for number in range(count)
        )
    )  # fmt: skip
