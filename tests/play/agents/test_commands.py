"""Agents that are real commands, and the step `run`: environment, stdin, output, time limits, processes left behind."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from pytest_agog.ledger.facts import AgentSpawned, Earlier, ProcessOutput, ProcessStarted
from pytest_agog.play.agents.commands import shown_command
from pytest_agog.stage.machine.environment import inherited, resolve_command
from tests.play.scenes import Scene, chain, claim, exits, notices, of, outcomes


async def test_an_agent_is_told_its_work_in_environment_and_on_stdin(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NATS_CREDS", "/somewhere/else.creds")
    monkeypatch.setenv("DATABASE_URL", "postgresql://production")
    monkeypatch.setenv("AGOG_REQUIREMENT", "REQ-OLD")
    monkeypatch.delenv("AGOG_REQUIRE", raising=False)
    command = scene.agent(
        "agents/roy.py",
        """
        await js.publish(SUBJECT, report())
        told = {name: value for name, value in os.environ.items() if name.startswith("AGOG_")}
        open(os.environ["AGENT_OUTPUT_DIR"] + "/told.json", "w").write(json.dumps({
            "env": told, "stdin": TOLD, "cwd": os.getcwd(), "python": sys.executable, "argv": sys.argv[1:],
            "others": [name for name in ("NATS_CREDS", "DATABASE_URL", "PYTEST_CURRENT_TEST") if name in os.environ],
            "same": TOLD["nats_url"] == os.environ["NATS_URL"],
            "folders": sorted(os.listdir(os.environ["AGENT_OUTPUT_DIR"])),
        }))
        notice()
        """,
    )
    result = await scene.play(
        agents={"roy": {"run": [*command, "a b", "$HOME", ";ls"]}},
        steps=[chain(("cynthia", "research"), ("roy", "backend"))],
        proof=[
            claim("deliverable", agent="roy", type="backend", feature="search", contains="Done."),
            claim("file", "told", path="$AGENT_OUTPUT_DIR/told.json", contains="AGOG_INPUTS"),
            claim("process", "process", name="roy", exit=0),
        ],
    )
    assert (result.outcome, set(outcomes(result).values())) == ("passed", {"passed"})
    told = json.loads(result.ledger.payloads[_payload_of(result)])
    inputs = [{"agent": "cynthia", "task": "research", "url": "nats://agog.deliverables.cynthia.research.search"}]
    assert json.loads(told["env"].pop("AGOG_INPUTS")) == inputs
    assert told["env"] == {
        "AGOG_AGENT": "roy",
        "AGOG_TASK": "backend",
        "AGOG_FEATURE": "search",
        "AGOG_REQUIREMENT": "search",
        "AGOG_SUBJECT": "agog.deliverables.roy.backend.search",
    }
    assert (
        told["stdin"].items()
        >= {
            "agent": "roy",
            "task": "backend",
            "feature": "search",
            "requirement": "search",
            "subject": "agog.deliverables.roy.backend.search",
            "inputs": inputs,
        }.items()
    )
    assert told["same"]
    assert (told["cwd"], told["python"]) == (str(scene.folder), sys.executable)
    assert told["argv"] == ["a b", "$HOME", ";ls"]  # no shell
    assert told["others"] == []
    assert told["folders"] == ["deliverables", "nats-scripts", "told.json"]
    spawn = result.ledger.of(AgentSpawned)[1].fact
    assert json.loads(result.ledger.payloads[spawn.prompt]) == told["stdin"]


def _payload_of(result: object) -> str:
    from pytest_agog.ledger.answers import FileSeen

    (seen,) = [item.fact for item in result.ledger.of(FileSeen)]  # type: ignore[attr-defined]
    payload: str = seen.payload
    return payload


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('working'); import sys; print('no disk', file=sys.stderr); sys.exit(7)", "exit status 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "ended by signal 15"),
        ("print('all good')", "no completion notice"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe not utf-8')", "no completion notice"),
        ("raise ValueError('broken')", "exit status 1"),
    ],
)
async def test_a_command_that_goes_wrong_fails_its_turn(scene: Scene, code: str, reason: str) -> None:
    result = await scene.play(
        agents={"roy": {"run": scene.script("roy.py", code)}}, steps=[chain(("roy", "backend"), retries=1)]
    )
    assert result.outcome == "failed"
    assert result.failure is not None
    assert result.failure.message.startswith("turn 1 (roy backend) failed after 2 tries: ")
    assert reason in result.failure.message
    assert [reason in notice.reason for notice in notices(result)] == [True, True]
    assert len(exits(result)) == 2


async def test_what_a_failing_command_printed_is_shown_at_its_end(scene: Scene) -> None:
    code = "for n in range(100): print('line', n)\nimport sys; sys.exit('password=hunter2 refused')"
    result = await scene.play(agents={"roy": {"run": scene.script("roy.py", code)}}, steps=[chain(("roy", "backend"))])
    assert result.failure is not None
    assert "line 99" in result.failure.detail
    assert "line 1\n" not in result.failure.detail
    assert "hunter2" not in result.failure.detail
    assert all(b"hunter2" not in result.ledger.payloads[seen.fact.payload] for seen in result.ledger.of(ProcessOutput))


@pytest.mark.parametrize("word", ["no-such-command-anywhere", "./agents/absent.sh"])
async def test_a_command_that_does_not_exist_is_told_in_one_line(scene: Scene, word: str) -> None:
    for parts in (
        {"agents": {"roy": {"run": [word]}}, "steps": [chain(("roy", "backend"))]},
        {"steps": [{"run": {"command": [word]}}]},
    ):
        result = await scene.play(**parts)
        assert result.outcome == "failed"
        assert result.failure is not None
        assert word in result.failure.message
        assert "\n" not in result.failure.message


async def test_after_its_time_the_whole_process_group_is_killed(scene: Scene) -> None:
    code = """
        import os, subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open(os.environ["AGENT_OUTPUT_DIR"] + "/../child", "w").write(str(child.pid))
        print("started", flush=True)
        time.sleep(600)
    """
    command = scene.script("roy.py", code)
    started = time.monotonic()
    result = await scene.play(
        agents={"roy": {"run": command, "timeout": "1500ms"}},
        steps=[chain(("roy", "backend"))],
        proof=[claim("process", name="roy", exit=-9, output_contains="started")],
    )
    assert time.monotonic() - started < 30
    assert result.failure is not None
    assert "it ran longer than 1.5s and was killed" in result.failure.message
    assert of(result).verdict.passed
    assert exits(result)[0].timed_out
    child = int((scene.folder / "stage" / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


async def test_fifty_megabytes_of_output_are_bounded_and_the_notice_after_them_is_found(scene: Scene) -> None:
    command = scene.agent(
        "roy.py",
        """
        await js.publish(SUBJECT, report())
        line = "x" * 99 + "\\n"
        for _ in range(500):
            sys.stdout.write(line * 1000)
        notice()
        """,
    )
    result = await scene.play(agents={"roy": {"run": command}}, steps=[chain(("roy", "backend"))])
    assert result.outcome == "passed"
    kept = [len(result.ledger.payloads[seen.fact.payload]) for seen in result.ledger.of(ProcessOutput)]
    assert len(kept) == 1
    assert kept[0] < 11_000_000


async def test_a_report_published_with_core_nats_or_not_at_all(scene: Scene) -> None:
    core = scene.agent("core.py", "await client.publish(SUBJECT, report())\nawait client.flush()\nnotice()")
    never = scene.agent("never.py", "notice()")
    result = await scene.play(
        agents={"roy": {"run": core}, "jen": {"run": never}},
        steps=[chain(("roy", "backend"), ("jen", "frontend"), ("billy", "qa"))],
        proof=[
            claim("deliverable", "core", agent="roy", type="backend", feature="search"),
            claim("deliverable", "never", agent="jen", type="frontend", feature="search"),
            claim("notice", "leads-nowhere", agent="jen", resolves=True),
        ],
    )
    assert result.outcome == "passed"
    assert outcomes(result) == {"core": "passed", "never": "failed", "leads-nowhere": "failed"}
    earlier: tuple[Earlier, ...] = result.ledger.of(AgentSpawned)[-1].fact.earlier
    assert [entry.report is None for entry in earlier] == [False, True]


async def test_a_command_that_is_declared_to_fail_is_not_started_before_its_time(scene: Scene) -> None:
    command = scene.agent("roy.py", "await js.publish(SUBJECT, report())\nnotice()")
    result = await scene.play(
        agents={"roy": {"run": command, "fails": 1}}, steps=[chain(("roy", "backend"), retries=1)]
    )
    assert result.outcome == "passed"
    assert [exited.exit for exited in exits(result)] == [1, 0]
    assert [seen.fact.pid > 0 for seen in result.ledger.of(ProcessStarted)] == [False, True]


# --- the step run -----------------------------------------------------------------------------------------------------
async def test_run_compares_the_exit_status_and_feeds_stdin_and_environment(scene: Scene) -> None:
    code = "import os, sys; print(sys.stdin.read().upper(), os.environ['COLOUR']); sys.exit(3)"
    result = await scene.play(
        steps=[
            {"run": {"command": scene.script("s.py", code), "as": "shout", "expect_exit": 3, "stdin": "hello",
                     "env": {"COLOUR": "green"}}},
            {"run": {"command": ["agog", "--help"]}},
        ],
        proof=[
            claim("process", name="shout", exit=3, output_contains="HELLO green"),
            claim("process", "agog", name="agog", exit=0, output_contains="Usage"),
        ],
    )  # fmt: skip
    assert (result.outcome, set(outcomes(result).values())) == ("passed", {"passed"})


async def test_output_is_judged_as_it_was_and_shown_without_secrets(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PASSWORD", "given-by-name-1")
    monkeypatch.setenv("MY_URL", "postgresql://roy:within%20a-url-1@db/agog")
    code = """
    import os
    print("password=hunter2-in-the-open")
    print("it is", os.environ["MY_PASSWORD"], "and within a-url-1")
    """
    result = await scene.play(
        steps=[{"run": {"command": scene.script("s.py", code), "as": "says"}}],
        proof=[
            claim("process", "open", name="says", output_contains="password=hunter2-in-the-open"),
            claim("process", "named", name="says", output_contains="it is given-by-name-1"),
            claim("process", "hidden", name="says", output_contains="****"),
        ],
    )
    assert outcomes(result) == {"open": "passed", "named": "passed", "hidden": "failed"}
    (printed,) = result.ledger.of(ProcessOutput)
    assert result.ledger.payloads.text(printed.fact.payload) == "password=****\nit is **** and ****\n"


@pytest.mark.parametrize(
    ("command", "more", "message"),
    [
        (["python", "-c", "raise SystemExit(4)"], {}, "python: exit status 4, expected exit status 0"),
        (["python", "-c", "pass"], {"as": "calm", "expect_exit": 2}, "calm: exit status 0, expected exit status 2"),
        (["sleep", "600"], {"timeout": "300ms"}, "sleep: it ran longer than 0.3s and was killed"),
    ],
)
async def test_run_fails_in_one_line(scene: Scene, command: list[str], more: dict[str, object], message: str) -> None:
    result = await scene.play(steps=[{"run": {"command": command, **more}}])
    assert result.failure is not None
    assert (result.outcome, result.failure.message) == ("failed", message)


async def test_commands_find_postgres_when_the_scenario_has_it(scene: Scene) -> None:
    code = """
        import os, psycopg
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            print(connection.execute("SELECT count(*) FROM workflow_comms.agent_messages").fetchone())
    """
    result = await scene.play(
        services={"postgres": {}},
        steps=[{"run": {"command": scene.script("s.py", code), "as": "count"}}],
        proof=[claim("process", name="count", exit=0, output_contains="(0,)")],
    )
    assert (result.outcome, outcomes(result)) == ("passed", {"it": "passed"})


async def test_commands_get_one_address_of_a_server_that_runs(scene: Scene) -> None:
    """A cluster's addresses in a row are more than `nats.connect` of nats-py takes."""
    command = scene.agent("roy.py", "await js.publish(SUBJECT, report())\nnotice()")
    result = await scene.play(
        services={"nats": {"servers": 3}},
        agents={"roy": {"run": command}},
        steps=[{"kill": {"component": "nats", "server": 1}}, chain(("roy", "backend"), retries=5)],
        proof=[claim("deliverable", agent="roy", type="backend", feature="search", contains="Done.")],
    )
    assert (result.outcome, outcomes(result)) == ("passed", {"it": "passed"})


# --- small parts ------------------------------------------------------------------------------------------------------
def test_python_and_agog_are_the_harness_s_own() -> None:
    assert resolve_command(["python", "a.py"]) == [sys.executable, "a.py"]
    assert resolve_command(["python3", "-V"])[0] == sys.executable
    assert resolve_command(["agog", "doctor"]) == [sys.executable, "-m", "pytest_agog", "doctor"]
    assert resolve_command(["node", "python"]) == ["node", "python"]


def test_the_scripts_of_the_harness_come_first_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    found = inherited()["PATH"].split(os.pathsep)
    assert Path(found[0], "nats-server").exists()
    assert found[1:] == ["/usr/bin"]


def test_secrets_in_commands_are_not_shown() -> None:
    shown = shown_command(["psql", "postgresql://me:hunter2@host/db", "--password", "hunter2", "token=abc", "x" * 900])
    assert "hunter2" not in " ".join(shown)
    assert shown[:3] == ("psql", "postgresql://me:****@host/db", "--password")
    assert len(shown[-1]) == 200
