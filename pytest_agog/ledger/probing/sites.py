"""Which HTTP service a path is asked of: the orchestrator has its own, everything else is the target's main one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

ORCHESTRATOR: Final = ("/orchestrator", "/api/orchestrator")


def is_of_orchestrator(path: str) -> bool:
    """Whether a path is one of the orchestrator's board."""
    bare = path.partition("?")[0].partition("#")[0]
    return any(bare == root or bare.startswith(f"{root}/") for root in ORCHESTRATOR)


@dataclass(frozen=True)
class Sites:
    """The HTTP services of a play."""

    main: str | None = None
    """Agent comms, else the orchestrator, else the monitoring of NATS."""
    orchestrator: str | None = None
    token: str | None = field(default=None, repr=False)
    """What they demand, where they do; it is shown to them only."""

    def url(self, path: str) -> str | None:
        """The whole URL of a path; None when no service answers for it."""
        base = self.orchestrator if self.orchestrator is not None and is_of_orchestrator(path) else self.main
        return None if base is None else urljoin(base.rstrip("/") + "/", path.lstrip("/"))
