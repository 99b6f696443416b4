"""Processes end when they should, wholly, and never block whoever waits for them."""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_agog.errors import CommandNotFound
from pytest_agog.stage.machine import spawning
from pytest_agog.stage.machine.output import BoundedOutput
from pytest_agog.stage.machine.processes import ManagedProcess


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", textwrap.dedent(code)]


async def test_a_command_gets_its_input_and_hands_back_its_output() -> None:
    data = os.urandom(3_000_000)
    command = python("import sys; d = sys.stdin.buffer.read(); sys.stdout.buffer.write(d); sys.stderr.write('done')")
    finished = await ManagedProcess(command, pipes=True).communicate(data, seconds=30)
    assert (finished.exit, finished.stdout, finished.stderr) == (0, data, b"done")
    assert not finished.timed_out
    assert not finished.stragglers


async def test_a_command_that_ignores_its_input_ends_all_the_same() -> None:
    finished = await ManagedProcess(python("print('no')"), pipes=True).communicate(b"x" * 5_000_000, seconds=30)
    assert (finished.exit, finished.stdout) == (0, b"no\n")


async def test_fifty_megabytes_of_output_keep_their_beginning_and_end() -> None:
    command = python("""
        import os
        os.write(1, b"first")
        for _ in range(50):
            view = memoryview(b"x" * 1_000_000)
            while view:
                view = view[os.write(1, view):]
        os.write(1, b"last")
    """)
    finished = await ManagedProcess(command, pipes=True).communicate(seconds=60, limit=1_000_000)
    assert finished.stdout.startswith(b"firstxxx")
    assert finished.stdout.endswith(b"xxxlast")
    assert len(finished.stdout) < 1_000_100
    assert finished.left_out == 50_000_009 - 1_000_000


async def test_a_timeout_kills_grandchildren_too(gone: Callable[[int], bool]) -> None:
    command = python("""
        import os, signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = os.fork()
        if child:
            print(child, flush=True)
        time.sleep(600)
    """)
    started = time.monotonic()
    finished = await ManagedProcess(command, pipes=True).communicate(seconds=0.5)
    assert finished.timed_out
    assert finished.exit == -signal.SIGKILL
    assert time.monotonic() - started < 5
    assert gone(int(finished.stdout))


async def test_a_grandchild_that_keeps_the_output_open_does_not_hang_us(gone: Callable[[int], bool]) -> None:
    command = python("""
        import os, time
        child = os.fork()
        if not child:
            time.sleep(600)
        print(child)
    """)
    started = time.monotonic()
    finished = await ManagedProcess(command, pipes=True).communicate(seconds=60, linger=0.1)
    assert time.monotonic() - started < 10
    assert finished.exit == 0
    assert finished.stragglers
    assert gone(int(finished.stdout))


async def test_a_child_that_outlives_its_parent_briefly_may_finish_its_output() -> None:
    command = python("""
        import os, time
        parent = os.getpid()
        if not os.fork():
            while os.getppid() == parent:
                time.sleep(0.001)
            os.write(1, b"late")
    """)
    finished = await ManagedProcess(command, pipes=True).communicate(seconds=60, linger=20)
    assert finished.stdout == b"late"
    assert not finished.stragglers


async def test_cancelling_kills_the_command() -> None:
    process = ManagedProcess(python("import time; time.sleep(600)"), pipes=True)
    task = asyncio.create_task(process.communicate())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert process.returncode == -signal.SIGKILL


