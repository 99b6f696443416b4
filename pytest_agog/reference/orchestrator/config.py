"""`agog.toml`: how orchestrator, listener, gate and memory of a project are set up, in one file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from pytest_agog.errors import BadInput
from pytest_agog.masking import mask
from pytest_agog.reference.orchestrator.engine.config import OrchestratorConfig
from pytest_agog.reference.orchestrator.gate.config import GateConfig
from pytest_agog.reference.orchestrator.listener.config import AgentConfig, ListenerConfig
from pytest_agog.reference.orchestrator.memory.config import MemoryConfig
from pytest_agog.reference.orchestrator.planning.config import BudgetConfig
from pytest_agog.values import Strict

NAME: Final = "agog.toml"
"""What the file is called in a project's root."""


class Config(Strict):
    """The whole file; every table may be absent."""

    orchestrator: OrchestratorConfig = OrchestratorConfig()
    """How work is decided about."""
    gate: GateConfig | None = None
    """What work has to pass. Without it only deliverables are looked at."""
    budget: BudgetConfig = BudgetConfig()
    """Tokens."""
    agents: dict[str, AgentConfig] = Field(default_factory=dict)
    """How agents are run."""
    listener: ListenerConfig = ListenerConfig()
    """The host listener."""
    memory: MemoryConfig = MemoryConfig()
    """What is remembered."""


def load(path: Path | None) -> Config:
    """The configuration in a file, TOML or the same as JSON; all defaults without one.

    Raises:
        BadInput: it cannot be read; `file: table.key: message`, the first fault.
    """
    if path is None:
        return Config()
    try:
        with path.open("rb") as file:
            return Config.model_validate(json.load(file) if path.suffix == ".json" else tomllib.load(file))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}. Give an {NAME}.") from None
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: no {'JSON' if path.suffix == '.json' else 'TOML'}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise BadInput(f"{path}: {where}: {mask(first['msg'])}") from None
