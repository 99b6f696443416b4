"""An orchestrator with its HTTP face: board, metrics, health."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.doors.counting import DoorCounts
from pytest_agog.reference.doors.door import Door
from pytest_agog.reference.observing.exposition import Series, told
from pytest_agog.reference.observing.nats_monitor import NatsMonitor
from pytest_agog.reference.observing.watching import Look, Watch, watching
from pytest_agog.reference.orchestrator.board.metrics import CONTENT_TYPE, prometheus
from pytest_agog.reference.orchestrator.board.page import routes
from pytest_agog.reference.orchestrator.running.orchestrator import Orchestrator
from pytest_agog.reference.orchestrator.settings import OrchestratorSettings
from pytest_agog.reference.serving import HttpServer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pytest_agog.reference.orchestrator.board.situation import Situation


_EXPECTED: Final = (("agent-comms", "jangar-agent-comms"),)
_LISTENER: Final = "CONSUMER.INFO.agog_orchestration_events.host-listener"


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
            if server is not None:
                counts = DoorCounts()
                monitor = NatsMonitor(settings.nats_monitor_url, _EXPECTED)
                watch = await around.enter_async_context(watching(_watch(orchestrator, monitor)))
                app = build_app(orchestrator, counts, watch, monitor)
                await server.start(Door(app, settings.door, counts=counts))
            yield server.url if server is not None else None
    finally:
        if server is not None:
            await server.stop()


def _watch(orchestrator: Orchestrator, monitor: NatsMonitor) -> Watch:
    """What an orchestrator can see of the whole."""

    def connected() -> bool:
        return bool(orchestrator.state()["connected"])

    async def storage() -> bool:
        await jetstream.call(orchestrator.link, "INFO")
        return True

    async def listener() -> bool:
        """Somebody waits for requests, or has one in hand: a pull ends with its connection."""
        info = await jetstream.call(orchestrator.link, _LISTENER)
        return int(info["num_waiting"]) > 0 or int(info["num_ack_pending"]) > 0

    looks: dict[str, Look] = {"jetstream": storage, "listener": listener}
    return Watch(looks, {"orchestrator": connected, "nats": connected})


def build_app(
    orchestrator: Orchestrator,
    door: DoorCounts | None = None,
    watch: Watch | None = None,
    monitor: NatsMonitor | None = None,
) -> Starlette:
    """All routes. `door` counts those who are not let in; `watch` and `monitor` see what is around."""
    parts, nats = watch if watch is not None else Watch({}), monitor if monitor is not None else NatsMonitor(None)
    refusals = door if door is not None else DoorCounts()
    source: Callable[[], Situation] = orchestrator.situation

    async def ready(_: Request) -> Response:
        state: dict[str, Any] = orchestrator.state()
        return JSONResponse({**state, "parts": parts.told}, 200 if state["connected"] else 503)

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def metrics(_: Request) -> Response:
        situation = source()
        situation = replace(situation, records=dict(situation.records))  # the thread must not see them change
        await nats.look()
        own = await asyncio.to_thread(prometheus, situation)
        around = told(Series(nats, parts.up))
        return PlainTextResponse(own + around + refusals.text(), media_type=CONTENT_TYPE)

    def version() -> object:
        return orchestrator.desk.books.version

    return Starlette(
        routes=[
            Route("/readyz", ready), Route("/healthz", healthy), Route("/metrics", metrics), *routes(source, version),
        ]
    )  # fmt: skip