def test_stop_is_bounded_and_idempotent(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = ManagedProcess(
        python("import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"),
        log=log,
    )
    while log.read_text() != "up\n":
        select.select([], [], [], 0.01)
    assert process.alive
    assert process.stop(grace=0.1) == -signal.SIGKILL
    assert process.stop() == -signal.SIGKILL
    assert not process.alive


def test_a_process_outlives_the_thread_that_asked_for_it() -> None:
    import threading

    started: list[ManagedProcess] = []
    thread = threading.Thread(target=lambda: started.append(ManagedProcess(["sleep", "600"])))
    thread.start()
    thread.join()
    with started[0] as process:
        assert process.wait(0.3) is None


@pytest.mark.parametrize(
    ("command", "reason"),
    [("no-such-command", "not on PATH"), ("./no-such-file", "no such file"), ("./plain.txt", "no executable file")],
)
def test_what_cannot_be_started_is_named(command: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("text")
    with pytest.raises(CommandNotFound, match=reason):
        ManagedProcess([command], cwd=tmp_path)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_nothing_outlives_the_harness(end: signal.Signals | None, tmp_path: Path, gone: Callable[[int], bool]) -> None:
    harness = textwrap.dedent("""
        import select, sys, time
        from pathlib import Path
        from pytest_agog.stage.machine.processes import ManagedProcess
        tree = [sys.executable, "-I", "-S", "-c",
                "import os, time; c = os.fork(); c and print(os.getpid(), c, flush=True); time.sleep(600)"]
        log = Path(sys.argv[1])
        ManagedProcess(tree, log=log)
        while not log.read_text():
            time.sleep(0.01)
        from pytest_agog.stage.machine.spawning import SPAWNER
        print(log.read_text().strip(), SPAWNER.watchdog.pid, flush=True)
        # Not a plain read: it would lose a signal that comes right before the system call.
        while not select.select([sys.stdin], [], [], 0.05)[0]:
            pass
    """)
    with subprocess.Popen(
        [sys.executable, "-c", harness, str(tmp_path / "log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        if end is not None:
            parent.send_signal(end)
        else:
            parent.communicate()
        parent.wait()
    assert all(gone(pid) for pid in pids)


@pytest.fixture
def without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems and in sandboxes where a process can only be waited for by reaping it."""

    def refuse(pid: int, flags: int = 0) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)


@pytest.mark.usefixtures("without_pidfd")
async def test_without_handles_for_processes(tmp_path: Path, gone: Callable[[int], bool]) -> None:
    before = set(spawning.SPAWNER.live)
    done = await ManagedProcess(python("print(input()); raise SystemExit(3)"), pipes=True).communicate(b"x\n")
    assert (done.exit, done.stdout) == (3, b"x\n")
    done = await ManagedProcess(["sleep", "600"], pipes=True).communicate(seconds=0.1)
    assert (done.exit, done.timed_out) == (-signal.SIGKILL, True)
    log = tmp_path / "log"
    command = python("import os, time; os.fork() or (print(os.getpid(), flush=True), time.sleep(600)); time.sleep(0.2)")
    process = ManagedProcess(command, log=log)
    assert process.wait(0.01) is None
    assert await process.exited() == 0
    child = int(log.read_text())
    assert gone(child)
    with ManagedProcess(["sleep", "600"]) as process:
        assert process.alive
    assert process.returncode == -signal.SIGTERM
    assert set(spawning.SPAWNER.live) <= before


@pytest.fixture
def without_setpriv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Processes are started by an interpreter of ours."""
    monkeypatch.setenv("PATH", str(tmp_path))
    spawning._setpriv.cache_clear()
    yield
    spawning._setpriv.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a death signal")
@pytest.mark.usefixtures("without_setpriv")
async def test_another_way_to_set_the_death_signal(tmp_path: Path) -> None:
    identity = Path(shutil.which("id", path=os.defpath) or "")
    done = await ManagedProcess([str(identity), "-u"], pipes=True).communicate()
    assert (done.exit, int(done.stdout)) == (0, os.geteuid())
    if os.geteuid() == 0:
        # That user cannot start this interpreter where it lies in root's home.
        done = await ManagedProcess([str(identity), "-u"], pipes=True, uid=65534, gid=65534).communicate()
        assert (done.exit, done.stdout) == (0, b"65534\n")
    script = tmp_path / "tool"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    done = await ManagedProcess([str(script)], pipes=True).communicate()
    assert (done.exit, done.stderr) == (1, f"{script}: No such file or directory\n".encode())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a death signal")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_signal_alone_is_enough(
    end: int, harness: Callable[[str], subprocess.Popen[str]], gone: Callable[[int], bool]
) -> None:
    process = harness("""
        import os, shutil, signal
        sleep = shutil.which("sleep")
        os.environ["PATH"] = "/nowhere"
        from pytest_agog.stage.machine.processes import ManagedProcess
        from pytest_agog.stage.machine.spawning import SPAWNER
        process = ManagedProcess([sleep, "600"])
        while b"sleep" not in open(f"/proc/{process.pid}/cmdline", "rb").read().partition(b"\\0")[0]:
            pass
        os.killpg(SPAWNER.watchdog.pid, signal.SIGKILL)
        print(process.pid, flush=True)
        stay()
    """)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.send_signal(end)
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
def test_the_watchdog_does_not_wait_for_those_whom_nobody_reaps() -> None:
    harness = """
        import sys
        from pytest_agog.stage.machine.processes import ManagedProcess
        from pytest_agog.stage.machine.spawning import SPAWNER
        print(ManagedProcess(["sleep", "600"]).pid, SPAWNER.watchdog.pid, flush=True)
        sys.stdin.read()
    """
    negligent = f"""
        import ctypes, os, subprocess, sys, time
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process = subprocess.Popen([sys.executable, "-c", {textwrap.dedent(harness)!r}], **pipes)
        orphan, watchdog = map(int, process.stdout.readline().split())
        process.kill()
        process.wait()
        begin = time.monotonic()
        os.waitpid(watchdog, 0)
        print(time.monotonic() - begin, open(f"/proc/{{orphan}}/stat").read().rpartition(")")[2].split()[0])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(negligent)], check=True, capture_output=True, text=True, timeout=30
    )
    seconds, state = done.stdout.split()
    assert state == "Z"
    assert float(seconds) < 2  # it gives those that run three


def test_bounded_output_keeps_all_that_fits() -> None:
    output = BoundedOutput(10)
    for chunk in (b"abc", b"defgh", b"ij"):
        output.add(chunk)
    assert (output.value(), output.left_out) == (b"abcdefghij", 0)
    output.add(b"k" * 100)
    assert output.value() == b"abcde\n[... 100 bytes left out ...]\nkkkkk"
