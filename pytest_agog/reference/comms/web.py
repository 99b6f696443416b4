"""The HTTP face of a comms service: events API, list of runs, health, metrics and pages, in one application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pytest_agog.errors import ServiceError
from pytest_agog.masking import mask
from pytest_agog.reference.comms.backfill.reconciling import complete_run
from pytest_agog.reference.comms.events import asking, metrics, streaming
from pytest_agog.reference.comms.events.completing import Completing
from pytest_agog.reference.comms.events.hub import Hub, running
from pytest_agog.reference.comms.events.metrics import EventCounts
from pytest_agog.reference.comms.events.pool import make_pool
from pytest_agog.reference.comms.events.reading import Reading
from pytest_agog.reference.comms.ingest.counters import Counters, IngestCounts
from pytest_agog.reference.comms.ingest.state import ASIDE, Readiness
from pytest_agog.reference.comms.models import RunSummary
from pytest_agog.reference.comms.pages import rendering
from pytest_agog.reference.comms.pages.routes import routes as page_routes
from pytest_agog.reference.doors.counting import DoorCounts
from pytest_agog.reference.observing.exposition import Series, told
from pytest_agog.reference.observing.nats_monitor import NatsMonitor
from pytest_agog.reference.observing.watching import Look, Own, Watch, watching

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool
    from starlette.types import Receive, Scope, Send

    from pytest_agog.reference.comms.service import CommsService

RETRY_AFTER: Final = "2"
"""Seconds."""
MAX_RUNS: Final = 500
EVENTS_PATH: Final = "/api/agents/events"
EVENTS: Final = "events"
"""The part of the service that listens, in `/readyz`."""
_DOWN: Final = "not working"
_AWAY: Final = "Postgres is away; try again in a moment"
_TROUBLES: Final = (psycopg.Error, OSError, TimeoutError, ServiceError)
"""What being without Postgres looks like."""
_LOG = logging.getLogger(__name__)


@dataclass
class Web:
    """What the application needs of its service."""

    pool: AsyncConnectionPool
    hub: Hub
    reading: Reading
    counts: Callable[[], IngestCounts]
    readiness: Callable[[], Readiness]
    complete: Callable[[str], Awaitable[Any]]
    """Backfill a run that is complete; raises BadInput when its id can name no folder."""
    events: EventCounts = field(default_factory=EventCounts)
    door: DoorCounts = field(default_factory=DoorCounts)
    """Those who were not let in; the door in front of the application counts them."""
    watch: Watch = field(default_factory=lambda: Watch({}))
    """Whether the parts around work. [X5]"""
    monitor: NatsMonitor = field(default_factory=lambda: NatsMonitor(None))
    counters: Counters = field(default_factory=Counters)
    """Where ingest counts its distributions."""


def build_app(web: Web) -> Starlette:
    """All routes."""
    completing = Completing(web.complete)
    api = _Api(web, completing)
    app = Starlette(
        routes=[
            Route(EVENTS_PATH, _EventsEndpoint(web), methods=["GET"]),
            Route("/api/agents/runs", api.runs, methods=["GET"]),
            Route("/api/agents/runs/{run_id:path}/complete", api.complete, methods=["POST"]),
            Route("/healthz", api.healthy, methods=["GET"]),
            Route("/readyz", api.ready, methods=["GET"]),
            Route("/metrics", api.metrics, methods=["GET"]),
            *page_routes(web.reading),
        ],
        exception_handlers={Exception: _fault},
    )
    app.state.completing = completing
    app.state.door = web.door
    return app


@contextlib.asynccontextmanager
async def running_app(service: CommsService) -> AsyncIterator[Starlette]:
    """The application of `service`, with its pool and its listener, which are taken down with it."""
    settings = service.settings
    service.health.expect(EVENTS)

    def report(trouble: str | None) -> None:
        if trouble is None:
            service.health.good(EVENTS)
        else:
            service.health.bad(EVENTS, trouble if trouble.startswith("Postgres") else f"Postgres: {trouble}")

    pool = make_pool(settings.postgres_dsn)
    await pool.open(wait=False)
    hub = Hub(settings.postgres_dsn, report)
    warming = asyncio.create_task(asyncio.to_thread(rendering.warm_up))
    try:
        monitor = NatsMonitor(settings.nats_monitor_url, [(settings.stream, settings.consumer)])
        watch = _watch(service, pool, monitor)
        async with running(hub), watching(watch):
            web = Web(
                pool,
                hub,
                Reading(pool),
                service.counts,
                service.readiness,
                lambda run_id: complete_run(pool, settings.artifacts, run_id),
                watch=watch,
                monitor=monitor,
                counters=service.counters,
            )
            app = build_app(web)
            try:
                yield app
            finally:
                await app.state.completing.stop()
    finally:
        await asyncio.gather(warming, return_exceptions=True)
        service.health.drop(EVENTS)
        await pool.close(timeout=1)


def _watch(service: CommsService, pool: AsyncConnectionPool, monitor: NatsMonitor) -> Watch:
    """What this service can see of the whole."""

    async def postgres() -> bool:
        async with pool.connection(timeout=2) as connection:
            await connection.execute("SELECT 1")
        return True

    def events() -> bool:
        return service.readiness().parts.get(EVENTS) == "ok"

    def ingest() -> bool:
        if watch.seen("postgres") == "down":  # an ingest with nothing to store would not notice that it hangs
            return False
        parts = service.readiness().parts
        return all(state == "ok" for part, state in parts.items() if part not in {EVENTS, *ASIDE})

    async def nats() -> bool:
        await monitor.look()
        return monitor.up

    async def jetstream() -> bool:
        await monitor.look()
        return monitor.jetstream

    looks: dict[str, Look] = {"postgres": postgres}
    own: dict[str, Own] = {"events": events}
    if monitor.urls:
        looks |= {"nats": nats, "jetstream": jetstream}
    if service.settings.ingest:
        own["ingest"] = ingest
    watch = Watch(looks, own)
    return watch


class _EventsEndpoint:
    """An ASGI application, so that a stream is written without a layer in between."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        answer = await self._answer(request)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response | streaming.EventStream:
        web = self._web
        try:
            asked = asking.read(asking.query_of(request.scope["query_string"]), request.headers)
        except asking.Refused as error:
            return JSONResponse({"error": str(error)}, error.status, _PLAIN)
        if request.method == "HEAD":  # there is no body, and so nothing that would ever end
            return Response(headers=dict(streaming.HEADERS_SHOWN))
        position = web.hub.position
        if position is None or not web.hub.listening:
            web.events = replace(web.events, errors=web.events.errors + 1)
            return _away()
        try:
            async with asyncio.timeout(_PATIENCE):
                start = await streaming.start(asked, web.pool, position)
        except _TROUBLES as error:
            web.events = replace(web.events, errors=web.events.errors + 1)
            _say(error)
            return _away()
        web.events = replace(web.events, streams=web.events.streams + 1)
        return streaming.EventStream(asked, web.hub, web.pool, start)


