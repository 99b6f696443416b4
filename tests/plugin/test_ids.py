"""Printed ids and paths begin where pytest was called; rootdir, which option values confuse, plays no part."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.projects import ONE, Run


def shown(result: pytest.RunResult) -> set[str]:
    return {line.split()[0].partition("::")[0] for line in result.outlines if "::" in line}


@pytest.fixture
def below(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Called in a folder below rootdir."""
    Path("below").mkdir()
    monkeypatch.chdir("below")
    Path("one.yaml").write_text(ONE)
    Path("test_python.py").write_text("def test_it(): pass\n")
    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ["--agog-scenario=one.yaml"],
        ["--agog-scenario", "one.yaml"],
        ["one.yaml"],
        ["--agog-scenario=one.yaml", "--rootdir=/"],
        ["--agog-scenario=."],
    ],
)
def test_ids_are_relative_to_where_pytest_was_called(below: Run, arguments: list[str]) -> None:
    result = below(*arguments, "-v")
    assert result.ret == 0
    assert shown(result) == {"one.yaml"}


def test_beside_python_tests(below: Run) -> None:
    assert shown(below("test_python.py", "--agog-scenario=one.yaml", "-v")) == {"one.yaml", "test_python.py"}


def test_printed_ids_can_be_given_back(below: Run) -> None:
    for first in (["one.yaml"], ["--agog-scenario=one.yaml"], ["test_python.py", "--agog-scenario=one.yaml"]):
        printed = [line for line in below(*first, "--co", "-q").outlines if line.endswith("::seen")]
        assert below(*printed).parseoutcomes() == {"passed": 1}


def test_bundled_scenarios_are_shown_below_scenarios(run: Run) -> None:
    result = run("--agog-scenario=monitoring", "--co", "-q")
    assert shown(result) == {"scenarios/deliverables/monitoring.yaml"}
    again = run("--agog-scenario=scenarios/deliverables/monitoring.yaml::healthy", "--co", "-q")
    assert [line for line in again.outlines if "::" in line] == ["scenarios/deliverables/monitoring.yaml::healthy"]


def test_a_folder_with_a_space(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a folder").mkdir()
    Path("a folder/one.yaml").write_text(ONE)
    assert shown(run("--agog-scenario=a folder/one.yaml", "-v")) == {"a"}
    monkeypatch.chdir("a folder")
    assert shown(run("--agog-scenario=one.yaml", "-v")) == {"one.yaml"}


def test_a_path_that_pytest_cannot_take_is_refused_with_the_remedy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a[b]").mkdir()
    Path("a[b]/one.yaml").write_text(ONE)
    result = run("--agog-scenario=a[b]/one.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *one.yaml: pytest takes no path with*call pytest in its folder*"])
    monkeypatch.chdir("a[b]")
    assert run("--agog-scenario=one.yaml").parseoutcomes() == {"passed": 3}
