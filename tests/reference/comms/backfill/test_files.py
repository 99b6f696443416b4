"""Files of any size and kind."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.errors import BadInput, Exit
from pytest_agog.reference.comms.backfill import files
from pytest_agog.reference.comms.backfill.files import EVENTS, LOG, lines
from pytest_agog.reference.comms.backfill.reading import artifact_in
from tests.reference.comms.backfill.samples import completed, folder_of, read


@given(st.lists(st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"").rstrip(b"\r")), max_size=6))
def test_lines_are_split_at_line_feeds_only(written: list[bytes]) -> None:
    data = b"\n".join(written)
    found = list(lines(BytesIO(data), len(data)))
    expected = [line.removeprefix(b"\xef\xbb\xbf") if n == 0 else line for n, line in enumerate(written)]
    if expected and not written[-1]:
        expected.pop()
    assert [line.data for line in found] == expected
    assert sum(line.size for line in found) == len(data)


def test_a_huge_line_is_skipped_and_reported(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path / "run",
        [completed(id="1", type="agent_message", text="before"), b"x" * 50_000_000, b'{"type": "after"}'],
    )
    drafts, bad = read(folder)
    assert [draft.line for draft in drafts] == [1, 3]
    assert [(line.line, line.reason.split(",")[0]) for line in bad] == [(2, "it has 50000001 bytes")]


def test_what_is_written_meanwhile_is_left(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "run", [b'{"type": "a"}'])
    artifact = artifact_in(folder)
    with (folder / EVENTS).open("ab") as file:
        file.write(b'{"type": "b"}\n')
    assert [draft.line for draft in artifact.messages()] == [1]
    artifact.close()


def test_the_log_is_read_where_events_tell_nothing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "run", [b"torn", b"", b"{}"])
    folder_of(folder, [b"a plain line"], LOG)
    drafts, bad = read(folder)
    assert [draft.content for draft in drafts] == ["a plain line"]
    assert [line.line for line in bad] == [1, 3]


def test_nothing_to_read(tmp_path: Path) -> None:
    for folder in (
        tmp_path / "missing",
        folder_of(tmp_path / "empty", [], "other"),
        folder_of(tmp_path / "bad", [b"x"]),
    ):
        with pytest.raises(BadInput) as caught:
            artifact_in(folder)
        assert caught.value.exit_code == Exit.USAGE
        assert "\n" not in str(caught.value)


def test_links_and_pipes_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"type": "secret"}\n')
    linked, piped, folder = tmp_path / "linked", tmp_path / "piped", tmp_path / "folder"
    for parent in (linked, piped, folder / EVENTS):
        parent.mkdir(parents=True)
    (linked / EVENTS).symlink_to(secret)
    os.mkfifo(piped / EVENTS)
    for parent, reason in ((linked, "a link"), (piped, "no regular file"), (folder, "no regular file")):
        with pytest.raises(BadInput, match=reason):
            artifact_in(parent)


def test_the_longest_line_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 4)
    data = b"abcd\r\nabcde\nab\nabcdefgh"
    assert [line.data for line in lines(BytesIO(data), len(data))] == [b"abcd", None, b"ab", None]
