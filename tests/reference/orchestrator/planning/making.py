"""Requirements for tests, and hypothesis strategies for roadmaps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from pytest_agog.reference.orchestrator.intake.stated import Stated, Taken
from pytest_agog.reference.orchestrator.planning.plan import Plan, make_plan

UNHURRIED = settings(deadline=None)
"""On a busy machine an example may take long."""
TITLES = (
    "Add an API endpoint for lots", "Show lots on a page", "Migration: a column for lots", "Write the user guide",
    "Fix production crash", "Breaking change of the lots service for release 2.0", "Think about prices",
    "Order search API", "Order search page", "Merge the branches",
)  # fmt: skip
FOLDERS = ("src/api", "src/services", "src/pages", "src/components", "src/db/migrations", "docs", "tests")


def need(identity: str, title: str = "Add an API endpoint", **given: Any) -> Stated:
    """One requirement."""
    return Stated(identity, title, given.pop("line", 1), **given)


def planned(*stated: Stated, **given: Any) -> Plan:
    """The plan of these requirements."""
    return make_plan(Taken(tuple(stated)), **given)


def files(*names: str) -> tuple[str, ...]:
    """Paths under src/api."""
    return tuple(f"src/api/{name}" for name in names)


def waves(*stated: Stated) -> list[set[str]]:
    """Their waves."""
    return [set(wave) for wave in planned(*stated).waves]


def rows(plan: Plan, ids: Iterable[str]) -> dict[str, Any]:
    """What the JSON says of these requirements."""
    wanted = set(ids)
    return {row["id"]: row for row in plan.to_json()["requirements"] if row["id"] in wanted}


@st.composite
def roadmaps(draw: st.DrawFn, *, most: int = 14) -> tuple[Stated, ...]:
    """Requirements of all kinds, with shared files, cycles and dependencies that nobody stated."""
    count = draw(st.integers(0, most))
    ids = [f"REQ-{number}" for number in range(count)]
    known = st.sampled_from([*ids, "REQ-NOBODY"]) if ids else st.nothing()
    path = st.builds("{}/{}.ts".format, st.sampled_from(FOLDERS), st.integers(0, 9))
    return tuple(
        Stated(
            identity,
            draw(st.sampled_from(TITLES)),
            line,
            state=draw(st.sampled_from(("PENDING", "PENDING", "PENDING", "IN_PROGRESS", "COMPLETE", "BLOCKED"))),
            agent=draw(st.sampled_from((None, None, "roy", "jen", "zoe"))),
            priority=draw(st.sampled_from((None, "CRITICAL", "HIGH", "MEDIUM", "LOW"))),
            dependencies=tuple(draw(st.lists(known, max_size=2, unique=True))),
            files=tuple(draw(st.lists(path, max_size=12, unique=True))),
            estimated_tokens=draw(st.sampled_from((None, 500, 40_000, 200_000))),
        )
        for line, identity in enumerate(ids, start=1)
    )
