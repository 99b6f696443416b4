"""pytest imports the plugin's modules as they are, and goes on rewriting what users test with."""

from __future__ import annotations

from pathlib import Path

import pytest

SAY = """\
import sys

def pytest_unconfigure(config):
    rewritten = [name for name, module in sys.modules.items()
                 if type(getattr(module, "__loader__", None)).__name__ == "AssertionRewritingHook"]
    rooms = {"scenario", "stage", "play", "ledger", "checks", "report"}
    assert rooms <= {name.split(".")[1] for name in sys.modules if name.startswith("pytest_agog.")}
    print("plugin:", [name for name in rewritten if rooms & set(name.split(".")[1:2])])
    print("users:", [name for name in rewritten if name.startswith("test_")])
"""


def test_only_what_users_wrote_is_rewritten(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(SAY)
    pytester.makepyfile(test_mine="def test_sum():\n    assert 1 + 1 == 3\n")
    Path("one.yaml").write_text("agog: 1\nname: one\nsteps: [{run: {command: [python, -c, pass]}}]\n")
    result = pytester.runpytest_subprocess("test_mine.py", "--agog-scenario=one.yaml", "-p", "no:randomly", timeout=120)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*assert (1 + 1) == 3", "plugin: []", "users: ['test_mine']"])
