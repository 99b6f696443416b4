"""A worker that dies in mid-run: another takes over, and the run ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.projects import ONE, Run

DYING = """
import os, signal
from pathlib import Path

def pytest_agog_observe(ledger, scenario):
    if scenario.name == "two" and not Path("died").exists():
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadgroup"])
def test_a_worker_that_dies_after_its_first_scenario(run_apart: Run, dist: str) -> None:
    Path("conftest.py").write_text(DYING)
    for name in ("one", "two"):
        Path(f"{name}.yaml").write_text(ONE.replace("name: one", f"name: {name}"))
    result = run_apart("--agog-scenario=.", "-n", "1", f"--dist={dist}")
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(
        ["*worker 'gw0' crashed while running 'two.yaml::play'*", "2 scenarios, 4 claims: 4 passed"]
    )
    assert result.ret == 1
