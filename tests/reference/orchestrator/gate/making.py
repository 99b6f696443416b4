"""Settings and work for the gate's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_agog.reference.orchestrator.gate.config import GateConfig
from pytest_agog.reference.orchestrator.gate.work import GateWork

Code = Callable[..., dict[str, Any]]


def gate_of(*commands: dict[str, Any], **further: Any) -> GateConfig:
    """A gate's settings; nothing has to be proven unless `requires` says so."""
    return GateConfig.model_validate({"requires": [], "commands": list(commands), **further})


def some_work(**further: Any) -> GateWork:
    """Roy's work on one requirement."""
    return GateWork(
        **{"requirement": "REQ-1", "stage": "backend", "agent": "roy", "attempt": 1, "lane": "backend", **further}
    )
