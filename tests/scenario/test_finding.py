"""Finding scenarios in folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_agog.scenario.finding import find, is_scenario, name_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agog: 1\n", True),
        ("\ufeffagog: 1\n", True),
        ("# comment\n\nname: x\nagog: 1", True),
        ("name: x\r\nagog : 1", True),
        ('"agog": 1', True),
        ("{agog: 1, name: x}", True),
        ('{"agog": 1}', True),
        ("agog: 1\n\tbroken", True),
        ("x:\n  agog: 1\n", False),
        ("agog_target: 1\n", False),
        ("# agog: 1\n", False),
        ("", False),
        ("services:\n  web: {image: x}\n", False),
    ],
)
def test_a_cheap_look(tmp_path: Path, text: str, expected: bool) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text, newline="")
    assert is_scenario(path) is expected


def test_what_cannot_be_read_is_no_scenario(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe.yaml", Path("a\0b")):
        assert not is_scenario(path)


def test_a_folder_shows_what_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text("a: 1\n")
    path.chmod(0)
    assert find(tmp_path) == ([] if os.access(path, os.R_OK) else [path])  # root may read everything
    path.chmod(0o600)
    assert find(tmp_path) == []


def test_folders_are_searched_in_order(tmp_path: Path) -> None:
    for name in ("b/2.yaml", "b/1.yml", "a/z.yaml", ".hidden/x.yaml", "node_modules/x.yaml", "b/.x.yaml", "b/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("agog: 1\n")
    (tmp_path / "b/compose.yaml").write_text("services: {}\n")
    (tmp_path / "b/folder.yaml").mkdir()
    (tmp_path / "b/again").symlink_to(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in find(tmp_path)] == ["a/z.yaml", "b/1.yml", "b/2.yaml"]
    assert find(tmp_path / "none") == []


def test_names_without_reading_yaml(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    for text, expected in (
        ("agog: 1\nname: a-b # c\n", "a-b"), ("name: 'x'", "x"), ("x:\n  name: y\n", None), ("name: ${x}\n", None),
    ):  # fmt: skip
        path.write_text(text)
        assert name_of(path) == expected
