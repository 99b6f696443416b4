"""Whole plays: what fails, what is judged all the same, what is shown, and that nothing stays behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_agog.checks.base import Check, Verdict
from pytest_agog.ledger.facts import Barrier, Baseline, ProcessStarted, StepEnded, StepStarted
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.play.context import PlayContext
from pytest_agog.play.play import play
from pytest_agog.play.steps import PlayedStep
from pytest_agog.scenario.scenario import Step
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.target.targets import REFERENCE
from tests.play.scenes import Scene, chain, claim, exits, of, outcomes

EVENT = {"publish": {"subject": "results.roy.REQ-1", "json": {"n": 1}}}


# --- what is judged ---------------------------------------------------------------------------------------------------
async def test_only_the_selected_claims_are_judged(scene: Scene) -> None:
    scenario = scene.load(
        steps=[EVENT],
        tokens={"notice": {"at_most": 200}},
        proof=[claim("message", "one", subject="results.>"), claim("never", "two", subject="errors.>")],
    )
    result = await play(scenario, scene.options(scenario, select={"two", "tokens.notice"}))
    assert outcomes(result) == {"two": "passed", "tokens.notice": "failed"}


async def test_a_scenario_without_steps_is_judged(scene: Scene) -> None:
    result = await scene.play(
        proof=[claim("stream", name="RESULTS", messages=0), claim("message", "none", subject="results.>")]
    )
    assert (result.outcome, outcomes(result)) == ("passed", {"it": "passed", "none": "failed"})
    assert len(result.ledger.of(Barrier)) == 1


async def test_within_counts_from_the_barrier_and_waits_for_what_comes_later(scene: Scene) -> None:
    code = """
        import os, subprocess, sys
        late = ("import asyncio, nats, os, time\\n"
                "async def main():\\n"
                "    client = await nats.connect(os.environ['NATS_URL'])\\n"
                "    await asyncio.sleep(0.4)\\n"
                "    await client.jetstream().publish('results.roy.late', b'1')\\n"
                "    await client.close()\\n"
                "asyncio.run(main())\\n")
        subprocess.Popen([sys.executable, "-c", late], start_new_session=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    """
    result = await scene.play(
        steps=[{"run": {"command": scene.script("s.py", code)}}],
        proof=[
            claim("message", subject="results.roy.late", within="30s"),
            claim("never", "never", holds_for="30s", subject="results.roy.late"),
            claim("never", "at-once", subject="errors.>"),
        ],
    )
    assert outcomes(result) == {"it": "passed", "never": "failed", "at-once": "passed"}
    assert of(result).waited > 0.05
    assert of(result, "at-once").waited < of(result).waited


async def test_steps_are_written_down_with_their_outcome(scene: Scene) -> None:
    result = await scene.play(steps=[EVENT, {"run": {"command": ["python", "-c", "raise SystemExit(1)"]}}, EVENT])
    assert [(seen.fact.number, seen.fact.verb) for seen in result.ledger.of(StepStarted)] == [
        (1, "publish"),
        (2, "run"),
    ]
    assert [seen.fact.outcome for seen in result.ledger.of(StepEnded)] == ["passed", "failed"]
    assert result.ledger.of(StepEnded)[1].fact.detail == result.failure.message if result.failure else False
    assert result.failure is not None
    assert result.failure.step is not None
    assert result.failure.step.position.line > 1


async def test_a_check_of_a_plugin_that_fails_itself_is_an_error(scene: Scene) -> None:
    def broken(ledger: Ledger, arguments: Any) -> Verdict:
        raise ZeroDivisionError("by nothing")

    scenario = scene.load(
        steps=[EVENT], proof=[claim("never", subject="errors.>"), claim("message", "fine", subject="results.>")]
    )
    options = scene.options(scenario)
    checks = {**options.checks, "never": Check("never", "", options.checks["never"].arguments, broken, "")}
    result = await play(scenario, scene.options(scenario, checks=checks))
    assert outcomes(result) == {"it": "error", "fine": "passed"}
    assert "ZeroDivisionError: by nothing" in of(result).verdict.observed


async def test_a_step_of_a_plugin_that_fails_itself_fails_the_play_in_one_line(scene: Scene) -> None:
    async def broken(context: PlayContext, step: Step, arguments: Any) -> None:
        raise RuntimeError("odd\nnats://me:hunter2@host")

    scenario = scene.load(steps=[EVENT], proof=[claim("never", subject="results.>")])
    options = scene.options(scenario)
    steps = {**options.steps, "publish": PlayedStep(options.steps["publish"].word, broken)}
    result = await play(scenario, scene.options(scenario, steps=steps))
    assert result.failure is not None
    assert result.failure.message == "the step publish itself failed: RuntimeError: odd nats://me:****@host"
    assert outcomes(result) == {"it": "passed"}


# --- what is shown ----------------------------------------------------------------------------------------------------
async def test_progress_tells_what_is_going_on(scene: Scene) -> None:
    told: list[str] = []
    scenario = scene.load(
        agents={"roy": {"fails": 1}},
        steps=[EVENT, chain(("roy", "backend"), retries=1)],
        proof=[claim("never", subject="errors.>")],
    )
    await play(scenario, scene.options(scenario, progress=told.append))
    assert told == [
        "starting services",
        "step 1 of 2: publish",
        "step 2 of 2: chain",
        "search: turn 1 of 1, roy (backend)",
        "search: roy (backend), try 2 of 2",
        "waiting for the recorder",
        "judging 1 claims",
    ]


async def test_secrets_are_masked_wherever_they_could_show(scene: Scene) -> None:
    result = await scene.play(
        steps=[
            {"run": {"command": ["python", "-c", "import sys; print('nats://me:hunter2@host'); sys.exit(2)",
                                 "--password", "hunter2", "postgresql://me:hunter2@host/db"], "as": "leaky"}},
        ],
        proof=[claim("process", name="leaky", exit=0)],
    )  # fmt: skip
    assert result.failure is not None
    (started,) = [seen.fact for seen in result.ledger.of(ProcessStarted)]
    shown = " ".join([*started.command, result.failure.message, result.failure.detail, str(of(result).verdict)])
    assert "hunter2" not in shown
    assert "nats://me:****@host" in result.failure.detail


async def test_the_environment_is_told(scene: Scene) -> None:
    result = await scene.play(services={"postgres": {}})
    told = result.environment
    assert (told.backend, told.target) == ("embedded", "reference")
    assert told.nats_server.startswith("2.")
    assert (told.postgres or "").startswith("18")
    assert result.urls == {}


# --- what is not there ------------------------------------------------------------------------------------------------
async def test_services_that_do_not_start_are_an_error_with_the_reason(scene: Scene) -> None:
    (scene.folder / "stage").mkdir()
    (scene.folder / "stage" / "nats").write_text("a file where a folder should be")
    result = await scene.play(steps=[EVENT], proof=[claim("message", subject="results.>")])
    assert result.outcome == "error"
    assert result.failure is not None
    assert result.failure.step is None
    assert outcomes(result) == {"it": "error"}
    assert result.failure.message in of(result).verdict.observed
    assert not result.ledger.of(StepStarted)


async def test_a_server_that_cannot_hold_the_contract_s_messages_is_an_error(scene: Scene) -> None:
    scenario = scene.load(services={"nats": {"max_payload": "1MB"}}, steps=[EVENT], proof=[claim("never", subject="x")])
    result = await play(scenario, scene.options(scenario))
    assert result.outcome == "error"
    assert result.failure is not None
    assert "max_payload" in result.failure.message
    assert not _servers_of(scene)


async def test_nats_that_cannot_be_reached_is_an_error(scene: Scene) -> None:
    scenario = scene.load(steps=[EVENT], proof=[claim("never", subject="x")])
    away = {"backend": "external", "nats_url": "nats://me:hunter2@127.0.0.1:1"}
    result = await play(scenario, scene.options(scenario, stage=away))
    assert (result.outcome, outcomes(result)) == ("error", {"it": "error"})
    assert result.failure is not None
    assert "127.0.0.1:1" in result.failure.message
    assert "hunter2" not in result.failure.message + of(result).verdict.observed


# --- external services ------------------------------------------------------------------------------------------------
async def test_on_external_services_only_what_comes_from_now_on_counts(scene: Scene, tmp_path: Path) -> None:
    with NatsServer(tmp_path / "theirs") as server:
        await REFERENCE.prepare_streams(server.url)
        stage = {"backend": "external", "nats_url": server.url}
        scenario = scene.load(
            steps=[{"publish": {**EVENT["publish"], "times": 3}}, chain(("roy", "backend"))],
            proof=[
                claim("message", subject="results.>", count=3),
                claim("stream", "stream", name="RESULTS", messages=3),
                claim("no_loss", "loss"),
                claim("deliverable", "report", agent="roy", type="backend", feature="search", revisions=1),
                claim("stream", "backend", name="agog_features_backend", messages=1),
            ],
        )
        first = await play(scenario, scene.options(scenario, stage=stage))
        assert (first.outcome, set(outcomes(first).values())) == ("passed", {"passed"})
        # Again, on what the first run left behind; two at once take turns.
        again, other = await asyncio.gather(
            *(play(scenario, scene.options(scenario, stage={**stage, "folder": tmp_path / name})) for name in "ab")
        )
        assert {again.outcome, other.outcome} == {"passed"}
        # The report of roy is there already, so it is acknowledged as a duplicate and not stored again.
        assert set(outcomes(again).values()) == set(outcomes(other).values()) == {"passed"}
        baselines = {seen.fact.stream: seen.fact.last_sequence for seen in other.ledger.of(Baseline)}
        assert baselines["RESULTS"] in {3, 6}
        assert server.alive


async def test_external_services_are_neither_killed_nor_restarted(scene: Scene, tmp_path: Path) -> None:
    with NatsServer(tmp_path / "theirs") as server:
        stage = {"backend": "external", "nats_url": server.url}
        for step in ({"kill": {"component": "nats"}}, {"restart": {"component": "nats"}}):
            scenario = scene.load(steps=[step])
            result = await play(scenario, scene.options(scenario, stage=stage))
            assert result.failure is not None
            assert "is external and cannot be" in result.failure.message
            assert server.alive


# --- nothing stays behind ---------------------------------------------------------------------------------------------
def _servers_of(scene: Scene) -> list[int]:
    """Processes of ours that know the scene's folder."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if str(scene.folder) in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("postgres", [{}, {"postgres": {}}], ids=["nats", "both"])
async def test_after_a_play_nothing_of_it_runs(scene: Scene, postgres: dict[str, Any]) -> None:
    threads = len(asyncio.all_tasks())
    result = await scene.play(services=postgres, steps=[chain(("roy", "backend"), ("jen", "frontend")), EVENT])
    assert result.outcome == "passed"
    assert not _servers_of(scene)
    assert len(asyncio.all_tasks()) == threads
    assert not (scene.folder / "stage" / "nats").exists()


async def test_a_play_that_is_cancelled_cleans_up(scene: Scene) -> None:
    """As Ctrl-C does, in the midst of an agent that would run for ever, with children of its own."""
    tasks = len(asyncio.all_tasks())
    code = f"""
        import subprocess, sys, time, pathlib
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", {str(scene.folder)!r}])
        pathlib.Path("started").write_text(str(child.pid))
        time.sleep(600)
    """
    scenario = scene.load(
        agents={"jen": {"run": scene.script("jen.py", code)}}, steps=[chain(("roy", "backend"), ("jen", "frontend"))]
    )
    began = asyncio.Event()
    task = asyncio.create_task(
        play(scenario, scene.options(scenario, progress=lambda text: began.set() if "jen" in text else None))
    )
    await asyncio.wait_for(began.wait(), 60)
    async with asyncio.timeout(60):
        while not _written(scene.folder / "started"):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    child = int((scene.folder / "started").read_text())
    assert _servers_of(scene)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _servers_of(scene)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert len(asyncio.all_tasks()) == tasks


def _written(file: Path) -> bool:
    return file.exists() and bool(file.read_text())


@pytest.mark.parametrize("moment", ["starting services", "step 1", "waiting for", "judging"])
async def test_cancelled_at_any_moment_nothing_stays(scene: Scene, moment: str) -> None:
    tasks = len(asyncio.all_tasks())
    scenario = scene.load(
        steps=[EVENT], proof=[claim("message", subject="errors.>", within="60s")], services={"postgres": {}}
    )
    reached = asyncio.Event()
    task = asyncio.create_task(
        play(scenario, scene.options(scenario, progress=lambda text: reached.set() if moment in text else None))
    )
    await asyncio.wait_for(reached.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _servers_of(scene)
    assert len(asyncio.all_tasks()) == tasks


async def test_claims_are_judged_when_agents_left_processes_and_files_behind(scene: Scene) -> None:
    """A child that keeps the output open does not hold up the play."""
    code = """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("done")
    """
    result = await scene.play(
        steps=[{"run": {"command": scene.script("s.py", code), "as": "leaves", "timeout": "60s"}}],
        proof=[claim("process", name="leaves", exit=0, output_contains="done")],
    )
    assert (result.outcome, outcomes(result)) == ("passed", {"it": "passed"})
    assert result.duration < 50
    assert len(exits(result)) == 1
