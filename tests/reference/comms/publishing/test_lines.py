from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.errors import BadInput, UsageError
from pytest_agog.reference.comms.publishing.lines import LineFeed, Lines, Tally
from pytest_agog.reference.comms.publishing.publisher import CommsPublisher
from pytest_agog.reference.comms.publishing.tailing import Tail, until_ended
from tests.reference.comms.publishing.conftest import Reads


@given(st.lists(st.binary(max_size=60)), st.integers(1, 20), st.booleans())
def test_put_together_it_is_what_came_in(chunks: list[bytes], most: int, taking: bool) -> None:
    lines, texts = Lines(most), []
    for chunk in chunks:
        texts += lines.feed(chunk)
        if taking:
            texts.append(lines.take())
    texts.append(lines.finish())
    assert "".join(texts) == b"".join(chunks).decode("utf-8", "replace").replace("\0", "\ufffd")
    assert max(map(len, texts)) <= most


def test_whole_lines_where_they_fit() -> None:
    lines = Lines(10)
    assert lines.feed(b"abc\ndef\nghijk") == ["abc\ndef\n"]
    assert lines.take() == ""
    assert lines.finish() == "ghijk"


Following = Callable[..., Awaitable[None]]


async def follow(publisher: CommsPublisher, path: Path, stop: asyncio.Event, line: str | None = None) -> Tally:
    tally = Tally()
    await Tail(path, until_line=line).follow(LineFeed(publisher, tally, linger=0.01, kind="log"), stop)
    await tally.settle()
    return tally


async def text(held: Reads) -> str:
    return "".join(one.payload["content"] for one in await held())


async def until_published(held: Reads, end: str) -> None:
    async with asyncio.timeout(20):
        while not (await text(held)).endswith(end):  # noqa: ASYNC110 - a stream tells nobody
            await asyncio.sleep(0.02)


async def test_grown_rotated_truncated(publisher: CommsPublisher, held: Reads, tmp_path: Path) -> None:
    path, stop = tmp_path / "log", asyncio.Event()
    async with publisher:
        following = asyncio.create_task(follow(publisher, path, stop))  # there is no file yet
        path.write_bytes(b"one\ntw")
        await until_published(held, "one\n")
        with path.open("ab") as old:
            old.write(b"o\n")
            old.flush()
            path.rename(tmp_path / "log.1")
            old.write(b"three\n")  # into the rotated file
        path.write_bytes(b"four\n")
        await until_published(held, "four\n")
        with path.open("r+b") as file:
            file.truncate(0)
        path.write_bytes(b"5\n")
        await until_published(held, "5\n")
        with path.open("ab") as file:
            file.write(b"\xff no end\0")
        stop.set()
        tally = await following
    assert await text(held) == "one\ntwo\nthree\nfour\n5\n\ufffd no end\ufffd"
    assert (tally.refused, tally.failure) == (0, None)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
async def test_the_marker_ends_it(publisher: CommsPublisher, held: Reads, tmp_path: Path, ending: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(f"a END{ending}b{ending}END{ending}never".encode())
    async with publisher:
        await follow(publisher, path, asyncio.Event(), "END")
    assert await text(held) == f"a END{ending}b{ending}"


async def test_an_incomplete_line_without_its_marker(publisher: CommsPublisher, held: Reads, tmp_path: Path) -> None:
    path, stop = tmp_path / "log", asyncio.Event()
    path.write_bytes(b"a\nEN")
    stop.set()
    async with publisher:
        await follow(publisher, path, stop, "END")
    assert await text(held) == "a\nEN"


async def test_a_folder_is_no_log(publisher: CommsPublisher, tmp_path: Path) -> None:
    async with publisher:
        with pytest.raises(BadInput, match="--log-file"):
            await follow(publisher, tmp_path, asyncio.Event())


async def test_a_large_log_is_bounded_messages(publisher: CommsPublisher, held: Reads, tmp_path: Path) -> None:
    path, stop = tmp_path / "log", asyncio.Event()
    content = "".join(f"{number} é\n" for number in range(100_000))
    path.write_text(content, encoding="utf-8")
    stop.set()
    async with publisher:
        await follow(publisher, path, stop)
    found = [one.payload["content"] for one in await held()]
    assert "".join(found) == content
    assert all(len(one) <= 65_536 and one.endswith("\n") for one in found)


async def test_what_the_timer_meets_is_told_with_the_next_line(publisher: CommsPublisher) -> None:
    feed = LineFeed(publisher, Tally(), linger=0)  # the publisher is not open
    await feed.feed(b"a\n")
    for _ in range(3):
        await asyncio.sleep(0)
    with pytest.raises(UsageError, match="not open"):
        await feed.feed(b"b")


async def test_until_a_process_ends() -> None:
    process = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    waiting = asyncio.create_task(until_ended(process.pid))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert process.stdin is not None
    process.stdin.close()
    await waiting
    await process.wait()
    await until_ended(process.pid)  # gone for long
