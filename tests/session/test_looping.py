"""An event loop beside the caller's: work is done, fails, is interrupted and cleans up, whatever the caller does."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from pytest_agog.session.looping import BackgroundLoop


@pytest.fixture
def loop() -> Iterator[BackgroundLoop]:
    made = BackgroundLoop()
    yield made
    made.close()


def test_work_is_done_in_another_thread(loop: BackgroundLoop) -> None:
    async def work() -> int:
        return threading.get_ident()

    first, second = loop.call(work()), loop.call(work())
    assert first == second != threading.get_ident()


def test_what_work_raises_is_raised(loop: BackgroundLoop) -> None:
    async def work() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        loop.call(work())


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_the_loop_outlives_work_that_wants_to_end_it(loop: BackgroundLoop, kind: type[BaseException]) -> None:
    async def end() -> None:
        raise kind

    async def work() -> str:
        return "still there"

    with pytest.raises(kind):
        loop.call(end())
    assert loop.call(work()) == "still there"


def test_an_interrupted_caller_waits_until_its_work_has_cleaned_up(loop: BackgroundLoop) -> None:
    steps: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C: it reaches the main thread, which waits
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        loop.call(work())
    assert steps == ["cleaned up"]


def test_closing_ends_what_still_runs(loop: BackgroundLoop) -> None:
    steps: list[str] = []
    begun = threading.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")

    future = loop.submit(work())
    begun.wait()
    loop.close()
    loop.close()
    assert steps == ["cleaned up"]
    with pytest.raises(asyncio.CancelledError):
        future.result()


def test_cancelling_a_future_cancels_its_work(loop: BackgroundLoop) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    future = loop.submit(work())
    begun.wait()
    assert future.cancel()
    assert ended.wait(10)


def test_a_closed_loop_begins_anew(loop: BackgroundLoop) -> None:
    async def work() -> int:
        return 1

    assert loop.call(work()) == 1
    loop.close()
    assert loop.call(work()) == 1
