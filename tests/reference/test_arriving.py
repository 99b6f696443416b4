"""Half a request, or an endless one, holds nothing up: whoever sends it needs no token, so this is before the door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pytest_agog.reference.arriving import Arriving
from pytest_agog.reference.serving import HttpServer

PATIENCE = 60
HEAD = b"GET /said HTTP/1.1\r\nHost: x\r\n"


class Hasty(Arriving):
    """It does not wait long."""

    patience = 0.2


async def _said(request: Request) -> Response:
    return PlainTextResponse(str(len(request.headers)))


async def _read(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


Serve = Callable[[type[Arriving]], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def begin(protocol: type[Arriving]) -> str:
            server = HttpServer("127.0.0.1", 0, protocol=protocol)
            await server.start(Starlette(routes=[Route("/said", _said), Route("/read", _read, methods=["POST"])]))
            stack.push_async_callback(server.stop)
            return server.url

        yield begin


async def _answer(url: str, *pieces: bytes) -> bytes:
    """Everything that comes back until the other side ends the connection; its end may be abrupt."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    got = b""
    try:
        async with asyncio.timeout(PATIENCE):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            while more := await reader.read(65_536):
                got += more
    except ConnectionError:
        pass
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return got


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n",),
        (HEAD + b"".join(b"X%d: a\r\n" % number for number in range(10_000)) + b"\r\n",),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",),
        (HEAD + b"X: ", *(b"a" * 10_000 for _ in range(10))),
        (b"GET /", *(b"a" * 10_000 for _ in range(10))),
    ],
    ids=["a-long-header", "many-headers", "a-long-path", "a-header-without-end", "a-path-without-end"],
)
async def test_a_head_that_is_too_large_is_refused(serve: Serve, pieces: tuple[bytes, ...]) -> None:
    url = await serve(Arriving)
    assert b" 200 " not in await _answer(url, *pieces)
    first = await _answer(url, HEAD + b"Connection: close\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ")


async def test_the_refusal_says_why(serve: Serve) -> None:
    answer = await _answer(await serve(Arriving), HEAD + b"X: " + b"a" * 65_536 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.endswith(b"the head of the request is too large")


@pytest.mark.parametrize(
    ("pieces", "begin"),
    [
        ((), b"HTTP/1.1 408 "),
        ((b"GET /sai",), b"HTTP/1.1 408 "),
        ((HEAD,), b"HTTP/1.1 408 "),
        ((HEAD + b"\r\n", b"GET /sai"), b"HTTP/1.1 200 "),
        ((b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",), b""),
    ],
    ids=["nothing", "a-word", "no-end", "half-of-a-second", "no-whole-body"],
)
async def test_what_does_not_arrive_in_time_ends_the_connection(
    serve: Serve, pieces: tuple[bytes, ...], begin: bytes
) -> None:
    assert (await _answer(await serve(Hasty), *pieces)).startswith(begin)


async def test_a_line_between_requests_keeps_no_connection(serve: Serve) -> None:
    url = await serve(Hasty)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(HEAD + b"\r\n")
            await reader.readuntil(b"\r\n\r\n1")
            writer.write(b"\r\n")
            while await reader.read(65_536):
                pass
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_a_body_without_end_ends_the_connection(serve: Serve) -> None:
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    head = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert await _answer(await serve(Arriving), head, *(chunk for _ in range(64))) == b""


async def test_what_arrives_in_pieces_and_one_after_the_other_is_answered(serve: Serve) -> None:
    url = await serve(Arriving)
    last = b"GET /said HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await _answer(url, *(bytes([byte]) for byte in HEAD + b"\r\n"), last)).count(b"HTTP/1.1 200 ") == 2
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for _ in range(20):  # each within its own limits, on one connection
            assert (await client.get("/said", headers={"X": "a" * 60_000})).status_code == 200
            assert (await client.post("/read", content=b"a" * 900_000)).text == "900000"
