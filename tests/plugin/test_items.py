"""Scenarios as items: their ids, marks and places, and every way in which pytest selects some of them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.projects import COUNTING, FAILING, MATRIX, ONE, SPARED, Run, played


def outcomes(result: pytest.RunResult, **expected: int) -> None:
    result.assert_outcomes(**expected)


def ids(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_each_claim_and_the_play_is_an_item(run: Run) -> None:
    Path("one.yaml").write_text(ONE + "tokens: {notice: {at_most: 200}}\n")
    result = run("--agog-scenario=one.yaml", "--co", "-q")
    assert result.ret == 0
    assert ids(result) == ["one.yaml::play", "one.yaml::seen", "one.yaml::quiet", "one.yaml::tokens.notice"]


def test_matrix_values_come_last_in_brackets(run: Run) -> None:
    Path("sized.yaml").write_text(MATRIX)
    result = run("--agog-scenario=sized.yaml", "--co", "-q")
    assert ids(result) == [f"sized.yaml::{item}[{size}]" for size in ("small", "large") for item in ("play", "seen")]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("sized.yaml::seen[large]", ["sized.yaml::seen[large]"]),
        ("sized.yaml::seen", ["sized.yaml::seen[small]", "sized.yaml::seen[large]"]),
        ("--agog-scenario=sized.yaml::play[small]", ["sized.yaml::play[small]"]),
    ],
)
def test_one_item_by_its_id(run: Run, argument: str, expected: list[str]) -> None:
    Path("sized.yaml").write_text(MATRIX)
    Path("conftest.py").write_text(COUNTING)
    result = run(argument, "-v")
    outcomes(result, passed=len(expected))
    assert [line.split()[0] for line in result.outlines if "PASSED" in line] == expected
    assert len(played()) == len(expected)


def test_selecting_one_check_plays_once_and_judges_it_alone(run: Run) -> None:
    Path("failing.yaml").write_text(FAILING)
    Path("conftest.py").write_text(COUNTING)
    result = run("--agog-scenario=failing.yaml", "-k", "quiet")
    outcomes(result, passed=1, deselected=2)
    result.stdout.fnmatch_lines(["? failing  1 claim *", "1 scenario, 1 claim: 1 passed"])
    assert len(played()) == 1


def test_two_ids_of_one_file_share_one_play(run: Run) -> None:
    Path("one.yaml").write_text(ONE)
    Path("conftest.py").write_text(COUNTING)
    outcomes(run("one.yaml::quiet", "one.yaml::seen"), passed=2)
    assert len(played()) == 1


def test_items_in_any_order_play_each_scenario_once(run: Run, pytester: pytest.Pytester) -> None:
    Path("one.yaml").write_text(ONE)
    Path("sized.yaml").write_text(MATRIX)
    Path("conftest.py").write_text(COUNTING)
    result = pytester.runpytest_inprocess(*SPARED, "--agog-scenario=.")
    outcomes(result, passed=7)
    assert sorted(line.split()[0] for line in played()) == ["one", "sized[large]", "sized[small]"]


@pytest.mark.parametrize("tag", ["quick", "two-words"])
def test_tags_are_marks_that_strict_markers_know(run: Run, tag: str) -> None:
    Path("one.yaml").write_text(ONE)
    Path("sized.yaml").write_text(MATRIX)
    result = run("--agog-scenario=.", "-m", tag, "--strict-markers", "-W", "error")
    outcomes(result, passed=3, deselected=4)


def test_keywords_are_names_of_scenarios_files_and_claims(run: Run) -> None:
    Path("file.yaml").write_text(ONE)
    assert ids(run("--agog-scenario=.", "--co", "-q", "-k", "one and not play")) == [
        "file.yaml::seen",
        "file.yaml::quiet",
    ]
    assert len(ids(run("--agog-scenario=.", "--co", "-q", "-k", "file"))) == 3


def test_exit_first_and_deselect(run: Run) -> None:
    Path("failing.yaml").write_text(FAILING)
    result = run("--agog-scenario=failing.yaml", "-x")
    outcomes(result, passed=1, failed=1)
    assert result.ret == 1
    outcomes(run("--agog-scenario=failing.yaml", "--deselect", "failing.yaml::seen"), passed=2, deselected=1)


@pytest.mark.parametrize("folder", [".", "below"])
def test_last_failed_finds_it_beside_a_python_failure(run: Run, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    Path(folder).mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    Path("failing.yaml").write_text(FAILING)
    Path("one.yaml").write_text(ONE)
    Path("test_fails.py").write_text("def test_fails(): assert 0\ndef test_passes(): pass\n")
    arguments = ["test_fails.py", "--agog-scenario=failing.yaml", "--agog-scenario=one.yaml"]
    outcomes(run(*arguments), passed=6, failed=2)
    result = run(*arguments, "--lf", "-v")
    result.stdout.fnmatch_lines(["*test_fails FAILED*", "failing.yaml::seen FAILED*"])
    assert (result.parseoutcomes()["failed"], "passed" in result.parseoutcomes()) == (2, False)


def test_failed_first_and_stepwise(run: Run) -> None:
    Path("failing.yaml").write_text(FAILING)
    outcomes(run("--agog-scenario=failing.yaml"), passed=2, failed=1)
    result = run("--agog-scenario=failing.yaml", "--ff", "-v")
    shown = [line.split()[0] for line in result.outlines if "::" in line and "[" in line]
    assert shown == [f"failing.yaml::{item}" for item in ("seen", "play", "quiet")]
    outcomes(run("--agog-scenario=failing.yaml", "--sw"), passed=1, failed=1)
    outcomes(run("--agog-scenario=failing.yaml", "--sw"), failed=1, deselected=1)


def test_junit_has_every_item_and_its_line(run: Run) -> None:
    Path("failing.yaml").write_text(FAILING)
    result = run("--agog-scenario=failing.yaml", "--junitxml=out.xml", "-o", "junit_family=xunit1")
    assert result.ret == 1
    cases = {case.get("name"): case for case in ET.parse("out.xml").getroot().iter("testcase")}
    assert {name: (case.get("file"), case.get("line")) for name, case in cases.items()} == {
        "play": ("failing.yaml", "1"),
        "seen": ("failing.yaml", "7"),
        "quiet": ("failing.yaml", "11"),
    }
    failure = cases["seen"].find("failure")
    assert failure is not None
    assert "no message on the subject" in (failure.get("message") or "")
    assert "failing.yaml:8:5" in (failure.text or "")


def test_a_failure_is_told_without_a_traceback(run: Run) -> None:
    Path("failing.yaml").write_text(FAILING)
    result = run("--agog-scenario=failing.yaml", "--durations=2", "--durations-min=0")
    result.stdout.fnmatch_lines([
        "*failing.yaml:8:5*", "*- id: seen", "*^^^^*", "expected *", "observed  no message on the subject",
        "again *--agog-scenario=failing.yaml::seen", "? failing  1 of 2 claims failed*",
        "*slowest 2 durations*", "*failing.yaml::play", "FAILED failing.yaml::seen - no message on the subject*",
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*.py:*")


def test_debug_shows_the_traceback(run: Run) -> None:
    Path("failing.yaml").write_text(FAILING)
    run("--agog-scenario=failing.yaml", "--agog-debug").stdout.fnmatch_lines(["*collection.py*", "*ClaimFailed*"])


def test_a_failed_step_fails_the_play_and_the_claims_are_judged(run: Run) -> None:
    Path("step.yaml").write_text(ONE.replace("proof:", "  - run: {command: [sh, -c, 'echo oh; exit 3']}\nproof:"))
    result = run("--agog-scenario=step.yaml")
    outcomes(result, passed=2, failed=1)
    result.stdout.fnmatch_lines(["*step 2 of 2 (run)*", "observed *exit status 3*"])


def test_services_that_do_not_start_fail_every_item_once_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_SERVER_BINARY", "/nonexistent/nats-server")
    monkeypatch.setenv("AGOG_NATS_SERVER", "/nonexistent/nats-server")
    Path("one.yaml").write_text(ONE)
    result = run("--agog-scenario=one.yaml", "--agog-nats-url=nats://127.0.0.1:9")
    outcomes(result, failed=3)
    result.stdout.fnmatch_lines(["*127.0.0.1:9 cannot be reached*", "? one  did not start*"])
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    "options", [["-v"], ["-q"], ["-qq"], ["-s"], ["--no-header"], ["--no-summary"], ["-p", "no:cacheprovider"],
                ["-p", "no:asyncio"], ["-p", "no:xdist"], ["--tb=short"], ["--capture=fd"], ["-W", "error"],
                ["-p", "no:tmpdir"], ["--color=yes"]],
)  # fmt: skip
def test_with_other_options_of_pytest(run: Run, options: list[str]) -> None:
    Path("one.yaml").write_text(ONE)
    result = run("--agog-scenario=one.yaml", *options)
    assert result.ret == 0
    assert result.stderr.lines == []


def test_without_a_terminal_the_report_is_written_all_the_same(run_apart: Run) -> None:
    Path("one.yaml").write_text(ONE)
    result = run_apart("--agog-scenario=one.yaml", "-p", "no:terminal", "--agog-report=out")
    assert result.ret == 0
    assert {path.name for path in Path("out").iterdir()} >= {"report.json", "report.html", "summary.md", "bundle"}
