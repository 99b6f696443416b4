"""The house that the tests of doors knock at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pytest_agog.reference.doors.door import Door
from pytest_agog.reference.doors.settings import DoorSettings
from pytest_agog.reference.serving import HttpServer
from tests.reference.doors.house import EVENTS, House, Open


async def _said(request: Request) -> Response:
    return JSONResponse({"path": request.url.path})


async def _events(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b": still there\n\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(body(), media_type="text/event-stream")


@pytest.fixture
async def house() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def begin(settings: DoorSettings, near: str | None = None) -> House:
            paths = ("/", "/agents", "/agents/{rest:path}", "/healthz", "/readyz", "/api/agents/runs")
            routes = [*(Route(path, _said, methods=["GET", "POST"]) for path in paths), Route(EVENTS, _events)]
            app = Starlette(routes=routes)

            async def metrics(_: Request) -> Response:
                return PlainTextResponse(door.counts.text())

            app.router.routes.append(Route("/metrics", metrics))
            door = Door(app, settings, streams=frozenset({EVENTS}), near=near)
            server = HttpServer("127.0.0.1", 0)
            await server.start(door)
            stack.push_async_callback(server.stop)
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, trust_env=False))
            return House(door, client)

        yield begin
