"""Data roots: where files may be, and where not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_agog.scenario.data_files import DataRoots, NotFound, bundled_fixtures


@pytest.fixture
def roots(tmp_path: Path) -> DataRoots:
    for folder in ("own/sub", "more", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("own/a.md", "own/sub/b.md", "own/both.md", "more/both.md", "more/m.md", "elsewhere/x.md"):
        (tmp_path / file).write_text(file)
    return DataRoots(tmp_path / "own", [tmp_path / "more"])


def refused(roots: DataRoots, path: str) -> str:
    with pytest.raises(NotFound) as caught:
        roots.find(path)
    return caught.value.message


def test_the_own_folder_comes_first_then_the_others(roots: DataRoots, tmp_path: Path) -> None:
    assert roots.find("a.md").read_text() == "own/a.md"
    assert roots.find("./sub/../a.md").read_text() == "own/a.md"
    assert roots.find("both.md").read_text() == "own/both.md"
    assert roots.find("m.md").read_text() == "more/m.md"
    assert roots.find("b.md", beside=tmp_path / "own/sub").read_text() == "own/sub/b.md"


def test_dots_may_lead_into_another_root_but_not_out(roots: DataRoots) -> None:
    assert roots.find("../more/m.md").read_text() == "more/m.md"
    assert refused(roots, "../elsewhere/x.md") == "'../elsewhere/x.md' leaves the data root"
    assert refused(roots, "../nowhere.md") == "'../nowhere.md' leaves the data root"
    assert refused(roots, "../more/none.md") == "there is no file '../more/none.md'"
    assert refused(roots, "sub/bb.txt") == "there is no file 'sub/bb.txt'; did you mean 'sub/b.md'?"


def test_bundled_fixtures_are_a_root(roots: DataRoots) -> None:
    name = next(path for path in bundled_fixtures().rglob("*.md")).relative_to(bundled_fixtures())
    assert roots.find(name.as_posix()).is_file()


def test_absolute_and_odd_paths_are_refused(roots: DataRoots, tmp_path: Path) -> None:
    assert "leaves the data root" in refused(roots, str(tmp_path / "own/a.md"))
    assert "is no path" in refused(roots, "a\0b")
    assert "is no path" in refused(roots, "..\\x")
    assert "is no path" in refused(roots, "")
    assert "there is no file" in refused(roots, "x" * 5000)
    assert refused(roots, "sub") == "'sub' is a folder, not a file"
    os.mkfifo(tmp_path / "own/pipe")
    assert refused(roots, "pipe") == "'pipe' is no regular file"


def test_links_may_not_lead_out(roots: DataRoots, tmp_path: Path) -> None:
    (tmp_path / "own/in.md").symlink_to(tmp_path / "more/m.md")
    (tmp_path / "own/out.md").symlink_to(tmp_path / "elsewhere/x.md")
    (tmp_path / "own/folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "own/loop").symlink_to(tmp_path / "own/loop")
    assert roots.find("in.md").read_text() == "more/m.md"
    assert refused(roots, "out.md") == "'out.md' leaves the data root"
    assert refused(roots, "folder/x.md") == "'folder/x.md' leaves the data root"
    assert "loop" in refused(roots, "loop")


def test_a_root_whose_name_begins_like_another_is_another(tmp_path: Path) -> None:
    for folder in ("data", "data-secret"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text(folder)
    assert "leaves" in refused(DataRoots(tmp_path / "data"), "../data-secret/x")
