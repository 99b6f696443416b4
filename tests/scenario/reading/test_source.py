"""Files to text: what is no text is refused at its place, before it is read where that is possible."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_agog.scenario.reading.source import MAX_BYTES, Source, Unreadable, read


def refused(path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        read(path)
    position = caught.value.place.position
    return f"{position.line}:{position.column}: {caught.value.message}"


def test_a_byte_order_mark_is_no_text_and_shifts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbfagog: 1\n")
    assert read(path).text == "agog: 1\n"


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"a: 1\r\nb: 2\r\n")
    assert read(path).text == "a: 1\r\nb: 2\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a: 1\nb: \xc3\xbc\xff\n", "2:5: the file is no UTF-8 text: byte 0xff"),
        (b"\xff\xfea\x00", "1:1: the file is UTF-16"),
        (b"\xff\xfe\0\0a\0\0\0", "1:1: the file is UTF-32"),
        (b"\0\0\xfe\xff\0\0\0a", "1:1: the file is UTF-32"),
        (b"\x7fELF\x02\x01\x01\x00", "1:1: the file holds the control character U+007F, so it is binary or damaged"),
        (b"a: x\n\x00", "2:1: the file holds the control character U+0000, so it is binary or damaged"),
        (b"a: \x1b[31mred", "1:4: the file holds the control character U+001B, so it is binary or damaged"),
        ("a: x\ufeff".encode(), "1:5: the file holds the control character U+FEFF, so it is binary or damaged"),
    ],
)
def test_what_is_no_text_is_refused_at_its_place(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(data)
    assert refused(path) == expected


def test_a_large_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: a terabyte that takes no space, and that nobody could read
    assert refused(path) == f"1:1: the file has {2**40:,} bytes, at most 1,000,000 are read"


def test_the_limit_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"#" * MAX_BYTES)
    assert len(read(path).text) == MAX_BYTES
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "1,000,001 bytes" in refused(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == "1:1: this is a folder, not a file"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert refused(fifo) == "1:1: this is no regular file"
    assert refused(Path("/dev/zero")) == "1:1: this is no regular file"
    assert refused(tmp_path / "none.yaml") == "1:1: the file cannot be read: No such file or directory"
    assert "cannot be read" in refused(tmp_path / ("x" * 5000))
    assert "cannot be read" in refused(Path("a\0b"))
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "cannot be read" in refused(loop)


def test_positions() -> None:
    source = Source(Path("/x"), "ab\r\ncd\n\nef")
    assert [source.line(n) for n in range(6)] == ["", "ab", "cd", "", "ef", ""]
    found = [source.position(offset) for offset in (0, 1, 4, 7, 8, 10, 99)]
    assert [(p.line, p.column) for p in found] == [(1, 1), (1, 2), (2, 1), (3, 1), (4, 1), (4, 3), (4, 3)]
    assert source.position(4, 5).end_column == 2
    assert source.position(4, 9).end_column == 3  # over the line's end: to its end
    assert source.position(7, 9).end_column is None  # an empty line
