"""How problems are told."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pytest_agog.errors import BadInput, Exit
from pytest_agog.scenario.problems import Problem, Problems, ScenarioErrors, caret_excerpt, shown_path
from pytest_agog.scenario.reading.source import Place, Source


def test_str_is_one_line_with_file_line_and_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    problem = Problem(tmp_path / "in" / "s.yaml", 3, 7, "wrong", "do it right")
    assert str(problem) == "in/s.yaml:3:7: wrong"
    assert problem.one_line == "in/s.yaml:3:7: wrong (do it right)"
    assert problem.as_warning == "in/s.yaml:3:7: warning: wrong (do it right)"


def test_paths_elsewhere_are_absolute_and_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert shown_path(tmp_path / "s.yaml") == str(tmp_path / "s.yaml")
    assert shown_path(tmp_path / "here" / ".." / "s.yaml") == str(tmp_path / "s.yaml")
    assert shown_path(Path("/x/a\nb\x1b.yaml")) == "/x/a\\nb\\x1b.yaml"


def test_a_working_folder_that_is_gone_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert shown_path(tmp_path / "s.yaml") == str(tmp_path / "s.yaml")


def test_errors_hold_all_problems_sorted() -> None:
    file = Path("/x/s.yaml")
    errors = ScenarioErrors([Problem(file, 9, 1, "c"), Problem(file, 2, 5, "b"), Problem(file, 2, 1, "a")])
    assert isinstance(errors, BadInput)
    assert errors.exit_code is Exit.USAGE
    assert [p.message for p in errors.problems] == ["a", "b", "c"]
    assert str(errors).splitlines() == ["/x/s.yaml:2:1: a", "/x/s.yaml:2:5: b", "/x/s.yaml:9:1: c"]


def test_the_excerpt_has_a_caret_under_the_place() -> None:
    assert caret_excerpt("  proff: [1]", 12, 3, 8) == "   12 |   proff: [1]\n      |   ^^^^^"


def test_wide_characters_take_two_columns() -> None:
    assert caret_excerpt("a: 你好 x", 1, 7, 8).splitlines()[1] == "      |         ^"


def test_long_lines_are_cut_around_the_place() -> None:
    line = "x" * 500 + "HERE" + "y" * 500
    text, caret = caret_excerpt(line, 1, 501, 505).splitlines()
    assert len(text) <= 108
    assert text[caret.index("^") : caret.rindex("^") + 1] == "HERE"
    assert text.startswith("    1 | …x")
    assert text.endswith("y…")


def test_control_characters_are_visible_and_secrets_are_not() -> None:
    assert "\\u202e" in caret_excerpt("a: \u202eevil", 1, 1, 2)
    assert "→" in caret_excerpt("\tx: 1", 1, 2, 3)
    text, caret = caret_excerpt("url: nats://me:hunter22@host/ # here", 1, 33, 34).splitlines()
    assert "hunter22" not in text
    assert text[caret.index("^")] == "h"
    inside = caret_excerpt("url: nats://me:hunter22@host/", 1, 6, 30)
    assert "hunter22" not in inside


def test_a_secret_is_masked_though_the_line_is_cut_in_its_middle() -> None:
    token = "eyJ" + "a" * 300 + "." + "b" * 300 + "." + "c" * 300
    shown = caret_excerpt(f"token: {token} x", 1, 400, 401)
    assert "aaaa" not in shown
    assert "bbbb" not in shown


def test_an_excerpt_of_a_huge_line_is_quick() -> None:
    began = time.perf_counter()
    for line in ("x" * 1_000_000, "a://" * 250_000, "-eyJ" * 250_000, "password=" * 100_000):
        caret_excerpt(line, 1, 500_000, 500_001)
    assert time.perf_counter() - began < 2


def test_the_same_place_and_message_are_told_once_and_many_end_the_reading() -> None:
    problems = Problems()
    source = Source(Path("/x"), "a" * 1000)
    place = Place(source, 0, 1)
    problems.add(place, "wrong")
    problems.add(place, "wrong")
    with pytest.raises(ScenarioErrors) as caught:
        problems.raise_if_any()
    assert len(caught.value.problems) == 1
    for offset in range(1, 199):
        problems.add(Place(source, offset, offset + 1), "wrong")
    with pytest.raises(ScenarioErrors) as caught:
        problems.add(Place(source, 200, 201), "wrong")
    assert len(caught.value.problems) == 201


def test_secrets_of_the_environment_are_in_no_message() -> None:
    problems = Problems()
    problems.hide({"s3cr3t-value", "l" * 100})
    problems.add(Place(Source(Path("/x"), "a"), 0, 1), f"not 's3cr3t-value' nor '{'l' * 60}…'")
    with pytest.raises(ScenarioErrors, match=r"not '\*\*\*\*' nor '\*\*\*\*…'"):
        problems.raise_if_any()


def test_paths_never_depend_on_pytests_rootdir(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    assert shown_path(pytestconfig.rootpath / "x.yaml") == os.path.relpath(pytestconfig.rootpath / "x.yaml") or (
        not Path.cwd().is_relative_to(pytestconfig.rootpath)
    )
    assert str(tmp_path) in shown_path(tmp_path / "x.yaml")
