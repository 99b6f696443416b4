"""Readers of server-sent events: the parser by the HTML standard, and the reader against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.ledger.facts import EventSeen, ReaderConnected, ReaderLost
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probing.events import EventParser, EventReader


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [(None, "message", "a")]),
        (b"data: a\r\n\r\n", [(None, "message", "a")]),
        (b"data: a\r\rdata: b\n\n", [(None, "message", "a"), (None, "message", "b")]),
        (b"data: a\ndata: b\n\n", [(None, "message", "a\nb")]),
        (b"data\n\n", [(None, "message", "")]),
        (b"data:  a\n\n", [(None, "message", " a")]),
        (b": heartbeat\n\n", []),
        (b"id: 7\nevent: row\ndata: a\n\n", [("7", "row", "a")]),
        (b"id: 7\n\ndata: a\n\n", [(None, "message", "a")]),
        (b"id: 7\0\ndata: a\n\n", [(None, "message", "a")]),
        (b"event: row\n\ndata: a\n\n", [(None, "message", "a")]),
        (b"data: a\nretry: 10\nnonsense: x\n\n", [(None, "message", "a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [(None, "message", "a")]),
        (b"data: \xff\n\n", [(None, "message", "\ufffd")]),
        (b"data: lost", []),
        (b"data: lost\n", []),
    ],
)
def test_events_of_a_stream(stream: bytes, events: list[tuple[str | None, str, str]]) -> None:
    assert list(EventParser().feed(stream)) == events


@given(st.data())
def test_events_do_not_depend_on_how_bytes_arrive(data: st.DataObject) -> None:
    lines = st.sampled_from([b"data: a", b"data:\xc3\xa9", b"id: 3", b"event: e", b": c", b"", b""])
    ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
    stream = b"".join(data.draw(st.lists(st.builds(lambda a, b: a + b, lines, ends), max_size=20)))
    # A CR at the very end stays undecided: the next byte may be its LF.
    stream += b"\n: end\n\n"
    whole = list(EventParser().feed(stream))
    parser, pieces, rest = EventParser(), [], stream
    while rest:
        size = data.draw(st.integers(1, 5))
        pieces += list(parser.feed(rest[:size]))
        rest = rest[size:]
    assert pieces == whole


Answer = Callable[[dict[str, str], asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"


@asynccontextmanager
async def _server(answers: list[Answer]) -> AsyncIterator[str]:
    """Answers each connection in turn; the last answer is given again and again."""
    turn = iter(range(10_000))
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await converse(reader, writer)
        finally:
            writer.close()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head)}
        await answers[min(next(turn), len(answers) - 1)](headers, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/events"
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the loop's next round


def _say(*chunks: bytes, asked: list[dict[str, str]] | None = None) -> Answer:
    async def answer(headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        if asked is not None:
            asked.append(headers)
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()

    return answer


async def _stay(headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
    writer.write(OK)
    await writer.drain()
    await asyncio.Event().wait()


async def _until(ledger: Ledger, holds: Callable[[], bool]) -> None:
    grown = asyncio.Event()
    end = ledger.listen(grown.set)
    try:
        async with asyncio.timeout(10):
            while not holds():
                grown.clear()
                await grown.wait()
    finally:
        end()


def _ids(ledger: Ledger) -> list[str | None]:
    return [item.fact.id for item in ledger.of(EventSeen)]


async def test_a_lost_connection_is_resumed_after_the_last_event() -> None:
    ledger, asked = Ledger(), list[dict[str, str]]()
    first = _say(OK, b"id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: never whole", asked=asked)
    second = _say(OK, b"id: 3\ndata: c\n\n", asked=asked)
    async with _server([first, second, _stay]) as url:
        reader = EventReader(ledger, "live", url, last_event_id="0")
        assert await reader.start(5)
        await _until(ledger, lambda: len(ledger.of(EventSeen)) == 3 and len(ledger.of(ReaderConnected)) == 3)
        await reader.close()
    assert [headers.get("last-event-id") for headers in asked] == ["0", "2"]
    assert _ids(ledger) == ["1", "2", "3"]
    assert len(ledger.of(ReaderLost)) >= 2


async def test_a_503_is_no_reason_to_give_up() -> None:
    ledger = Ledger()
    away = _say(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\naway")
    async with _server([away, away, _say(OK, b"id: 1\ndata: a\n\n"), _stay]) as url:
        reader = EventReader(ledger, "live", url)
        assert await reader.start(5)
        await _until(ledger, lambda: _ids(ledger) == ["1"])
        await reader.close()
    assert [item.fact.status for item in ledger.of(ReaderConnected)][:2] == [503, 200]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno",
    ],
)
async def test_a_refusal_ends_it(answer: bytes) -> None:
    ledger = Ledger()
    async with _server([_say(answer)]) as url:
        reader = EventReader(ledger, "live", url)
        assert not await reader.start(5)
        await reader.close()
    connected = ledger.of(ReaderConnected)
    assert len(connected) == 1
    assert connected[0].fact.reason


async def test_nobody_answers() -> None:
    ledger = Ledger()
    async with _server([_stay]) as url:
        pass
    reader = EventReader(ledger, "live", url)
    starting = asyncio.create_task(reader.start(60))
    await _until(ledger, lambda: bool(ledger.of(ReaderConnected)))
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await reader.close()
    assert [item.fact.status for item in ledger.of(ReaderConnected)] == [None]


async def test_a_reader_that_drops_its_connection_gets_the_rest() -> None:
    ledger, asked = Ledger(), list[dict[str, str]]()
    events = [b"id: %d\ndata: x\n\n" % number for number in range(1, 7)]

    async def answer(headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        asked.append(headers)
        for event in events[int(headers.get("last-event-id", "0")) :]:
            writer.write(event) if event is not events[0] else writer.write(OK + event)
        await writer.drain()

    async def resumed(headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await answer(headers, writer)

    async with _server([answer, resumed]) as url:
        reader = EventReader(ledger, "live", url, drop_after=2)
        assert await reader.start(5)
        await _until(ledger, lambda: len(_ids(ledger)) >= 6)
        await reader.close()
    assert _ids(ledger)[:6] == ["1", "2", "3", "4", "5", "6"]
    assert [headers.get("last-event-id") for headers in asked][:3] == [None, "2", "4"]
