"""A project's own ini file, conftest and working directory do not get in the way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.plugin.projects import COUNTING, ONE, Run, played


@pytest.mark.parametrize(
    "ini",
    [
        "filterwarnings = error",
        "addopts = --strict-markers --strict-config -W error -ra",
        "addopts = -p no:cacheprovider --import-mode=importlib",
        "testpaths = tests\npython_files = *.py",
        "norecursedirs = *\nxfail_strict = true",
        "usefixtures = something",
        "consider_namespace_packages = true\ncollect_imported_tests = false",
    ],
)
def test_ini_files(run: Run, pytester: pytest.Pytester, ini: str) -> None:
    pytester.makeini(f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{ini}\n")
    Path("one.yaml").write_text(ONE)
    Path("tests").mkdir()
    Path("tests/test_python.py").write_text("def test_it(): assert False\n")
    result = run("--agog-scenario=one.yaml")
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 3})
    assert result.stderr.lines == []


def test_a_conftest_with_fixtures_and_hooks_for_python_tests(run: Run) -> None:
    Path("one.yaml").write_text(ONE)
    Path("conftest.py").write_text(
        "import pytest\n"
        "collect_ignore_glob = ['*.yaml']\n"
        "@pytest.fixture(autouse=True, scope='session')\n"
        "def broken():\n    raise RuntimeError('not for scenarios')\n"
        "def pytest_ignore_collect(collection_path):\n    return True if collection_path.suffix == '.yaml' else None\n"
        "def pytest_collection_modifyitems(items):\n    items.reverse()\n"
        "def pytest_runtest_setup(item):\n    assert item.get_closest_marker('nothing') is None\n"
    )
    assert run("--agog-scenario=one.yaml").parseoutcomes() == {"passed": 3}


def test_an_empty_folder_and_the_bundled_scenarios(run: Run) -> None:
    Path("tox.ini").unlink()
    result = run("--agog-scenario=monitoring", "-p", "no:cacheprovider", "-p", "no:asyncio")
    assert result.ret == 0
    assert list(Path().iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a folder that nobody may write to, not even root")
def test_a_folder_that_cannot_be_written_to(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "one.yaml").write_text(ONE)
    monkeypatch.chdir("/proc")
    result = run(f"--agog-scenario={project / 'one.yaml'}", "-p", "no:cacheprovider", f"--basetemp={project / 'base'}")
    assert result.parseoutcomes() == {"passed": 3}


def test_one_play_when_python_tests_are_shuffled_in_between(run: Run, pytester: pytest.Pytester) -> None:
    Path("one.yaml").write_text(ONE)
    Path("conftest.py").write_text(
        COUNTING + "def pytest_collection_modifyitems(items):\n    items.sort(key=lambda item: item.name[::-1])\n"
    )
    Path("test_python.py").write_text("".join(f"def test_{letter}(): pass\n" for letter in "abcdefgh"))
    assert run("test_python.py", "--agog-scenario=one.yaml").parseoutcomes() == {"passed": 11}
    assert len(played()) == 1


def test_nothing_of_ours_is_left_below_the_temporary_folder(run: Run) -> None:
    Path("one.yaml").write_text(ONE.replace("services: {nats: {streams: none}}", "services: {postgres: {}}"))
    assert run("--agog-scenario=one.yaml", "--basetemp=base").ret == 0
    assert list(Path("base").iterdir()) == []
