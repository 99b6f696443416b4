"""An orchestrator with its HTTP face: board, metrics, health."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from pytest_agog.reference.orchestrator.board.metrics import CONTENT_TYPE, prometheus
from pytest_agog.reference.orchestrator.board.page import routes
from pytest_agog.reference.orchestrator.running.orchestrator import Orchestrator
from pytest_agog.reference.orchestrator.settings import OrchestratorSettings
from pytest_agog.reference.serving import HttpServer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pytest_agog.reference.orchestrator.board.situation import Situation


@contextlib.asynccontextmanager
async def serving(settings: OrchestratorSettings) -> AsyncIterator[str | None]:
    """Runs while the block does; gives the URL of its HTTP service, None without one.

    Raises:
        UsageError: the port is taken.
        NatsUnreachable, CredentialsRefused, JetStreamRefused: NATS cannot be used.
    """
    server = HttpServer(settings.host, settings.port) if settings.http else None
    try:
        async with Orchestrator(settings) as orchestrator:
            if server is not None:
                await server.start(build_app(orchestrator))
            yield server.url if server is not None else None
    finally:
        if server is not None:
            await server.stop()


def build_app(orchestrator: Orchestrator) -> Starlette:
    """All routes."""
    source: Callable[[], Situation] = orchestrator.situation

    async def ready(_: Request) -> Response:
        state: dict[str, Any] = orchestrator.state()
        return JSONResponse(state, 200 if state["connected"] else 503)

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def metrics(_: Request) -> Response:
        situation = source()
        situation = replace(situation, records=dict(situation.records))  # the thread must not see them change
        return PlainTextResponse(await asyncio.to_thread(prometheus, situation), media_type=CONTENT_TYPE)

    def version() -> object:
        return orchestrator.desk.books.version

    return Starlette(
        routes=[
            Route("/readyz", ready), Route("/healthz", healthy), Route("/metrics", metrics), *routes(source, version),
        ]
    )  # fmt: skip
