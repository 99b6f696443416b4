"""How the host listener runs a scenario's agents: commands as they are, scripted ones as `scripted_agent.py`. [O10]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pytest_agog import tokens
from pytest_agog.play.agents import generate
from pytest_agog.scenario.linting.orchestrated import FURTHER_AGENTS
from pytest_agog.scenario.model import Agent, GeneratedReport
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.wire.streams import AGENT_TYPES

SCRIPT: Final = Path(__file__).with_name("scripted_agent.py")
_VERDICTS: Final = {"sylvia": {"critique_verdict": "APPROVED"}}
"""What scripted agents say unless the scenario says otherwise."""


def tables(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """By agent, its table `[agents.NAME]` of the settings; what scripted agents go by is written to `folder`.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = dict.fromkeys((*AGENT_TYPES, *FURTHER_AGENTS, *scenario.agents))
    return {name: _table(scenario, folder, name, scenario.agents.get(name) or Agent()) for name in names}


def _table(scenario: Scenario, folder: Path, name: str, agent: Agent) -> dict[str, Any]:
    if agent.run is not None and not (agent.fails or agent.hangs or agent.blocks or agent.rejects):
        command = list(agent.run)
    else:
        plan = folder / f"{name}.json"
        plan.write_text(json.dumps(_plan(scenario, folder, name, agent)))
        # Isolated and without site packages: it starts in a tenth of the time.
        command = ["python", "-I", "-S", str(SCRIPT), str(plan), *(agent.run or ())]
    return {"run": command, "timeout": f"{agent.timeout:g}s", "cwd": str(scenario.folder)}


def _plan(scenario: Scenario, folder: Path, name: str, agent: Agent) -> dict[str, Any]:
    def place(file: str) -> str:
        return str(scenario.files.get(file, scenario.folder / file))

    report: dict[str, str] = {}
    if isinstance(agent.report, GeneratedReport):
        wanted = agent.report.generate
        report = {"text": generate.report(wanted.tokens, wanted.seed, tokens.count)}
    elif agent.report is not None:
        report = {"path": place(agent.report)}
    return {
        "fails": agent.fails,
        "hangs": agent.hangs,
        "blocks": agent.blocks,
        "rejects": agent.rejects,
        "spawns": str(folder / f"{name}.spawns"),
        "report": report,
        "notice": {**_VERDICTS.get(name, {}), **agent.notice},
        "prints": None if agent.prints is None else place(agent.prints),
        "variables": {key: str(value) for key, value in scenario.variables.items()},
    }
