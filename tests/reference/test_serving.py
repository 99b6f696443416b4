"""The HTTP half: a port that is taken is told, and a stream that never ends cannot hold up the stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from pytest_agog.errors import UsageError
from pytest_agog.reference.serving import HttpServer

PATIENCE = 30


async def _endless(_: Request) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        yield b": first\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(body(), media_type="text/event-stream")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_open_streams_are_closed_by_the_stop(host: str) -> None:
    server = HttpServer(host, 0)
    await server.start(Starlette(routes=[Route("/events", _endless)]))
    async with httpx.AsyncClient() as client, client.stream("GET", f"{server.url}/events") as response:
        chunks = response.aiter_bytes()
        assert await anext(chunks) == b": first\n\n"
        await asyncio.wait_for(server.stop(), PATIENCE)
        with pytest.raises((StopAsyncIteration, httpx.HTTPError)):
            await anext(chunks)
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(server.url)


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port} cannot be served .*Choose another --port"):
            HttpServer("127.0.0.1", port)


def test_a_host_of_another_machine_is_told() -> None:
    with pytest.raises(UsageError, match="or --host"):
        HttpServer("192.0.2.1", 0)
