"""Commands are run really, and what they come to is the verdict."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_agog.reference.orchestrator.gate.gate import run_gate
from pytest_agog.reference.orchestrator.gate.work import failed, name_of, why
from tests.reference.orchestrator.gate.making import Code, gate_of, some_work

PASSED = "print('=== 3 passed in 0.01s ===')"


async def test_commands_run_in_order_until_one_fails(project: Path, code: Code) -> None:
    config = gate_of(
        code("print('built')", name="build", proves=["build"]),
        code("import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)", name="tests"),
        code("open('later', 'w')", name="later"),
    )
    told: list[str] = []
    verdict = await run_gate(config, some_work(), root=project, progress=lambda run: told.append(name_of(run)))
    assert not verdict.accepted
    assert told == ["build", "tests"] == [name_of(run) for run in verdict.commands]
    assert verdict.commands[0].output_tail == "built\n"
    assert verdict.commands[1].exit == 3
    assert sorted(verdict.commands[1].output_tail.split()) == ["one", "two"]
    assert not (project / "later").exists()
    feedback = verdict.feedback()
    assert "tests" in verdict.reason
    assert "exit status 3" in feedback
    assert "two" in feedback


async def test_a_gate_that_passes_can_be_run_again(project: Path, code: Code) -> None:
    config = gate_of(code(PASSED, proves=["tests"]), requires=["tests"])
    for _ in range(2):
        verdict = await run_gate(config, some_work(), root=project)
        assert verdict.accepted, verdict.feedback()
        assert verdict.commands[0].model_extra is not None
        assert verdict.commands[0].model_extra["tests"] == {"ran": 3, "passed": 3, "failed": 0, "skipped": 0}
        assert "3 tests" in verdict.reason
    assert os.listdir(project) == []  # noqa: PTH208 - pathlib's is blocking too, and refused here


@pytest.mark.parametrize(
    ("further", "status", "says"),
    [
        ({"cwd": "backend"}, 126, "the folder backend is not there"),
        ({"run": ["no-such-program-at-all", "test"]}, 127, "no program 'no-such-program-at-all'"),
        ({"run": ["./build.sh"]}, 127, "no program './build.sh'"),
    ],
)
async def test_what_cannot_be_run_is_a_rejection_with_the_remedy(
    project: Path, code: Code, further: dict[str, object], status: int, says: str
) -> None:
    verdict = await run_gate(gate_of(code("pass", **further)), some_work(), root=project)
    assert not verdict.accepted
    assert verdict.commands[0].exit == status
    assert says in verdict.reason
    assert "[gate]" in verdict.reason
    assert says in verdict.commands[0].output_tail


async def test_a_script_without_an_interpreter_is_a_rejection(project: Path, code: Code) -> None:
    script = project / "build.sh"
    script.write_text("#!/no/such/shell\n")
    script.chmod(0o755)
    verdict = await run_gate(gate_of(code("", run=["./build.sh"])), some_work(), root=project)
    assert not verdict.accepted
    assert "cannot be started" in verdict.reason


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        ("no tests ran in 0.01s", "no tests ran"),
        ("No tests found, exiting with code 0", "no tests ran"),
        ("=== 4 skipped in 0.01s ===", "no tests ran, 4 were skipped"),
        ("=== 1 failed, 2 passed in 0.01s ===", "1 of 3 tests failed"),
        ("all is well", "tests_pattern"),
        ("", "JUnit"),
    ],
)
async def test_a_test_command_that_shows_no_test_is_rejected(
    project: Path, code: Code, printed: str, says: str
) -> None:
    config = gate_of(code(f"print({printed!r})", proves=["tests"]))
    verdict = await run_gate(config, some_work(), root=project)
    assert not verdict.accepted
    assert verdict.commands[0].exit == 0
    assert failed(verdict.commands[0])
    assert says in why(verdict.commands[0])


async def test_the_projects_own_pattern_counts(project: Path, code: Code) -> None:
    command = code("print('good: 2'); print('good: 3')", proves=["tests"], tests_pattern=r"^good: (\d+)$")
    verdict = await run_gate(gate_of(command), some_work(), root=project)
    assert verdict.accepted
    assert "5 tests" in verdict.reason
    command |= {"tests_pattern": r"ok=(\d+)"}
    assert "tests_pattern" in (await run_gate(gate_of(command), some_work(), root=project)).reason


async def test_a_junit_report_has_to_be_of_this_run(project: Path, code: Code) -> None:
    report = (
        "<testsuites><testsuite><testcase name='a'/><testcase name='b'><skipped/></testcase></testsuite></testsuites>"
    )
    writes = code(f"open('r.xml', 'w').write({report!r})", proves=["tests"], report="r.xml")
    verdict = await run_gate(gate_of(writes), some_work(), root=project)
    assert verdict.accepted, verdict.feedback()
    does_not = code("print('9 passed in 1s')", proves=["tests"], report="r.xml")
    assert "another run" in (await run_gate(gate_of(does_not), some_work(), root=project)).reason
    (project / "r.xml").unlink()
    assert "did not write" in (await run_gate(gate_of(does_not), some_work(), root=project)).reason


async def test_lanes_choose_the_commands(project: Path, code: Code) -> None:
    config = gate_of(
        code("pass", name="a", lanes=["backend"]), code("pass", name="b", lanes=["frontend"]), code("pass", name="c")
    )
    for lane, names in (("backend", "ac"), ("frontend", "bc"), (None, "abc")):
        verdict = await run_gate(config, some_work(lane=lane), root=project)
        assert "".join(map(name_of, verdict.commands)) == names


async def test_what_hangs_is_killed_with_all_its_children(project: Path, code: Code) -> None:
    text = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "print('waiting', flush=True)\n"
        "child.wait()\n"
    )
    verdict = await run_gate(gate_of(code(text, timeout="1s")), some_work(), root=project)
    assert not verdict.accepted
    assert verdict.commands[0].exit == -9
    assert "within 1 s" in verdict.reason
    assert verdict.commands[0].output_tail == "waiting\n"
    assert not [pid for pid in (project / "pids").read_text().split() if _lives(int(pid))]


async def test_what_a_command_leaves_behind_is_killed(project: Path, code: Code) -> None:
    text = (
        "import subprocess, sys\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "open('pid', 'w').write(str(left.pid))\n"
    )
    verdict = await run_gate(gate_of(code(text)), some_work(), root=project)
    assert verdict.accepted
    assert not _lives(int((project / "pid").read_text()))


async def test_output_is_bounded_and_its_end_exact(project: Path, code: Code) -> None:
    text = (
        "import sys\n"
        "for _ in range(50):\n"
        "    sys.stdout.buffer.write(b'x' * 999_999 + b'\\n')\n"
        "sys.stdout.buffer.write(b'caf\\xe9 \\x00 \\xf0\\x9f\\x98\\x80\\n7 passed in 0.2s\\n')\n"
    )
    verdict = await run_gate(gate_of(code(text, proves=["tests"])), some_work(), root=project)
    assert verdict.accepted, verdict.feedback()[:500]
    tail = verdict.commands[0].output_tail
    assert tail.endswith("xxx\ncaf\ufffd \x00 \U0001f600\n7 passed in 0.2s\n")
    assert len(tail.encode()) <= 16_000 + 2  # the replaced byte takes three


async def test_a_character_is_not_cut_in_two(project: Path, code: Code) -> None:
    text = "import sys; sys.stdout.buffer.write('\\u20ac'.encode() * 20_000)"
    verdict = await run_gate(gate_of(code(text)), some_work(), root=project)
    assert set(verdict.commands[0].output_tail) == {"\u20ac"}


async def test_words_are_no_shell_and_the_environment_is_narrow(
    project: Path, code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NATS_CREDS", "/secret")
    monkeypatch.setenv("WANTED", "yes")
    text = (
        "import os, sys; print(sys.argv[1], os.environ.get('NATS_CREDS'), os.environ.get('WANTED'), os.environ['MINE'])"
    )
    command = code(text, env={"MINE": "1"})
    command["run"].append("$HOME;`id`")
    verdict = await run_gate(gate_of(command, pass_env=["WANTED"]), some_work(), root=project)
    assert verdict.commands[0].output_tail == "$HOME;`id` None yes 1\n"


async def test_two_gates_do_not_share_a_folder(project: Path, code: Code) -> None:
    text = (
        "import os, sys\n"
        "try:\n"
        "    os.mkdir('working')\n"
        "except FileExistsError:\n"
        "    sys.exit('somebody else is here')\n"
        "for _ in range(20):\n"
        "    os.listdir('.')\n"
        "os.rmdir('working')\n"
    )
    link = project.parent / "link"
    link.symlink_to(project)
    config = gate_of(code(text))
    verdicts = await asyncio.gather(*(run_gate(config, some_work(), root=root) for root in (project, link, project)))
    assert [verdict.accepted for verdict in verdicts] == [True] * 3, verdicts


async def test_a_cancelled_gate_leaves_nothing(project: Path, code: Code) -> None:
    os.mkfifo(project / "begun")
    text = "import os, time; open('pid', 'w').write(str(os.getpid())); open('begun', 'w').close(); time.sleep(600)"
    task = asyncio.create_task(run_gate(gate_of(code(text)), some_work(), root=project))
    await asyncio.to_thread(lambda: (project / "begun").open().close())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _lives(int((project / "pid").read_text()))
    verdict = await run_gate(gate_of(code("pass")), some_work(), root=project)
    assert verdict.accepted


async def test_a_killed_gate_leaves_no_child_and_the_next_waits_for_that(project: Path) -> None:
    os.mkfifo(project / "begun")
    (project / "agog.toml").write_text(
        "[gate]\nrequires = []\n[[gate.commands]]\nname = 'hang'\n"
        "run = ['python', '-c', \"import os, time; open('pid', 'w').write(str(os.getpid())); "
        "open('begun', 'w').close(); time.sleep(600)\"]\n"
    )
    gate = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest_agog", "gate", "--config", str(project / "agog.toml"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.to_thread(lambda: (project / "begun").open().close())
        pid = int((project / "pid").read_text())
        assert _lives(pid)
    finally:
        gate.send_signal(signal.SIGKILL)
        await gate.wait()
    # The next gate's first command starts when everything of the killed one is gone.
    check = f"import os, sys; sys.exit(os.path.exists('/proc/{pid}/cwd'))"
    config = gate_of({"name": "next", "run": ["python", "-c", check]})
    verdict = await run_gate(config, some_work(), root=project)
    assert verdict.accepted, verdict.feedback()
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
