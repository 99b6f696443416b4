from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from pytest_agog.report.excerpt import Excerpt, read_excerpt, show_path
from pytest_agog.scenario.reading.places import Position


def caret_under(tmp_path: Path, source: str, line: int, column: int, end: int | None = None, width: int = 80) -> str:
    """What stands right above the carets."""
    path = tmp_path / "a.yaml"
    path.write_bytes(source.encode("utf-8"))
    excerpt = read_excerpt(Position(path, line, column, end))
    (_, text), (_, carets), *_ = excerpt.render(width)
    start, length = carets.index("^"), carets.count("^")
    cells = ""
    for character in text:
        cells += character + "\0" * (cell_len(character) - 1)
    return cells[start : start + length].replace("\0", "")


@pytest.mark.parametrize(
    ("source", "line", "column", "end", "word"),
    [
        ("a: 1\nb: word\n", 2, 4, 8, "word"),
        ("a: 1\r\nb: word\r\n", 2, 4, 8, "word"),
        ("\tb:\tword\n", 1, 5, 9, "word"),
        ("表: 表 word\n", 1, 6, 10, "word"),
        ("b: \x07 word\n", 1, 6, 10, "word"),
        ("\ufeffb: word\n", 1, 4, 8, "word"),
        ("a: 'x\u2028y'\nb: word\n", 3, 4, 8, "word"),
        ("b: 表\n", 1, 4, 5, "表"),
        ("b: word\n", 1, 4, None, "w"),
        ("b: word\n", 1, 99, None, ""),
    ],
)
def test_the_caret_stands_under_the_word(
    tmp_path: Path, source: str, line: int, column: int, end: int | None, word: str
) -> None:
    assert caret_under(tmp_path, source, line, column, end) == word


def test_a_long_line_is_shown_around_its_caret(tmp_path: Path) -> None:
    source = "a: " + "x" * 300 + " word " + "y" * 300
    assert caret_under(tmp_path, source, 1, 305, 309, width=60) == "word"


def test_what_belongs_to_the_entry_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("proof:\n  - id: a\n    claim: b\n    with:\n      x: 1\n  - id: next\n")
    assert [line.number for line in read_excerpt(Position(path, 2, 5)).lines] == [2, 3, 4, 5]


def test_secrets_do_not_stand_in_excerpts(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("env: {NATS: nats://u:hunter2@h, password: hunter2}\n")
    assert "hunter2" not in str(read_excerpt(Position(path, 1, 1)).render())


@pytest.mark.parametrize("line", [0, 99])
def test_no_such_line_is_no_excerpt(tmp_path: Path, line: int) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n")
    assert read_excerpt(Position(path, line, 1)) == Excerpt()


def test_no_such_file_is_no_excerpt(tmp_path: Path) -> None:
    assert read_excerpt(Position(tmp_path / "gone.yaml", 1, 1)) == Excerpt()
    assert read_excerpt(Position(tmp_path, 1, 1)) == Excerpt()


def test_paths_are_relative_where_they_can_be(tmp_path: Path) -> None:
    assert show_path(tmp_path / "a" / "b.yaml", tmp_path) == "a/b.yaml"
    assert show_path(Path("a/b.yaml"), tmp_path) == "a/b.yaml"
    assert show_path(tmp_path / "b.yaml", tmp_path / "a") == (tmp_path / "b.yaml").as_posix()
