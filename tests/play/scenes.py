"""Scenarios that tests write themselves, with files beside them, played on real servers."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from pytest_agog.ledger.facts import NoticeSeen, ProcessExited
from pytest_agog.play.play import PlayOptions, play
from pytest_agog.play.result import Judgement, PlayResult
from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.load import load
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.session.run import AgogRun

WORKER = '''
"""An agent: publishes its report with nats-py, and prints a notice."""
import asyncio, json, os, sys
import nats

TOLD = json.load(sys.stdin)
INPUTS = json.loads(os.environ["AGOG_INPUTS"])
SUBJECT = os.environ["AGOG_SUBJECT"]

def notice(**more):
    print(json.dumps({"agent": os.environ["AGOG_AGENT"], "req_number": os.environ["AGOG_FEATURE"],
                      "status": "COMPLETE", "deliverable": "nats://" + SUBJECT, "summary": "Done.", **more}))

def report(text="# Report\\n\\nDone.\\n"):
    return json.dumps({"content": text, "metadata": {"agent": os.environ["AGOG_AGENT"],
        "taskType": os.environ["AGOG_TASK"], "feature": os.environ["AGOG_FEATURE"],
        "timestamp": "2026-01-01T00:00:00Z"}}).encode()

async def main():
    client = await nats.connect(os.environ["NATS_URL"])
    js = client.jetstream()
    await work(client, js)
    await client.close()
'''
"""The beginning of a script; the test adds `async def work(client, js)`."""
MAIN = "\nasyncio.run(main())\n"


class Scene:
    """A folder with a scenario and what belongs to it."""

    def __init__(self, folder: Path, run: AgogRun) -> None:
        self.folder = folder
        self.run = run

    def file(self, name: str, content: str | bytes) -> Path:
        """Write a file beside the scenario."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
        return path

    def agent(self, name: str, work: str) -> list[str]:
        """Write an agent in Python whose `async def work(client, js)` has the given body; returns its command."""
        body = textwrap.indent(textwrap.dedent(work).strip(), "    ")
        self.file(name, f"{WORKER}\nasync def work(client, js):\n{body}\n{MAIN}")
        return ["python", name]

    def script(self, name: str, code: str) -> list[str]:
        """Write any script in Python; returns its command."""
        self.file(name, code)
        return ["python", name]

    def load(self, **parts: Any) -> Scenario:
        """The scenario with these parts: `steps`, `agents`, `proof`, `services` …"""
        path = self.folder / "scene.yaml"
        path.write_text(yaml.safe_dump({"agog": 1, "name": "scene", **parts}, sort_keys=False), encoding="utf-8")
        (scenario,) = load(path, vocabulary())
        return scenario

    def options(self, scenario: Scenario, **changes: Any) -> PlayOptions:
        """How the run plays, with changes."""
        (self.folder / "stage").mkdir(exist_ok=True)
        options = self.run.play_options(scenario, self.folder / "stage", None, changes.pop("progress", lambda _: None))
        stage = replace(options.stage, **changes.pop("stage", {}))
        return replace(options, stage=stage, **changes)

    async def play(self, **parts: Any) -> PlayResult:
        """Play the scenario with these parts, as the run would."""
        scenario = self.load(**parts)
        return await play(scenario, self.options(scenario))


def claim(check: str, identity: str = "it", /, within: str = "0s", holds_for: str = "0s", **arguments: Any) -> Any:
    """A proof entry."""
    return {
        "id": identity, "claim": f"It is {check}", "check": check, "with": arguments, "within": within,
        "holds_for": holds_for,
    }  # fmt: skip


def chain(*turns: tuple[str, str] | dict[str, Any], retries: int = 0, feature: str = "search") -> Any:
    """A chain step."""
    taken = [turn if isinstance(turn, dict) else {"agent": turn[0], "task": turn[1]} for turn in turns]
    return {"chain": {"feature": feature, "retries": retries, "turns": taken}}


def outcomes(result: PlayResult) -> dict[str, str]:
    """The outcome of each claim, by its id."""
    return {judgement.claim.id: judgement.verdict.outcome for judgement in result.judgements}


def of(result: PlayResult, identity: str = "it") -> Judgement:
    """The judgement of one claim."""
    return next(judgement for judgement in result.judgements if judgement.claim.id == identity)


def notices(result: PlayResult) -> list[NoticeSeen]:
    """What every spawn returned."""
    return [seen.fact for seen in result.ledger.of(NoticeSeen)]


def exits(result: PlayResult) -> list[ProcessExited]:
    """How every process ended."""
    return [seen.fact for seen in result.ledger.of(ProcessExited)]
