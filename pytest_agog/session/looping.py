"""An event loop in a thread of its own: plays and recorders run there, whatever the caller's thread is doing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from typing import Any, Final, TypeVar

T = TypeVar("T")
GRACE: Final = 60.0
"""Seconds for which an interrupted caller waits until its work has cleaned up."""


class BackgroundLoop:
    """Starts with the first work; `close` ends what still runs. All methods may be called from any other thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closing = False

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin `work`. Cancelling the future cancels the work, which then still cleans up in the background."""
        future, begin, cancel = self._prepared(work)
        future.add_done_callback(lambda _: cancel() if future.cancelled() else None)
        begin()
        return future

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` and wait for it. A caller that is interrupted (Ctrl-C) cancels it and waits for its end."""
        try:
            future, begin, cancel = self._prepared(work)
        except BaseException:
            work.close()  # interrupted before it began: Python would complain that nobody awaited it
            raise
        try:
            begin()  # an interruption in here leaves open whether it began; cancelling deals with both
            return future.result()
        except BaseException:
            if not future.done():
                cancel()
                with contextlib.suppress(Exception):
                    future.exception(GRACE)
            raise

    def _prepared(
        self, work: Coroutine[Any, Any, T]
    ) -> tuple[Future[T], Callable[[], object], Callable[[], object]]:  # fmt: skip
        """The future of `work`, and the functions that begin and cancel it."""
        loop = self._running()
        future: Future[T] = Future()
        tasks: list[asyncio.Task[T]] = []

        def ended(task: asyncio.Task[T]) -> None:
            with contextlib.suppress(InvalidStateError):
                if task.cancelled():
                    future.set_exception(asyncio.CancelledError())
                elif (error := task.exception()) is not None:
                    future.set_exception(error)
                else:
                    future.set_result(task.result())

        def begin() -> None:
            if not future.done():
                tasks.append(loop.create_task(work))
                tasks[0].add_done_callback(ended)

        def cancel() -> None:
            if tasks:
                tasks[0].cancel()
            else:
                work.close()
                with contextlib.suppress(InvalidStateError):
                    future.set_exception(asyncio.CancelledError())

        return future, lambda: loop.call_soon_threadsafe(begin), lambda: loop.call_soon_threadsafe(cancel)

    def close(self) -> None:
        """Cancel what still runs, wait for its end, and end the thread; idempotent."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return

        def stop() -> None:
            self._closing = True
            loop.stop()

        loop.call_soon_threadsafe(lambda: loop.create_task(_end_all()).add_done_callback(lambda _: stop()))
        thread.join(GRACE)
        if not thread.is_alive():
            loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._closing = False
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="agog-loop", daemon=True)
                self._thread.start()
            return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        while not self._closing:
            # SystemExit and KeyboardInterrupt in a task leave the loop; the task's future has them already.
            with contextlib.suppress(BaseException):
                loop.run_forever()


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