class _Api:
    def __init__(self, web: Web, completing: Completing) -> None:
        self._web = web
        self._completing = completing

    async def runs(self, request: Request) -> Response:
        limit, before = request.query_params.get("limit", "200"), request.query_params.get("before")
        if not (_is_number(limit) and 1 <= int(limit) <= MAX_RUNS):
            return JSONResponse({"error": f"limit must be a whole number from 1 to {MAX_RUNS}"}, 422, _PLAIN)
        if before is not None and not (_is_number(before) and int(before) <= asking.MAX_CURSOR):
            return JSONResponse({"error": "before must be a whole number"}, 422, _PLAIN)
        if not self._web.hub.listening:  # known already: nobody needs to wait for it
            return _away()
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await self._web.reading.runs(
                    limit=int(limit) + 1, before=None if before is None else int(before)
                )
        except _TROUBLES as error:
            _say(error)
            return _away()
        shown = found[: int(limit)]
        more = shown[-1].last_seq if len(found) > len(shown) else None
        return JSONResponse({"runs": [_told(run) for run in shown], "next": more}, headers=_PLAIN)

    async def complete(self, request: Request) -> Response:
        """Begin a run's backfill; 202 also when one is under way, since doing it again changes nothing."""
        try:
            run_id = asking.run_in(str(request.path_params["run_id"]), request.scope.get("raw_path"))
        except asking.Refused as error:
            return JSONResponse({"error": str(error)}, error.status, _PLAIN)
        if not self._completing.begin(run_id):
            return JSONResponse({"error": "many backfills are under way"}, 503, {**_PLAIN, "Retry-After": RETRY_AFTER})
        return JSONResponse({"run_id": run_id, "backfill": "started"}, 202, _PLAIN)

    async def healthy(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_PLAIN)

    async def ready(self, _: Request) -> Response:
        """Reasons are told part by part; what Postgres or NATS said in detail stands in the log."""
        readiness = self._web.readiness()
        seen = self._web.watch.told
        states = seen | readiness.parts  # what the service itself knows counts, and decides
        if seen.get("postgres") == _DOWN:  # one that hangs is noticed late by whoever waits for its answer
            states["postgres"] = _DOWN
            readiness = replace(readiness, ready=False)
        parts = {part: "ok" if state == "ok" else _plainly(state) for part, state in states.items()}
        status = "ready" if readiness.ready else "not ready"
        headers = _PLAIN if readiness.ready else {**_PLAIN, "Retry-After": RETRY_AFTER}
        return JSONResponse({"status": status, "parts": parts}, 200 if readiness.ready else 503, headers)

    async def metrics(self, _: Request) -> Response:
        web = self._web
        await web.monitor.look()
        own = metrics.text(web.counts(), replace(web.events, readers=web.hub.readers), ready=web.readiness().ready)
        counted = (
            ("agog_comms_insert_seconds", "Time from the begin of a batch's transaction to its commit.",
             web.counters.insert_seconds),
            ("agog_comms_batch_messages", "Messages of a batch that was committed.", web.counters.batch_sizes),
        )  # fmt: skip
        around = told(Series(web.monitor, web.watch.up, counted))
        return PlainTextResponse(own + around + web.door.text(), media_type=metrics.CONTENT_TYPE, headers=_PLAIN)


