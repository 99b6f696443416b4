"""Scripted agents as the host listener runs them: commands of their own, on the standard library alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.play.agents import casting
from pytest_agog.wire import notices
from tests.play.scenes import Scene


class Cast:
    """The commands of a scenario's agents, and a place where they run."""

    def __init__(self, scene: Scene, **agents: Any) -> None:
        self.folder = scene.folder
        self.tables = casting.tables(scene.load(agents=agents, vars={"who": "you"}), scene.folder / "cast")
        self.output = scene.folder / "output"
        (self.output / "deliverables").mkdir(parents=True)

    def start(self, agent: str, task: str = "backend", **more: str) -> subprocess.Popen[str]:
        """Start an agent as the listener would."""
        words = self.tables[agent]["run"]
        environment = {
            "PATH": os.environ["PATH"], "AGENT_OUTPUT_DIR": str(self.output), "AGOG_AGENT": agent, "AGOG_TASK": task,
            "AGOG_REQUIREMENT": "REQ-1", "AGOG_FEATURE": "REQ-1",
            "AGOG_SUBJECT": f"agog.deliverables.{agent}.{task}.REQ-1", **more,
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, *words[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment, cwd=self.tables[agent]["cwd"],
        )  # fmt: skip

    def run(self, agent: str, **more: str) -> tuple[int, str, str]:
        """Run an agent to its end: exit status, what it printed, and what it said went wrong."""
        with self.start(agent, **more) as process:
            printed, errors = process.communicate(json.dumps({"title": "Lots"}), timeout=30)
            return process.returncode, printed, errors

    @property
    def report(self) -> str:
        """What it left behind."""
        return (self.output / "deliverables" / "report.md").read_bytes().decode()


def test_every_agent_that_an_orchestrator_knows_has_a_command(scene: Scene) -> None:
    cast = Cast(scene, own={})
    assert set(cast.tables) == {
        "cynthia", "sylvia", "roy", "jen", "billy", "priya", "miki", "database", "documentation", "review", "release",
        "todd", "vic", "own",
    }  # fmt: skip
    assert all(Path(table["cwd"]).is_dir() and table["timeout"] == "120s" for table in cast.tables.values())


@pytest.mark.parametrize("agent", ["roy", "sylvia"])
def test_a_scripted_agent_leaves_a_report_and_prints_its_notice(scene: Scene, agent: str) -> None:
    cast = Cast(scene)
    status, printed, errors = cast.run(agent, AGOG_ATTEMPT="2")
    assert (status, errors) == (0, "")
    notice = notices.parse_output(printed, agent=agent, requirement="REQ-1").notice
    assert (notice.status, notice.deliverable) == ("COMPLETE", f"nats://agog.deliverables.{agent}.backend.REQ-1")
    assert notice.critique_verdict == ("APPROVED" if agent == "sylvia" else None)
    assert cast.report.startswith("# Backend: REQ-1\n")
    assert "(Lots), attempt 2" in cast.report


def test_reports_and_what_is_printed_are_as_the_scenario_says(scene: Scene) -> None:
    scene.file("own.md", b"# Own\r\n\r\n\xc3\xa4\n")
    scene.file("messy.txt", "Costs $5, ${who}, $${url}, ${unknown}\n```json\n${notice}\n```\n")
    agents = {
        "roy": {"report": "own.md", "prints": "messy.txt", "notice": {"files_modified": ["a.ts"], "summary": None}},
        "jen": {"report": {"generate": {"tokens": 300, "seed": 3}}},
    }
    cast = Cast(scene, **agents)
    printed = cast.run("roy")[1]
    assert cast.report == "# Own\r\n\r\n\xe4\n"
    assert printed.startswith("Costs $5, you, ${url}, ${unknown}\n")
    told = json.loads(printed.split("```json\n")[1].split("\n```")[0])
    assert (told["files_modified"], told["summary"]) == (["a.ts"], None)
    cast.run("jen")
    assert len(cast.report) > 500


def test_spawns_go_wrong_in_turn_and_are_counted_over_processes(scene: Scene) -> None:
    scene.file("roy.py", "import sys\nprint('the command itself', sys.argv[1])\n")
    cast = Cast(scene, roy={"run": ["python", "roy.py", "x"], "fails": 1, "hangs": 1, "blocks": 1, "rejects": 1})
    status, printed, errors = cast.run("roy")
    assert (status, printed) == (1, "")
    assert "as the scenario says" in errors
    with cast.start("roy") as hanging:
        counted = scene.folder / "cast" / "roy.spawns"
        until = time.monotonic() + 30
        while counted.stat().st_size < 2 and time.monotonic() < until:  # nobody tells that it has begun
            time.sleep(0.01)
        with pytest.raises(subprocess.TimeoutExpired):
            hanging.wait(0.2)
        hanging.kill()
    assert json.loads(cast.run("roy")[1])["status"] == "BLOCKED"
    rejected = json.loads(cast.run("roy")[1])
    assert (rejected["critique_verdict"], len(rejected["blockers"])) == ("REJECTED", 1)
    assert cast.run("roy")[:2] == (0, "the command itself x\n")


def test_a_command_that_never_goes_wrong_is_run_as_it_is(scene: Scene) -> None:
    assert Cast(scene, roy={"run": ["python", "roy.py"], "timeout": "1500ms"}).tables["roy"] == {
        "run": ["python", "roy.py"], "timeout": "1.5s", "cwd": str(scene.folder),
    }  # fmt: skip


def test_a_scripted_agent_needs_nothing_but_the_standard_library() -> None:
    code = f"import runpy, sys; sys.argv[1:] = []; runpy.run_path({str(casting.SCRIPT)!r}); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in done.stdout.split()}
    assert names <= {*sys.stdlib_module_names, "__main__", "__mp_main__"}
