"""What a frame holds: one line of JSON whatever the message, numbers to the last digit, heartbeats when it is quiet."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_agog.reference.comms.events import streaming
from pytest_agog.reference.comms.storing import store
from pytest_agog.wire.comms import run_subject
from pytest_agog.wire.comms_rows import Rejection, normalise
from pytest_agog.wire.tables import AGENT_MESSAGES
from tests.reference.comms.events.conftest import Book, Served
from tests.reference.comms.events.reader import asking

ODD = [
    "", " ", "\n", "\r\n\r\n", "data: x\n\nid: 9\n\n", "```py\n\tcode\n```", "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1eh",
    "\U0001f980" * 3,
    "\ufeff\ufffe\uffff\ufffd", "".join(map(chr, range(1, 160))), "</script><!--", "\\n \\u0041 \\", "\ud7ff\ue000",
]  # fmt: skip


async def test_every_content_is_one_line_and_comes_back_whole_live_and_as_history(served: Served, book: Book) -> None:
    async with asking(served.url, runId="run-1") as live:
        assert await live.frame() == ": connected"
        await book.add(*ODD)
        async with asking(served.url, runId="run-1") as history:
            await history.frame()
            for content in ODD:
                frame = await history.frame()
                assert frame == await live.frame()
                assert frame is not None
                # Also for readers that split where Unicode ends a line.
                number, name, data = frame.splitlines()
                assert name == "event: message"
                told = json.loads(data.removeprefix("data: "))
                assert told["content"] == content
                assert number == f"id: {told['seq']}"


async def test_a_frame_has_the_columns_and_times_in_utc(served: Served, book: Book) -> None:
    await book.add("text", attrs={"exit_code": 0, "empty": "", "none": None, "no": False}, step_id="s", stage="build")
    async with asking(served.url, runId="run-1") as reader:
        [event] = await reader.take(1)
    told = event.data
    assert set(told) == {column.name for column in AGENT_MESSAGES.columns} - {"dedupe_key"}
    assert told["timestamp"] == "2026-03-01T09:00:01+00:00"
    assert datetime.fromisoformat(told["created_at"]).tzinfo is not None
    assert told["attrs"] == {"exit_code": 0, "empty": "", "none": None, "no": False}
    assert (told["channel"], told["stream_seq"], told["step_id"], told["stage"]) == (None, None, "s", "build")


async def test_numbers_are_kept_to_the_last_digit(served: Served, book: Book) -> None:
    numbers: dict[str, Any] = {"big": 2**70 + 1, "small": 1e-300, "large": 1.7e308, "minus": -(2**63), "long": 10**400}
    payload = json.dumps({"content": "numbers", "run_id": "run-1", "attrs": numbers}).encode()
    row = normalise(
        run_subject("ns", "flow", "uid-1", "roy", "message"), payload,
        stream_created="2026-03-01T09:00:00Z", stream_seq=2**62, stored_at=datetime(9999, 12, 31, tzinfo=UTC),
    )  # fmt: skip
    assert not isinstance(row, Rejection)
    await store(book.connection, [row])
    async with asking(served.url, runId="run-1") as reader:
        [event] = await reader.take(1)
    told = event.data
    # jsonb writes 1.7e308 as a whole number, which is the same number.
    assert {**told["attrs"], "large": float(told["attrs"]["large"])} == numbers
    assert told["stream_seq"] == 2**62
    assert told["timestamp"].startswith("9999-12-31T00:00:00")


async def test_contents_of_nine_megabytes_come_whole_live_and_as_history(served: Served, book: Book) -> None:
    contents = ["x" * 9_000_000, "ä\n" * 3_000_000, "small", '"\x01' * 1_000_000]
    async with asking(served.url, runId="run-1") as live:
        assert await live.frame() == ": connected"
        await book.add(*contents)
        assert [event.data["content"] for event in await live.take(4)] == contents
    async with asking(served.url, runId="run-1") as history:
        assert [event.data["content"] for event in await history.take(4)] == contents


async def test_a_heartbeat_when_it_is_quiet(served: Served, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    assert streaming.HEARTBEAT_EVERY == 5
    monkeypatch.setattr(streaming, "HEARTBEAT_EVERY", 0.02)
    async with asking(served.url, runId="run-1") as reader:
        assert [await reader.frame() for _ in range(4)] == [": connected", *[": heartbeat"] * 3]
        await book.add("after")
        assert [event.data["content"] for event in await reader.take(1)] == ["after"]
        assert await reader.frame() == ": heartbeat"
