"""Folders in memory go away with their owner, and nobody else's are touched."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from psutil import NoSuchProcess, Process

from pytest_agog.stage.machine.scratch import Scratch


def test_it_is_ours_alone_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGOG_SCRATCH_DIR", str(tmp_path))
    one, other = Scratch(tmp_path / "x"), Scratch(tmp_path / "x")
    assert one.path != other.path
    assert one.path.stat().st_mode & 0o077 == 0
    one.release()
    one.release()
    assert not one.path.exists()
    assert other.path.is_dir()
    other.release()
    assert list(tmp_path.iterdir()) == []


def test_the_given_folder_where_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGOG_SCRATCH_DIR", raising=False)
    monkeypatch.setattr("pytest_agog.stage.machine.scratch._ROOM", 1 << 62)
    scratch = Scratch(tmp_path / "on disk")
    assert scratch.path == tmp_path / "on disk"
    assert scratch.path.is_dir()
    scratch.release()
    assert not scratch.path.exists()


def test_what_a_killed_run_left_is_swept_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGOG_SCRATCH_DIR", str(tmp_path))
    mine = f"agog-{os.geteuid()}-"
    abandoned, newborn, foreign = (tmp_path / name for name in (f"{mine}dead", f"{mine}new", "something-else"))
    for folder in (abandoned, newborn, foreign):
        folder.mkdir()
    (abandoned / "owner").touch()
    for folder in (abandoned, foreign):
        os.utime(folder, (0, 0))
    held = Scratch(tmp_path / "x")
    os.utime(held.path.parent, (0, 0))
    another = Scratch(tmp_path / "x")
    assert not abandoned.exists()
    assert newborn.is_dir()
    assert foreign.is_dir()
    assert held.path.is_dir()
    held.release()
    another.release()


def test_a_killed_run_leaves_no_folder(harness: Callable[[str], subprocess.Popen[str]], tmp_path: Path) -> None:
    process = harness("""
        import os, sys
        from pathlib import Path
        os.environ["AGOG_SCRATCH_DIR"] = sys.argv[1]
        from pytest_agog.stage.machine.scratch import Scratch
        from pytest_agog.stage.machine.spawning import SPAWNER
        print(Scratch(Path("unused")).path, SPAWNER.watchdog.pid, flush=True)
        stay()
    """)
    assert process.stdout is not None
    path, _, watchdog = process.stdout.readline().strip().rpartition(" ")
    assert Path(path).is_dir()
    process.kill()
    with contextlib.suppress(NoSuchProcess):
        Process(int(watchdog)).wait(10)
    assert not Path(path).parent.exists()
