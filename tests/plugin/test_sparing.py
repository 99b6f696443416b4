"""What a run of scenarios does not wait for."""

from __future__ import annotations

from pathlib import Path

import pytest

SAY = """\
import sys

def pytest_unconfigure(config):
    print("loaded:", sorted({"hypothesis", "nats", "psycopg", "httpx"} & set(sys.modules)))
"""


def test_a_wrong_file_is_told_without_loading_what_it_does_not_need(project: Path, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(SAY)
    Path("wrong.yaml").write_text("agog: 1\nname: s\nproof: [{id: a, claim: b, check: mesage}]\n")
    result = pytester.runpytest_subprocess("--agog-scenario=wrong.yaml", timeout=60)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["wrong.yaml:3:34: unknown check 'mesage'; did you mean 'message'?", "loaded: []"])


def test_a_run_that_uses_hypothesis_keeps_its_plugin(project: Path, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from hypothesis import given, strategies

        @given(strategies.integers())
        def test_it(number):
            pass
        """
    )
    Path("one.yaml").write_text("agog: 1\nname: s\n")
    result = pytester.runpytest_subprocess(
        "test_a_run_that_uses_hypothesis_keeps_its_plugin.py",
        "--agog-scenario=one.yaml",
        "--hypothesis-show-statistics",
        "-k",
        "test_it",
        timeout=60,
    )
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*Hypothesis Statistics*"])
