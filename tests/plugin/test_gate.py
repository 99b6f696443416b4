"""`--agog-gate`: the gate's commands as items. [O12]"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugin.projects import ONE, Run


def settings(build: str = "print('built')", tests: str = "print('3 passed in 0.1s')") -> str:
    return (
        "[gate]\ncommands = [\n"
        f'  {{name = "build", run = ["python", "-c", {json.dumps(build)}], proves = ["build"]}},\n'
        f'  {{name = "tests", run = ["python", "-c", {json.dumps(tests)}], proves = ["tests"]}},\n]\n'
    )


def test_work_that_would_be_accepted(project: Path, run_apart: Run) -> None:
    (project / "agog.toml").write_text(settings())
    (project / "test_other.py").write_text("def test_other(): assert False\n")
    result = run_apart("--agog-gate", "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["agog.toml::build PASSED*", "agog.toml::tests PASSED*", "agog.toml::verdict PASSED*"])


def test_a_command_that_fails_with_its_output_and_what_was_not_reached(project: Path, run_apart: Run) -> None:
    (project / "agog.toml").write_text(settings("print('error TS2304\\npassword=hunter2secret'); raise SystemExit(2)"))
    result = run_apart("--agog-gate", "--agog-report=reports", "-rs")
    result.assert_outcomes(failed=2, skipped=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["  | error TS2304", "rejected: command build failed*", "*not run: build did not pass"])
    kept = json.loads((project / "reports" / "gate.json").read_text())
    assert (kept["verdict"], kept["commands"][0]["exit"]) == ("rejected", 2)
    assert "hunter2secret" not in (project / "reports" / "gate.json").read_text() + result.stdout.str()


def test_nothing_run_is_nothing_proven(project: Path, run_apart: Run) -> None:
    (project / "agog.toml").write_text(settings(tests="print('collected 0 items')"))
    result = run_apart("--agog-gate")
    result.assert_outcomes(passed=1, failed=2)


def test_one_of_its_items_by_id_and_beside_tests_and_scenarios(project: Path, run_apart: Run) -> None:
    (project / "ci.toml").write_text(settings())
    (project / "one.yaml").write_text(ONE)
    (project / "test_other.py").write_text("def test_other(): pass\n")
    result = run_apart("--agog-gate", "--agog-gate-config=ci.toml", "--agog-scenario=one.yaml", "test_other.py")
    result.assert_outcomes(passed=3 + 3 + 1)
    run_apart("--agog-gate", "--agog-gate-config=ci.toml", "-k", "build").assert_outcomes(passed=1, deselected=2)


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (None, 4, "*there is no *agog.toml*"),
        ("[gate]\n", 2, "*has no commands*"),
        ("[gate]\nspeed = 3\n", 2, "*gate.speed*"),
    ],
)
def test_settings_that_cannot_be_used(text: str | None, code: int, told: str, project: Path, run_apart: Run) -> None:
    if text is not None:
        (project / "agog.toml").write_text(text)
    result = run_apart("--agog-gate")
    assert result.ret == code
    assert any(line for line in (*result.outlines, *result.errlines) if told.strip("*").split("*")[-1] in line)
