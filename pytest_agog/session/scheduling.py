"""How xdist spreads scenarios: all items of one run of a scenario go to one worker, other tests one by one."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling


class ScenarioScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's scheduling by scope, with the scenario's run as scope."""

    def _split_scope(self, nodeid: str) -> str:
        path, separator, item = nodeid.partition("::")
        if not separator or path.endswith(".py"):
            return nodeid
        _, bracket, suffix = item.partition("[")
        return f"{path}[{suffix}" if bracket else path
