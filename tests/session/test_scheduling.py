"""Which items xdist keeps together."""

from __future__ import annotations

import pytest

from pytest_agog.session.scheduling import GroupScheduling, ScenarioScheduling

IDS = {
    "plays/one.yaml::play": "plays/one.yaml",
    "plays/one.yaml::tokens.notice": "plays/one.yaml",
    "plays/one.yaml::play[small]": "plays/one.yaml[small]",
    "plays/one.yaml::seen[small-1]": "plays/one.yaml[small-1]",
    "data.bin::seen": "data.bin",
}


@pytest.mark.parametrize("kind", [ScenarioScheduling, GroupScheduling])
@pytest.mark.parametrize("nodeid", IDS)
def test_items_of_one_run_stay_together(kind: type[ScenarioScheduling] | type[GroupScheduling], nodeid: str) -> None:
    assert kind.__new__(kind)._split_scope(nodeid) == IDS[nodeid]


@pytest.mark.parametrize("nodeid", ["test_a.py::test_a", "test_a.py::Class::test_a[x.yaml::y]", "test_a.py"])
def test_python_tests_are_spread_one_by_one(nodeid: str) -> None:
    scheduling = ScenarioScheduling.__new__(ScenarioScheduling)
    assert scheduling._split_scope(nodeid) == nodeid


def test_groups_of_python_tests_stay_groups() -> None:
    scheduling = GroupScheduling.__new__(GroupScheduling)
    assert scheduling._split_scope("tests/test_a.py::test_a@mine") == "mine"
