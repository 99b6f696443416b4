"""What `--agog-scenario` takes, and what it says to what it does not take."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_agog.selection import bundled_scenarios
from tests.plugin.projects import ONE, Run


def ids(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def files(result: pytest.RunResult) -> set[str]:
    return {line.partition("::")[0] for line in ids(result)}


@pytest.fixture
def tests(run: Run) -> Run:
    """A project with a Python test, and a scenario beside it."""
    Path("tests").mkdir()
    Path("tests/test_python.py").write_text("def test_it(): pass\n")
    Path("tests/one.yaml").write_text(ONE)
    Path("tests/other.yaml").write_text("services: {}\n")
    return run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--agog-scenario=tests"], {"tests/one.yaml"}),
        (["--agog-scenario=tests/one.yaml", "--agog-scenario=tests"], {"tests/one.yaml"}),
        (["tests/test_python.py", "--agog-scenario=tests"], {"tests/one.yaml", "tests/test_python.py"}),
        (["tests/", "--agog-scenario=tests/one.yaml"], {"tests/one.yaml", "tests/test_python.py"}),
        (["tests/"], {"tests/test_python.py"}),
        ([], {"tests/test_python.py"}),
    ],
)
def test_scenarios_alone_or_beside_python_tests(tests: Run, arguments: list[str], expected: set[str]) -> None:
    assert files(tests(*arguments, "--co", "-q")) == expected


def test_paths_of_the_ini_file_are_not_paths_that_were_given(tests: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\naddopts = -ra tests/test_python.py\ntestpaths = tests\n")
    assert files(tests("--agog-scenario=tests/one.yaml", "--co", "-q")) == {"tests/one.yaml"}


def test_without_a_value_all_bundled_scenarios(tests: Run) -> None:
    everything = {
        path.relative_to(bundled_scenarios().parent).as_posix()
        for path in bundled_scenarios().rglob("*.yaml")
        if "\nagog:" in f"\n{path.read_text()}"
    }
    assert files(tests("--agog-scenario", "--co", "-q")) == everything
    assert files(tests("--agog-scenario=", "--co", "-q")) == everything
    assert files(tests("--agog-scenario=deliverables", "--co", "-q")) == {
        path for path in everything if path.startswith("scenarios/deliverables/")
    }


def test_without_a_value_the_folders_of_the_ini_file(tests: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nagog_scenarios = tests more\n")
    Path("more").mkdir()
    Path("more/two.yml").write_text(ONE.replace("name: one", "name: two"))
    assert files(tests("--agog-scenario", "--co", "-q")) == {"tests/one.yaml", "more/two.yml"}
    assert files(tests("--agog-scenario=two", "--co", "-q")) == {"more/two.yml"}


def test_a_path_comes_before_a_theme_and_a_name(run: Run) -> None:
    Path("deliverables").mkdir()
    Path("deliverables/own.yaml").write_text(ONE)
    Path("monitoring").write_text(ONE)
    assert files(run("--agog-scenario=deliverables", "--co", "-q")) == {"deliverables/own.yaml"}
    assert files(run("--agog-scenario=monitoring", "--co", "-q")) == {"monitoring"}


HINT = "*write paths for pytest before it, or --agog-scenario=X with an equals sign*"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--agog-scenario=six-agent-hand"], "*nor a scenario's name; did you mean six-agent-handover*"),
        (["--agog-scenario=deliverabels"], "*did you mean deliverables*"),
        (["--agog-scenario=nowhere.yaml"], "ERROR: --agog-scenario=nowhere.yaml: neither an existing path, *"),
        (["--agog-scenario", "nowhere/"], HINT),
        (["--agog-scenario", "tests/test_python.py"], HINT),
        (["--agog-scenario=tests/test_python.py"], HINT),
        (["--agog-scenario=empty"], "*the folder *empty holds no scenario (a YAML file with `agog: 1`)"),
        (["--agog-scenario", "empty/"], HINT),
        (["--agog-scenario=tests/one.yaml::nothing"], "*not found: *one.yaml::nothing*"),
        (["--agog-scenario=../../../../../../etc/passwd2"], "*neither an existing path*"),
    ],
)
def test_what_is_no_scenario_is_wrong_usage(tests: Run, arguments: list[str], message: str) -> None:
    Path("empty").mkdir()
    result = tests(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    result.stderr.no_fnmatch_line("*Traceback*")


WRONG = {
    "typo.yaml": (ONE.replace("proof:", "prof:"), "typo.yaml:7:1: unknown key 'prof'; did you mean 'proof'?"),
    "tab.yaml": (ONE.replace("  - id", "\t- id"), "tab.yaml:8:1: *"),
    "check.yaml": (ONE.replace("check: never", "check: nevr"), "check.yaml:14:12: *did you mean 'never'*"),
    "twice.yaml": (ONE.replace("id: quiet", "id: seen"), "twice.yaml:12:9: *"),
    "variable.yaml": (ONE.replace("test.y", "'${nope}'"), "variable.yaml:15:*nope*"),
    "large.yaml": (ONE + "#" * 1_000_000, "large.yaml:1:1: the file has * bytes, at most 1,000,000 are read"),
    "data.bin": ("agog: 1\n\x00\x01\n", "data.bin:2:1: *binary*"),
    "none.yaml": ("services: {}\n", "none.yaml:1:1: 'agog' is missing"),
    "empty.yaml": ("", "empty.yaml:1:1: the file is empty"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_content_is_told_with_its_place(run: Run, name: str) -> None:
    text, message = WRONG[name]
    Path(name).write_text(text)
    result = run(f"--agog-scenario={name}")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*Traceback*")
    if name.endswith(".yaml"):
        assert run(name).ret == pytest.ExitCode.INTERRUPTED


def test_all_errors_of_all_files_at_once(run: Run) -> None:
    Path("a.yaml").write_text(ONE.replace("proof:", "prof:").replace("tags:", "tag:"))
    Path("b.yaml").write_text(ONE.replace("check: never", "check: nevr"))
    result = run("--agog-scenario=.")
    result.stdout.fnmatch_lines(["a.yaml:3:1: *", "a.yaml:7:1: *", "b.yaml:14:12: *", "*2 errors*"])


def test_a_yaml_file_of_another_plugin_stays_with_it(run: Run) -> None:
    Path("conftest.py").write_text(
        "import pytest\n"
        "class Theirs(pytest.File):\n"
        "    def collect(self):\n"
        "        yield TheirItem.from_parent(self, name='theirs')\n"
        "class TheirItem(pytest.Item):\n"
        "    def runtest(self): pass\n"
        "def pytest_collect_file(file_path, parent):\n"
        "    if file_path.suffix == '.yaml':\n"
        "        return Theirs.from_parent(parent, path=file_path)\n"
    )
    Path("theirs.yaml").write_text("stages: []\n")
    Path("ours.yaml").write_text(ONE)
    assert ids(run("theirs.yaml", "--co", "-q")) == ["theirs.yaml::theirs"]
    assert len(ids(run("ours.yaml", "--co", "-q"))) == 4


def test_a_pipe_is_no_scenario_and_nobody_waits_for_it(run: Run) -> None:
    os.mkfifo("pipe.yaml")
    result = run("--agog-scenario=pipe.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --agog-scenario=pipe.yaml: this is no regular file"])
