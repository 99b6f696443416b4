"""An orchestrator with its HTTP face: board, metrics, health."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from pytest_agog.reference.doors.counting import DoorCounts
from pytest_agog.reference.doors.door import Door
from pytest_agog.reference.observing.beats import beating
from pytest_agog.reference.observing.exposition import Series, told
from pytest_agog.reference.observing.nats_monitor import NatsMonitor
from pytest_agog.reference.observing.watching import watching
from pytest_agog.reference.orchestrator.board.metrics import CONTENT_TYPE, prometheus
from pytest_agog.reference.orchestrator.board.page import routes
from pytest_agog.reference.orchestrator.running.orchestrator import Orchestrator
from pytest_agog.reference.orchestrator.settings import OrchestratorSettings
from pytest_agog.reference.orchestrator.surroundings import COMMS, Surroundings
from pytest_agog.reference.serving import HttpServer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pytest_agog.reference.orchestrator.board.situation import Situation


_EXPECTED: Final = (COMMS,)
RETRY_AFTER: Final = "2"
"""Seconds."""


@contextlib.asynccontextmanager
async def serving(settings: OrchestratorSettings) -> AsyncIterator[str | None]:
    """Runs while the block does; gives the URL of its HTTP service, None without one.

    Raises:
        UsageError: the port is taken.
        NatsUnreachable, CredentialsRefused, JetStreamRefused: NATS cannot be used.
    """
    server = HttpServer(settings.host, settings.port) if settings.http else None
    try:
        async with Orchestrator(settings) as orchestrator, contextlib.AsyncExitStack() as around:
            name, place = f"orchestrator-{orchestrator.desk.me}", f"{socket.gethostname()}:{settings.root}"
            await around.enter_async_context(beating(orchestrator.link, "orchestrator", name, place))
            if server is not None:
                counts = DoorCounts()
                monitor = NatsMonitor(settings.nats_monitor_url, _EXPECTED)
                surroundings = _surroundings(orchestrator, monitor)
                await around.enter_async_context(surroundings.hearing())
                await around.enter_async_context(watching(surroundings.watch))
                app = build_app(orchestrator, counts, surroundings)
                await server.start(Door(app, settings.door, counts=counts, near=server.near))
            yield server.url if server is not None else None
    finally:
        if server is not None:
            await server.stop()


def _surroundings(orchestrator: Orchestrator, monitor: NatsMonitor | None = None) -> Surroundings:
    """What an orchestrator can see of the whole; it is there itself as long as it is connected."""
    around = Surroundings(
        orchestrator.link, monitor, orchestrator.settings.postgres_dsn, own={"orchestrator": lambda: around.connected}
    )  # fmt: skip
    return around


def build_app(
    orchestrator: Orchestrator, door: DoorCounts | None = None, surroundings: Surroundings | None = None
) -> Starlette:
    """All routes. `door` counts those who are not let in; `surroundings` are the parts around."""
    around = surroundings if surroundings is not None else _surroundings(orchestrator)
    refusals = door if door is not None else DoorCounts()

    def source() -> Situation:
        return replace(orchestrator.situation(), health=around.health())

    async def ready(_: Request) -> Response:
        state: dict[str, Any] = {**orchestrator.state(), "connected": around.connected}
        told = {**state, "parts": around.watch.told}
        return JSONResponse(told) if state["connected"] else JSONResponse(told, 503, {"Retry-After": RETRY_AFTER})

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def metrics(_: Request) -> Response:
        situation = source()
        situation = replace(situation, records=dict(situation.records))  # the thread must not see them change
        await around.monitor.look()
        own = await asyncio.to_thread(prometheus, situation)
        others = told(Series(around.monitor, around.watch.up, members=around.members))
        return PlainTextResponse(own + others + refusals.text(), media_type=CONTENT_TYPE)

    def version() -> object:
        return orchestrator.desk.books.version, around.watch.looked

    return Starlette(
        routes=[
            Route("/readyz", ready), Route("/healthz", healthy), Route("/metrics", metrics), *routes(source, version),
        ]
    )  # fmt: skip
