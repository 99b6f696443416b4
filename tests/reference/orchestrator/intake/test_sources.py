"""Several files together."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake.sources import read_files
from tests.reference.orchestrator.intake.roadmaps import FIXTURES


def test_all_kinds_together() -> None:
    names = ("issues.json", "warehouse.md", "submitted.json", "torn.md")
    taken = read_files([FIXTURES / name for name in names])
    assert [item.id for item in taken.requirements][2:4] == ["REQ-041", "REQ-042"]
    assert len(taken.requirements) == 2 + 8 + 3 + 2
    assert [Path(item.file).name for item in taken.unreadable] == ["issues.json"] + ["torn.md"] * 11


def test_an_id_of_two_files_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("### REQ-1: a\n### REQ-2: b\n")
    (tmp_path / "b.json").write_text('[{"title": "c"},\n {"id": "REQ-2", "title": "d"}]')
    taken = read_files([tmp_path / "b.json", tmp_path / "a.md"])
    assert [(item.id, item.title) for item in taken.requirements] == [("REQ-003", "c"), ("REQ-2", "d"), ("REQ-1", "a")]
    (told,) = taken.unreadable
    assert str(told).startswith(f"{tmp_path / 'a.md'}:2: REQ-2: stands in {tmp_path / 'b.json'}:2 already")


@pytest.mark.parametrize(
    "text", ["[Plan](x)\n\n### REQ-1: a\n", '[{"id": "REQ-1", "title": "a"}]', "\ufeff\n## REQ-1: a"]
)
def test_a_file_of_any_name_is_told_by_its_content(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan"
    path.write_text(text, encoding="utf-8")
    assert [item.id for item in read_files([path]).requirements] == ["REQ-1"]


@pytest.mark.parametrize(
    ("name", "text", "line", "part"),
    [("a.md", "# Read me\n", 1, "holds no requirement"), ("a.json", "", 1, "no JSON"), ("a.json", "[\n}", 2, "no JSON"),
     ("a.md", "a\n\0", 2, "NUL"), ("none.md", None, 1, "cannot be read: No such file")],
)  # fmt: skip
def test_wrong_input_is_one_line(tmp_path: Path, name: str, text: str | None, line: int, part: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_files([path])
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert part in str(caught.value)


def test_an_empty_roadmap_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("\ufeff\n", encoding="utf-8")
    assert read_files([tmp_path / "a.md"]).requirements == ()
