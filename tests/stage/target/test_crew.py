"""Orchestrator and listener as processes with one settings file: started, killed, restarted, ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_agog.errors import UsageError
from pytest_agog.ledger.access import given
from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.load import load
from pytest_agog.stage.target.crew import Crew
from pytest_agog.stage.target.parts import CrewParts, PartElsewhere, PartProcess

SCRIPT = """
import json, os, sys, time
settings = json.load(open(sys.argv[1]))
print("ready", os.getpid(), sys.argv[2], os.environ["NATS_URL"], sorted(settings["agents"]), flush=True)
time.sleep(60)
"""
AGENTS = {"roy": {"run": ["true"], "timeout": "1s", "cwd": "."}}
NATS = "nats://127.0.0.1:4222"


@pytest.fixture
def part(tmp_path: Path) -> PartProcess:
    """A process that tells who it is."""
    script = tmp_path / "member.py"
    script.write_text(SCRIPT)
    return PartProcess(("python", str(script), "${config}", "${instance}"), env={"NATS_URL": "${nats}"}, prints="ready")


def crew(folder: Path, parts: CrewParts, **scenario: Any) -> Crew:
    """The crew of a scenario with these parts."""
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump({"agog": 1, "name": "s", **scenario}))
    (read,) = load(path, vocabulary())
    output = folder / "output"
    output.mkdir()
    return Crew(parts, read, folder, output)


def settings(folder: Path) -> Any:
    """What the members were given."""
    return json.loads((folder / "crew" / "agog.json").read_text())


async def test_instances_are_started_killed_and_come_back(part: PartProcess, tmp_path: Path) -> None:
    services = {"orchestrator": {"instances": 2}, "listener": {"config": {"listener": {"concurrency": 2}}}}
    members = crew(tmp_path, CrewParts(part, part), services=services)
    try:
        await members.start(given(NATS), None, AGENTS)
        first, second = members.members["orchestrator"]
        (listener,) = members.members["listener"]
        assert first.log_tail() == f"ready {first.pid} 1 {NATS} ['roy']"
        assert [one.name for one in (first, second, listener)] == ["orchestrator-1", "orchestrator-2", "listener"]
        assert len({one.pid for one in (first, second, listener)}) == 3
        before = second.pid
        await members.kill("orchestrator", "KILL", 1)
        assert (first.alive, second.alive, listener.alive) == (False, True, True)
        await members.restart("orchestrator", None)
        assert first.alive
        assert second.pid not in (None, before)
        assert "orchestrator-1: ready" in members.log_tail()
        with pytest.raises(UsageError, match="there is no orchestrator 3"):
            await members.kill("orchestrator", "KILL", 3)
    finally:
        await members.stop()
    assert not any(one.alive for ones in members.members.values() for one in ones)


async def test_the_settings_are_one_file(part: PartProcess, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("### REQ-1: a\n")
    config = {
        "orchestrator": {"retry": {"most": 1}},
        "gate": {"commands": [{"name": "a", "run": ["true"]}, {"name": "b", "run": ["true"], "cwd": "sub"}]},
    }
    steps = [{"submit": {"file": "plan.md"}}]
    members = crew(tmp_path, CrewParts(part, part), services={"orchestrator": {"config": config}}, steps=steps)
    try:
        await members.start(given(NATS), "postgresql://h/d", AGENTS)
    finally:
        await members.stop()
    found = settings(tmp_path)
    copy = tmp_path / "output" / "roadmap" / "plan.md"
    assert found["agents"] == AGENTS
    assert found["orchestrator"]["retry"] == {"most": 1}
    assert found["orchestrator"]["roadmap"] == str(copy) == str(members.roadmap("plan.md"))
    assert copy.read_bytes() == b"", "the step fills it"
    assert found["orchestrator"]["start_at"].endswith("T09:00:00Z"), "never at night"
    assert [one["cwd"] for one in found["gate"]["commands"]] == [str(tmp_path), str(tmp_path / "sub")]
    assert found["listener"] == {"data": str(tmp_path / "output" / "work")}


async def test_what_is_external_is_left_alone(part: PartProcess, tmp_path: Path) -> None:
    parts = CrewParts(PartElsewhere("http://127.0.0.1:1"), part)
    members = crew(tmp_path, parts, services={"components": ["orchestrator"]})
    try:
        await members.start(given(NATS), None, AGENTS)
        assert list(members.members) == ["listener"]
        assert members.url == "http://127.0.0.1:1"
        with pytest.raises(UsageError, match="the orchestrator is external and cannot be killed"):
            await members.kill("orchestrator", "KILL", None)
        with pytest.raises(UsageError, match="the orchestrator is external and cannot be restarted"):
            await members.restart("orchestrator", 1)
        with pytest.raises(UsageError, match="reads its own roadmap"):
            members.roadmap("plan.md")
        (listener,) = members.members["listener"]
        assert listener.alive
    finally:
        await members.stop()


def test_an_external_one_is_one(part: PartProcess, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the listener is external, so there is one"):
        crew(tmp_path, CrewParts(part, PartElsewhere("")), services={"listener": {"instances": 2}})


async def test_without_an_orchestrator_there_is_none_to_kill(part: PartProcess, tmp_path: Path) -> None:
    members = crew(tmp_path, CrewParts(part, part), services={"listener": {}})
    with pytest.raises(UsageError, match=r"this play has no orchestrator; declare `services: \{components"):
        await members.kill("orchestrator", "KILL", None)
    assert members.url is None


async def test_an_orchestrator_without_a_listener(part: PartProcess, tmp_path: Path) -> None:
    services = {"orchestrator": {}, "listener": {"instances": 0}}
    members = crew(tmp_path, CrewParts(part, part), services=services)
    try:
        members.warm()
        await members.start(given(NATS), None, AGENTS)
        assert [one.name for one in members.left_up] == ["orchestrator"]
        with pytest.raises(UsageError, match="this play has no listener"):
            await members.kill("listener", "KILL", None)
    finally:
        await members.stop()
