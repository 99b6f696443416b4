"""How xdist spreads scenarios: all items of one run of a scenario go to one worker, other tests as they would."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling, LoadScopeScheduling


def scheduler(config: pytest.Config, log: Any) -> object | None:
    """The scheduler for `--dist`; None where xdist's own keeps the items of a file together anyway."""
    kind = {"load": ScenarioScheduling, "worksteal": ScenarioScheduling, "loadgroup": GroupScheduling}
    chosen = kind.get(config.getoption("dist"))
    return chosen(config, log) if chosen is not None else None


def _scope(nodeid: str) -> str | None:
    """File and matrix values; None for what is no item of a scenario."""
    path, separator, item = nodeid.partition("::")
    if not separator or path.endswith(".py"):
        return None
    _, bracket, suffix = item.partition("[")
    return f"{path}[{suffix}" if bracket else path


class _Surviving(LoadScopeScheduling):  # type: ignore[misc]
    """When a worker dies, xdist gives its finished work out again too, and waits for ever for whom gets only that."""

    def _assign_work_unit(self, node: Any) -> None:
        while self.workqueue:
            scope, unit = next(iter(self.workqueue.items()))
            if not all(unit.values()):
                super()._assign_work_unit(node)
                return
            del self.workqueue[scope]
        node.shutdown()


class ScenarioScheduling(_Surviving):
    """xdist's scheduling by scope: a run of a scenario is one, every other test is one of its own."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid) or nodeid


class GroupScheduling(_Surviving, LoadGroupScheduling):  # type: ignore[misc]
    """xdist's scheduling by group, with runs of scenarios as groups."""

    def _split_scope(self, nodeid: str) -> str:
        scope = _scope(nodeid)
        if scope is not None:
            return scope
        group: str = super()._split_scope(nodeid)
        return group
