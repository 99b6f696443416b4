"""The plan as JSON, and that it is plain data. [O1]"""

from __future__ import annotations

import gc
import json

from hypothesis import given

from pytest_agog.reference.orchestrator.intake.stated import Stated, Taken, Unreadable
from pytest_agog.reference.orchestrator.planning.plan import make_plan
from tests.reference.orchestrator.planning.making import UNHURRIED, files, need, planned, roadmaps, rows

KEYS = {"requirements", "waves", "serialised", "critical_path", "cycles", "missing", "human", "unreadable"}
ROW = {
    "id", "lane", "agent", "priority", "complexity", "estimated_tokens", "depends_on", "blocked_by", "reasons",
}  # fmt: skip


@UNHURRIED
@given(roadmaps())
def test_its_shape(stated: tuple[Stated, ...]) -> None:
    shown = json.loads(json.dumps(planned(*stated).to_json()))
    assert set(shown) == KEYS
    assert [row["id"] for row in shown["requirements"]] == [one.id for one in stated]
    assert all(set(row) == ROW for row in shown["requirements"])


def test_one_of_everything() -> None:
    plan = make_plan(
        Taken(
            (
                need("REQ-1", "Order API", state="COMPLETE"),
                need("REQ-2", "Price API", dependencies=("REQ-1",), files=files("a"), priority="HIGH"),
                need("REQ-3", "Label API", dependencies=("REQ-2", "REQ-9"), files=files("a")),
                need("REQ-4", "Route API", files=files("a")),
                need("REQ-5", "Nobody knows"),
                need("REQ-6", dependencies=("REQ-6",)),
            ),
            (Unreadable(7, "no title", "r.md"),),
        )
    )
    shown = plan.to_json()
    assert rows(plan, ["REQ-3"])["REQ-3"]["blocked_by"] == ["REQ-2", "REQ-9"]
    assert rows(plan, ["REQ-2"])["REQ-2"] | {"estimated_tokens": 0, "reasons": []} == {
        "id": "REQ-2", "lane": "backend", "agent": "roy", "priority": "HIGH", "complexity": "S", "estimated_tokens": 0,
        "depends_on": ["REQ-1"], "blocked_by": [], "reasons": [],
    }  # fmt: skip
    assert shown["waves"] == [["REQ-2"], ["REQ-4"]]
    assert [one["pair"] for one in shown["serialised"]] == [["REQ-2", "REQ-4"]]
    assert shown["cycles"] == [["REQ-6"]]
    assert shown["missing"] == [{"id": "REQ-3", "needs": "REQ-9"}]
    assert [one["id"] for one in shown["human"]] == ["REQ-5"]
    assert shown["unreadable"] == [{"line": 7, "why": "r.md: no title"}]


def test_of_one_file_what_is_unreadable_does_not_repeat_its_name() -> None:
    stated = need("REQ-1", file="r.md")
    shown = make_plan(Taken((stated,), (Unreadable(7, "no title", "r.md"),))).to_json()
    assert shown["unreadable"] == [{"line": 7, "why": "no title"}]


def test_nothing_at_all() -> None:
    assert make_plan(Taken()).to_json() == {key: [] for key in KEYS}


def test_the_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    planned(need("REQ-1"))
    assert gc.isenabled()
