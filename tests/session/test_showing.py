"""The progress line on a terminal stands below the line that pytest is writing, and leaves that as it was."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.plugin.projects import ONE, SPARED

TWO = ONE.replace("proof:", "  - publish: {subject: test.x, json: {n: 2}, core: true}\nproof:")


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What a run writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    for name in ("CI", "NO_COLOR", "GITHUB_ACTIONS"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", *SPARED, *arguments],
        cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # Linux says EIO when the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(60) == 0
    return written.decode()


def test_below_the_line_that_pytest_writes(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(TWO)
    written = on_a_terminal(tmp_path, "--agog-scenario=one.yaml", "-v", "--color=no")
    start = written.index("one.yaml::play ")
    line = written[start : written.index("PASSED", start)]
    assert line.startswith("one.yaml::play \r\n\r"), repr(written)
    assert "step 2 of 2: publish" in line
    # Wiped, then back to where pytest stopped: one line up, behind what it wrote.
    assert line.endswith("\r\x1b[K\x1b[A\x1b[15C")