_PLAIN: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_PATIENCE: Final = 5.0
"""Seconds for what Postgres is asked."""


def _plainly(state: str) -> str:
    return "starting" if state == "starting" else "not working; the service's log says why"


def _away() -> Response:
    return JSONResponse({"error": _AWAY}, 503, {**_PLAIN, "Retry-After": RETRY_AFTER})


async def _fault(request: Request, error: Exception) -> Response:
    """Nothing of what went wrong inside is shown outside; it stands in the log. [J17]"""
    _LOG.error("%s failed: %s", request.scope["path"], mask("".join(traceback.format_exception(error))))
    return JSONResponse({"error": "an internal error"}, 500, _PLAIN)


def _say(error: BaseException) -> None:
    _LOG.debug("a request waits for Postgres: %s: %s", type(error).__name__, mask(" ".join(str(error).split()))[:200])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19


def _told(run: RunSummary) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "workflow_uid": run.workflow_uid,
        "workflow_name": run.workflow_name,
        "workflow_namespace": run.workflow_namespace,
        "agents": list(run.agents),
        "messages": run.messages,
        "tokens": run.tokens,
        "tokens_reported": run.tokens_reported,
        "status": run.status,
        "exit_code": run.exit_code,
        "first_at": run.first_at.isoformat(),
        "last_at": run.last_at.isoformat(),
        "last_seq": run.last_seq,
    }
