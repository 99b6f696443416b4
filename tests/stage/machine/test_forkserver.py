"""Commands that start as forks are processes like any other: own id and session, true ends, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pytest_agog import __version__
from pytest_agog.stage.machine.forkserver import FORK_SERVER, POSSIBLE, ForkedProcess, ForkServer, NoForkServer
from pytest_agog.stage.machine.processes import ManagedProcess
from pytest_agog.stage.machine.spawning import SPAWNER

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="only Linux has parent-death signals; run it there")
PATIENCE = 20.0
UP = ("up", "--only", "nats", "--json")
"""A command that prints a line when it stands, and stays."""


def fork(*words: str, folder: Path, env: dict[str, str] | None = None) -> ForkedProcess:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **(env or {})}
    return ForkedProcess(
        words,
        name="forked",
        cwd=folder,
        env=environment,
        log=folder / "log",
        preload=("pytest_agog.cli:build", "no.such.module"),
    )


def standing(process: ManagedProcess, folder: Path) -> None:
    """Wait until `agog up` has printed its line."""
    while "\n" not in (folder / "log").read_text():
        assert process.wait(0.02) is None, (folder / "log").read_text()


def test_the_command_prints_what_it_always_prints_and_its_status_is_told(tmp_path: Path) -> None:
    with fork("--version", folder=tmp_path) as process:
        assert process.wait(PATIENCE) == 0
    assert (tmp_path / "log").read_text() == f"agog {__version__}\n"
    with fork("up", "--only", "kafka", folder=tmp_path) as process:
        assert process.wait(PATIENCE) == 2
        assert process.returncode == 2
    assert "agog: --only 'kafka'" in (tmp_path / "log").read_text()
    assert process.args == ("agog", "up", "--only", "kafka")


def test_it_has_a_session_an_environment_and_a_folder_of_its_own(tmp_path: Path) -> None:
    place = tmp_path / "a folder"
    place.mkdir()
    with fork("lint", "missing.yaml", folder=place, env={"AGOG_TOLD": "x"}) as process:
        assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
        assert process.wait(PATIENCE) == 2
    # A path that is relative to its folder.
    (place / "there.yaml").write_text("agog: 1\nname: there\n")
    with fork("lint", "there.yaml", folder=place) as process:
        assert process.wait(PATIENCE) == 0, (place / "log").read_text()


def test_the_environment_is_the_childs_alone(tmp_path: Path) -> None:
    with fork(*UP, folder=tmp_path, env={"AGOG_TOLD": "x y"}) as process:
        standing(process, tmp_path)
        (server,) = [child for child in psutil.Process(process.pid).children() if child.name() == "nats-server"]
        assert server.environ()["AGOG_TOLD"] == "x y"
        assert set(server.environ()) <= {"PATH", "HOME", "TMPDIR", "AGOG_TOLD", "LC_CTYPE"}
    assert "AGOG_TOLD" not in os.environ


def test_a_clean_stop_is_a_clean_stop(tmp_path: Path, gone: Callable[[int], bool]) -> None:
    process = fork(*UP, folder=tmp_path)
    standing(process, tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    assert process.stop(PATIENCE, first=signal.SIGTERM) == 0
    assert not psutil.pid_exists(process.pid)
    assert all(gone(child.pid) for child in children)
    assert process.pid not in SPAWNER.live


def test_sigkill_reaches_it_and_is_told(tmp_path: Path, gone: Callable[[int], bool]) -> None:
    process = fork(*UP, folder=tmp_path)
    standing(process, tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill_group(signal.SIGSTOP)
    process.await_stopped()
    assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
    assert process.alive
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(PATIENCE) == -signal.SIGKILL
    assert not psutil.pid_exists(process.pid)  # no zombie either
    assert all(gone(child.pid) for child in children)


async def test_its_end_is_awaited_without_blocking(tmp_path: Path) -> None:
    process = fork("--version", folder=tmp_path)
    assert await process.exited() == 0


def test_one_server_serves_all_and_a_new_one_follows_a_dead_one(tmp_path: Path) -> None:
    with fork("--version", folder=tmp_path) as process:
        assert process.wait(PATIENCE) == 0
    first = FORK_SERVER.pid
    assert first is not None
    with fork("--version", folder=tmp_path) as process:
        assert psutil.Process(process.pid).ppid() == first
        assert process.wait(PATIENCE) == 0
    staying = fork(*UP, folder=tmp_path)
    standing(staying, tmp_path)
    os.kill(first, signal.SIGKILL)
    assert staying.wait(PATIENCE) == -signal.SIGKILL  # what it started does not stay without it
    with fork("--version", folder=tmp_path) as process:
        assert process.wait(PATIENCE) == 0
    assert FORK_SERVER.pid not in {None, first}


def test_a_server_loads_what_later_commands_need_besides(tmp_path: Path) -> None:
    def has(module: str) -> bool:
        """Whether the server has a module's library open; it has answered what it was asked before."""
        with ForkedProcess(
            ["--version"], name="x", cwd=tmp_path, env={}, log=tmp_path / "log", preload=(module,)
        ) as process:
            assert process.wait(PATIENCE) == 0
        return module in Path(f"/proc/{FORK_SERVER.pid}/maps").read_text()

    with fork("--version", folder=tmp_path) as process:
        assert process.wait(PATIENCE) == 0
    first = FORK_SERVER.pid
    assert not has("no.such.library")
    assert has("_lsprof")
    assert FORK_SERVER.pid == first


def test_a_server_that_cannot_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere"))
    with pytest.raises(NoForkServer, match="no such file"):
        ForkServer().start(["--version"], cwd=tmp_path, env={}, log=tmp_path / "log", preload=())


HARNESS = """
    import sys
    from pathlib import Path
    from pytest_agog.stage.machine.forkserver import FORK_SERVER, ForkedProcess
    folder = Path(sys.argv[1])
    process = ForkedProcess(("up", "--only", "nats", "--json"), name="x", cwd=folder,
                            env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)}, log=folder / "log", preload=())
    while "\\n" not in (folder / "log").read_text():
        assert process.wait(0.02) is None, (folder / "log").read_text()
    print(FORK_SERVER.pid, process.pid, flush=True)
    stay()
"""


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_nothing_outlives_the_harness(
    harness: Callable[[str], subprocess.Popen[str]], gone: Callable[[int], bool], how: str
) -> None:
    running = harness(HARNESS)
    assert running.stdout is not None
    server, process = (int(word) for word in running.stdout.readline().split())
    children = psutil.Process(process).children(recursive=True)
    assert children
    if how == "is killed":
        running.kill()
    running.communicate(timeout=PATIENCE)
    assert gone(server)
    assert gone(process)
    assert all(gone(child.pid) for child in children)
