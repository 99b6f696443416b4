"""A pytest run that can be interrupted, and what is left of it: processes by a mark in their environment, folders."""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.plugin.projects import SPARED

MARK = "AGOG_TEST_MARK"
PATIENCE = 60.0


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether it holds in time; a bounded poll, for what cannot notify."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        select.select([], [], [], 0.02)
    return True


class Started:
    """`pytest ARGUMENTS…` in a session of its own, with temporary folders of its own."""

    def __init__(self, project: Path, *arguments: str) -> None:
        self._mark = secrets.token_hex(8)
        self.temporary, self.scratch = project / "temporary", project / "scratch"
        self.temporary.mkdir()
        self.scratch.mkdir()
        environment = {MARK: self._mark, "TMPDIR": str(self.temporary), "AGOG_SCRATCH_DIR": str(self.scratch)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:randomly", *SPARED, *arguments],
            cwd=project,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def marked(self) -> dict[int, str]:
        """Every process that descends from the run, with its name; zombies do not count."""
        found: dict[int, str] = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found[process.pid] = process.name()
            except psutil.Error:
                continue
        return found

    def folders(self) -> list[str]:
        """What is left of our folders; pytest's own stay as long as it likes."""
        ours = [path for path in self.temporary.rglob("agog-*") if path.is_dir() or path.is_symlink()]
        return [str(path) for path in (*ours, *self.scratch.iterdir())]

    def output(self) -> str:
        """Wait for its end; what it printed."""
        return self.process.communicate(timeout=PATIENCE)[0]

    def end(self) -> None:
        """End everything that is left, so that a failed test leaves nothing."""
        self.process.kill()
        self.process.communicate()
        for pid in self.marked():
            try:
                psutil.Process(pid).kill()
            except psutil.Error:
                continue
