"""One comms service: migrations, ingest workers, retention, events and pages, brought up and taken down together.

Starting never fails because NATS or Postgres is away: `/healthz` says 200, `/readyz` 503 with the reason, and the
service keeps trying. What was wrong is logged once per change.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_agog.errors import AgogError
from pytest_agog.reference.comms.ingest.consumer import Consumer
from pytest_agog.reference.comms.ingest.counters import Counters, IngestCounts
from pytest_agog.reference.comms.ingest.retention import Retention
from pytest_agog.reference.comms.ingest.state import Health, Pause, Readiness
from pytest_agog.reference.comms.ingest.worker import Worker
from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.reference.comms.settings import CommsSettings

if TYPE_CHECKING:
    from pytest_agog.reference.serving import HttpServer

MIGRATIONS: Final = "migrations"
_T = TypeVar("_T")


class CommsService:
    """Runs from entering to leaving the context; starting returns at once, `wait_ready` when all parts work.

    Raises (on entering):
        UsageError: the HTTP port is taken.
    """

    def __init__(self, settings: CommsSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.health = Health(self.counters)
        self._tasks: list[asyncio.Task[None]] = []
        self._http: HttpServer | None = None
        self._web = contextlib.AsyncExitStack()

    # --- what it is -----------------------------------------------------------------------------------------------
    @property
    def http_url(self) -> str | None:
        """Where events and pages are; None without HTTP."""
        return self._http.url if self._http is not None else None

    @property
    def state(self) -> Readiness:
        """The same as `readiness()`."""
        return self.readiness()

    def readiness(self) -> Readiness:
        """Whether all parts work, and which do not, and why."""
        return self.health.readiness()

    def counts(self) -> IngestCounts:
        """What ingest counted."""
        return self.counters.snapshot()

    async def wait_ready(self, patience: float | None = None) -> None:
        """Until all parts work.

        Raises:
            TimeoutError: not within `patience` seconds; `readiness()` says why.
        """
        async with asyncio.timeout(patience):
            while not self.readiness().ready:
                await self.health.changed()

    # --- up and down ----------------------------------------------------------------------------------------------
    async def __aenter__(self) -> CommsService:
        self.health.expect(MIGRATIONS)
        try:
            if self.settings.http:
                await self._serve()
            if self.settings.ingest:
                consumer = Consumer(self.settings)
                workers = [
                    Worker(self.settings, consumer, self.health, self.counters, number=number)
                    for number in range(1, max(1, self.settings.workers) + 1)
                ]
                self._start(self._ingest(workers))
            else:
                self._start(self._migrate())
        except BaseException:
            await self._down()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._down()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    async def _serve(self) -> None:
        """The port is bound first: a taken one ends the start."""
        from pytest_agog.reference.comms.web import EVENTS_PATH, running_app
        from pytest_agog.reference.doors.door import Door
        from pytest_agog.reference.serving import HttpServer

        self._http = HttpServer(self.settings.host, self.settings.port)
        app = await self._web.enter_async_context(running_app(self))
        streams = frozenset({EVENTS_PATH})
        door = Door(app, self.settings.door, streams=streams, counts=app.state.door, near=self._http.near)
        await self._http.start(door)

    async def _down(self) -> None:
        for task in self._tasks:
            task.cancel()
        ingest = asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.stop()
        await self._web.aclose()
        await ingest

    async def _ingest(self, workers: list[Worker]) -> None:
        await self._migrate()
        retention = Retention(self.settings.postgres_dsn, self.settings.retention, self.health, self.counters)
        tasks = [asyncio.create_task(work) for work in (*(worker.run() for worker in workers), retention.run())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:  # none of them ends by itself but by a fault of ours
                if (error := task.exception()) is not None:
                    self.health.bad("ingest", error)
                    raise error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _migrate(self) -> None:
        """Until it worked, or a wrong schema is put right."""
        pause = Pause()
        while True:
            try:
                await in_thread(lambda: migrate(self.settings.postgres_dsn))
            except AgogError as error:
                self.health.bad(MIGRATIONS, error)
                await pause.wait()
            else:
                self.health.good(MIGRATIONS)
                return


async def in_thread(function: Callable[[], _T]) -> _T:
    """The result of a blocking call, made on a daemon thread, which cannot keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def finish(result: _T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def call() -> None:
        result: _T | None = None
        failure: BaseException | None = None
        try:
            result = function()
        except BaseException as error:  # handed over to who waits
            failure = error
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(finish, result, failure)

    threading.Thread(target=call, name="agog-comms", daemon=True).start()
    return await future
